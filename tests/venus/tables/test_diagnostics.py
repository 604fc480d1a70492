"""Our own paths and the cards of the GUI: origins, the line, readings, switches."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from helpers.snapshots import online, qpigs
from mppdbus.model.battery.state_of_charge import Charge
from mppdbus.model.power import Origin
from mppdbus.model.snapshot import LinkState, Snapshot
from mppdbus.model.views import SystemView, Unit, UnitView
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.settings import Flags
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.tables.cards import CORRECTION, SWITCHES, switch_id
from mppdbus.venus.tables.diagnostics import ORIGINS, age
from mppdbus.venus.tables.row import values_of
from mppdbus.venus.tables.system import SYSTEM
from mppdbus.venus.unit_service import MULTI

UNIT = Unit("garage", "/dev/ttyUSB0", 288)
ORIGIN = "/Mppdbus/Origin/"


def shown(snapshot: Snapshot) -> dict[str, Value]:
    return values_of(MULTI, UnitView.of(UNIT, snapshot))


def flags(payload: bytes) -> Flags:
    return cast("Flags", decode("QFLAG", payload))


# -- origins -------------------------------------------------------------------------


def test_each_quantity_has_an_origin() -> None:
    values = shown(online(qpigs(charge=2), "L"))
    wanted = {
        "AcIn": "derived",
        "AcInCurrent": "derived",
        "AcInVoltage": "measured",
        "Load": "measured",
        "AcOutVoltage": "measured",
        "AcOutCurrent": "derived",
        "Battery": "measured",
        "BatteryPower": "derived",
        "Yield": "measured",
        "PvVoltage": "measured",
        "Energy": "unknown",
        "State": "derived",
    }
    assert {row.path for row in ORIGINS} == {ORIGIN + name for name in wanted}
    assert {name: values[ORIGIN + name] for name in wanted} == wanted


def test_what_is_unknown_has_no_origin() -> None:
    values = shown(online(qpigs(), "L", trackers=None))  # PV unknown, so is the input
    for name, path in (("Yield", "/Yield/Power"), ("AcIn", "/Ac/In/1/L1/P")):
        assert values[path] is None
        assert values[ORIGIN + name] == "unknown"


def test_a_system_is_as_sure_as_the_least_sure_of_its_units() -> None:
    sure = UnitView.of(UNIT, online(qpigs(pv=300), "L"))
    flow = replace(sure.flow, pv_origin=Origin.ESTIMATED)
    guessed = replace(sure, flow=flow)
    away = UnitView.of(UNIT, Snapshot())
    for units, origin in (
        ((sure, sure), "measured"),
        ((sure, guessed), "estimated"),
        ((sure, away), "measured"),
        ((away,), "unknown"),
    ):
        assert values_of(SYSTEM, SystemView(units))[ORIGIN + "Yield"] == origin


# -- the line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, None),
        (0.0, 5.0),
        (0.9, 5.0),
        (5.0, 5.0),
        (5.1, 10.0),
        (60.0, 60.0),
        (60.1, 120.0),
        (3601.0, 3660.0),
    ],
)
def test_an_age_is_never_less_than_it_is(
    seconds: float | None, said: float | None
) -> None:
    assert age(seconds) == said


def test_an_age_changes_no_value_from_poll_to_poll() -> None:
    assert len({age(0.37 + 0.01 * poll) for poll in range(100)}) == 1


def test_the_line_is_told_of() -> None:
    link = LinkState(quality=99.456, exchange_time=0.3741, failures=3, age=0.4)
    values = shown(Snapshot(link=link))
    assert values["/Mppdbus/Link/Quality"] == 99.5
    assert values["/Mppdbus/Link/Failures"] == 3
    assert values["/Mppdbus/Link/Age"] == 5.0


# -- faults in words -----------------------------------------------------------------


def test_a_fault_is_told_in_words() -> None:
    healthy = shown(online(qpigs(), "L"))
    assert (healthy["/Mppdbus/Fault"], healthy["/Mppdbus/Warnings"]) == ("", "")
    broken = shown(online(qpigs(), "F", warned=(1, 9)))
    assert broken["/Mppdbus/Fault"]
    assert "temperature" in str(broken["/Mppdbus/Warnings"])
    unknown = shown(Snapshot())
    assert (unknown["/Mppdbus/Fault"], unknown["/Mppdbus/Warnings"]) == (None, None)


# -- cards ---------------------------------------------------------------------------


def test_a_reading_that_is_unknown_is_no_card() -> None:
    """gui-v2 shows an invalid value of a card as 0."""
    snapshot = online(qpigs(), "L")
    assert snapshot.status is not None
    base = "/GenericInput/HeatSink"
    values = shown(snapshot)
    assert values[f"{base}/Value"] == 35.0
    assert values[f"{base}/Status"] == 0
    assert values[f"{base}/Settings/ShowUIInput"] == 1
    raw = snapshot.status.model_copy(update={"heatsink_temperature": None})
    values = shown(replace(snapshot, status=raw))
    assert values[f"{base}/Value"] is None
    assert values[f"{base}/Status"] is None
    assert values[f"{base}/Settings/ShowUIInput"] == 0
    assert values["/GenericInput/Load/Settings/ShowUIInput"] == 1


@pytest.mark.parametrize("kind", ["GenericInput", "SwitchableOutput"])
def test_the_gui_accepts_the_type_of_each_card(kind: str) -> None:
    view = UnitView.of(UNIT, Snapshot(), charge=Charge(61.4, "estimated", margin=4.0))
    values = values_of(MULTI, view)
    bases = {p.rpartition("/Name")[0] for p in values if p.endswith("/Name")}
    bases = {base for base in bases if base.startswith(f"/{kind}/")}
    assert len(bases) == {"GenericInput": 3, "SwitchableOutput": 1}[kind]
    for base in bases:
        number, allowed = (
            values[f"{base}/Settings/{leaf}"] for leaf in ("Type", "ValidTypes")
        )
        assert isinstance(number, int)
        assert isinstance(allowed, int)
        assert allowed & 1 << number
        assert values[f"{base}/Name"]


def test_flags_have_a_state_and_one_line_of_text_but_no_name() -> None:
    values = shown(replace(online(qpigs(), "L"), flags=flags(b"EaxyDbuv")))
    states = {
        letter: values[f"/SwitchableOutput/{switch_id(letter)}/State"]
        for letter in SWITCHES
    }
    on, off = dict.fromkeys("axy", 1), dict.fromkeys("buv", 0)
    assert states == {**on, **off, "j": None, "z": None}
    assert str(values["/Mppdbus/Switches"]).startswith("on: Buzzer, Display backlight")
    cards = {row.path for row in MULTI if row.path.startswith("/SwitchableOutput/")}
    ids = {switch_id(letter) for letter in SWITCHES}
    assert {path for path in cards if path.split("/")[2] in ids} == {
        f"/SwitchableOutput/{each}/State" for each in ids
    }
    writable = {row.path for row in MULTI if row.write is not None}
    states_of_flags = {f"/SwitchableOutput/{each}/State" for each in ids}
    assert cards & writable == {CORRECTION, *states_of_flags}


def test_the_charge_can_be_corrected_only_where_it_is_estimated() -> None:
    base = CORRECTION.rpartition("/")[0]
    estimate = Charge(61.4, "estimated", margin=4.0)
    for charge, said in ((estimate, 61.0), (Charge(61.4), None), (Charge(), None)):
        view = UnitView.of(UNIT, online(qpigs(), "L"), charge=charge)
        values = values_of(MULTI, view)
        assert values[CORRECTION] == said
        assert values[f"{base}/Status"] == (None if said is None else 0x09)


def test_without_an_answer_to_qflag_no_switch_has_a_state() -> None:
    values = shown(online(qpigs(), "L"))
    states = [
        v for p, v in values.items() if p.startswith("/Sw") and p.endswith("State")
    ]
    assert states == [None] * len(SWITCHES)
