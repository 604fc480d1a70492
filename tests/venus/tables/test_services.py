"""The tables of the services: well formed, complete, and of the right types."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace
from typing import Any, cast

import pytest

from helpers.paths import NEEDS, OWN, known
from helpers.places import ROOT
from helpers.snapshots import online, qpigs
from mppdbus.model.battery.state_of_charge import Charge
from mppdbus.model.energy.ledger import Books, Ledger
from mppdbus.model.phases import by_phase, on_phases
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.model.victron_codes import AcInput
from mppdbus.model.views import SystemView, Unit, UnitView
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.settings import Flags
from mppdbus.protocol.replies.status import SecondPhase
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.tables.battery import BATTERY
from mppdbus.venus.tables.energy import HISTORY
from mppdbus.venus.tables.row import ChangedRows, Row, live, phased, values_of
from mppdbus.venus.tables.system import SYSTEM, SYSTEM_PHASE
from mppdbus.venus.tables.unit import product_name
from mppdbus.venus.unit_service import INVERTER, MULTI

UNIT = Unit("garage", "/dev/ttyUSB0", 288)
TABLES: dict[str, tuple[Row[Any], ...]] = {
    "multi": (*MULTI, *HISTORY),
    "inverter": (*INVERTER, *HISTORY),
    "acsystem": (*SYSTEM, *SYSTEM_PHASE),
    "battery": BATTERY,
}
# Published although no program of Victron's was found to read it there.
EXTRA = {
    ("multi", "/ModeIsAdjustable"),
    ("inverter", "/Alarms/ShortCircuit"),  # gui-v2 reads it of every inverter/charger
}


def paths(service: str) -> set[str]:
    shown = {row.path_on(1) for row in TABLES[service]}
    if service == "acsystem":
        shown |= {"/Devices/{n}/Service", "/Devices/{n}/Instance"}
    return shown


def test_every_path_that_must_or_should_be_there_is() -> None:
    wanted = {
        (row["service"], row["path"])
        for row in NEEDS
        if row["need"].startswith(("MUST", "SHOULD", "IF 1 tracker", "IF 2 trackers"))
    }
    shown = {(service, path) for service in TABLES for path in paths(service)}
    assert wanted - shown == set()


def test_avoided_paths_are_not_there() -> None:
    avoid = {(r["service"], r["path"]) for r in NEEDS if r["need"] == "AVOID"}
    shown = {(service, path) for service in TABLES for path in paths(service)}
    assert avoid & shown == set()


@pytest.mark.parametrize("service", TABLES)
def test_every_path_has_the_type_that_victron_has(service: str) -> None:
    for row in TABLES[service]:
        if row.path.startswith(OWN) or (service, row.path) in EXTRA:
            continue
        path = known(service, row.path)
        assert path is not None, f"{row.path} is in no table of Victron's paths"
        types = path["type"].replace(" or invalid", "").split(" or ")
        assert str(row.kind) in types, row.path


@pytest.mark.parametrize("service", TABLES)
def test_paths_are_unique_and_well_formed(service: str) -> None:
    shown = [row.path_on(2) for row in TABLES[service]]
    assert len(shown) == len(set(shown))
    for path in shown:
        day = path.replace("{day}", "0").replace("{tracker}", "0")
        Item(day, ItemType.INT)  # raises for what is no path
        assert day == path or path.startswith("/History/Daily/")


@pytest.mark.parametrize("service", TABLES)
def test_every_row_says_where_its_value_comes_from(service: str) -> None:
    assert [row.path for row in TABLES[service] if not row.about.strip()] == []


@pytest.mark.parametrize("service", TABLES)
def test_what_is_written_has_bounds_or_is_text(service: str) -> None:
    for row in TABLES[service]:
        if row.write is not None and row.kind is not ItemType.TEXT:
            assert None not in (row.minimum, row.maximum), row.path
        item = row.item_at("/X")  # raises for bounds of another type
        assert (item.writable, item.minimum) == (row.write is not None, row.minimum)


def test_the_page_of_all_paths_is_current() -> None:
    argv = [sys.executable, str(ROOT / "tools" / "make_dbus_md.py"), "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


# -- values --------------------------------------------------------------------------


def check_types(rows: tuple[Row[Any], ...], view: UnitView | SystemView) -> None:
    expected = {ItemType.INT: int, ItemType.DOUBLE: float, ItemType.TEXT: str}
    for row in rows:
        value = row.value(view)
        if value is not None:
            assert isinstance(value, expected[row.kind]), (row.path, value)
            assert not isinstance(value, bool), row.path
            text = row.item_at("/X").formatter()(value)
            assert isinstance(text, str), row.path


FLAGS = cast("Flags", decode("QFLAG", b"EakxyzDbjuv"))
SNAPSHOTS = {
    "offline": Snapshot(),
    "line": online(qpigs(charge=6, pv=300), "L"),
    "battery": online(qpigs(grid=0, discharge=10), "B"),
    "two trackers": online(qpigs(pv=226), "B", trackers=2, pv2="01.0 202.0 00205 "),
    "fault": online(qpigs(), "F", warned=(1, 9)),
    "no ratings yet": online(qpigs(), "L", with_ratings=False, trackers=None),
    "strange mode": online(qpigs(), "Q"),
    "only a mode": Snapshot(online=True, mode="L"),
    "flags": replace(online(qpigs(), "L"), flags=FLAGS),
}
VIEWS = {name: UnitView.of(UNIT, snapshot) for name, snapshot in SNAPSHOTS.items()}
OTHER_UNIT = replace(UNIT, name="shed", connection="tcp", ac_input=AcInput.NONE)
NAMED = replace(
    SNAPSHOTS["line"],
    identity=Identity(serial="2", model="X", firmware="00072.70", dialect="pi30max"),
)
COUNTED = Ledger(Books(user=1.5)).counters
STATES = (
    *VIEWS.values(),
    replace(VIEWS["line"], unit=OTHER_UNIT),
    UnitView.of(UNIT, NAMED),
    replace(VIEWS["line"], counters=COUNTED),
)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_values_have_their_type_or_are_unknown(view: UnitView) -> None:
    check_types(MULTI, view)
    check_types(INVERTER, view)
    check_types(TABLES["acsystem"], SystemView((view,)))


@pytest.mark.parametrize("rows", [MULTI, INVERTER], ids=["multi", "inverter"])
def test_what_is_not_looked_at_again_has_not_changed(
    rows: tuple[Row[UnitView], ...],
) -> None:
    """From every view to every other one."""
    for before, after in itertools.permutations(STATES, 2):
        changed = ChangedRows(live(rows))
        shown = changed.values(before) | changed.values(after)
        assert shown == values_of(live(rows), after)


@pytest.mark.parametrize("rows", [SYSTEM, BATTERY], ids=["acsystem", "battery"])
def test_nor_has_what_all_units_show(rows: tuple[Row[SystemView], ...]) -> None:
    pairs = [SystemView(pair) for pair in itertools.product(STATES[::2], STATES[1::3])]
    systems = [SystemView((view,)) for view in STATES] + pairs
    for before, after in itertools.permutations(systems, 2):
        changed = ChangedRows(live(rows))
        shown = changed.values(before) | changed.values(after)
        assert shown == values_of(live(rows), after)


def test_a_row_is_not_looked_at_while_its_part_is_the_same() -> None:
    looks = []

    def look(who: Identity) -> str | None:
        looks.append(who)
        return who.serial

    def identity(view: UnitView) -> Identity:
        return view.snapshot.identity

    row = Row("/A", ItemType.TEXT, look, of=identity)
    always: Row[UnitView] = Row(
        "/B", ItemType.TEXT, lambda view: look(view.snapshot.identity)
    )
    rows = ChangedRows((row, always))
    serial = VIEWS["line"].snapshot.identity.serial
    assert rows.values(VIEWS["line"]) == {"/A": serial, "/B": serial}
    assert rows.values(VIEWS["battery"]) == {}
    assert rows.values(VIEWS["offline"]) == {"/A": None, "/B": None}
    assert len(looks) == 5


def test_what_is_fixed_is_the_same_in_every_view() -> None:
    other = Unit("shed", "/dev/ttyUSB1", 289, phase=3)
    for rows in (MULTI, INVERTER):
        first = [row.value(VIEWS["line"]) for row in rows if row.fixed]
        for view in (*VIEWS.values(), UnitView.of(other, Snapshot())):
            assert [row.value(view) for row in rows if row.fixed] == first
    assert [row.path for row in live(MULTI) if row.fixed] == []
    fixed = {row.path for row in MULTI} - {row.path for row in live(MULTI)}
    assert {"/ProductId", "/Settings/AlarmLevel/Overload"} <= fixed
    assert "/CustomName" not in fixed


def test_offline_shows_nothing_that_was_measured() -> None:
    values = values_of(MULTI, VIEWS["offline"])
    assert values["/Connected"] == 0
    for path, value in values.items():
        if path.startswith(("/Ac/Out/", "/Dc/", "/Soc", "/Yield", "/Pv", "/Alarms")):
            assert value is None, path
        if path.startswith("/Mppdbus/Origin/"):
            assert value == "unknown", path
    for path in ("/Mode", "/Ac/ActiveIn/ActiveInput", "/ErrorCode"):
        assert values[path] is None, path
    assert values["/State"] == 255  # gui-v2 shows an invalid one as "Off"


def test_a_unit_stands_on_its_own_phase() -> None:
    unit = replace(UNIT, phase=3)
    values = values_of(MULTI, UnitView.of(unit, online(qpigs(load=500), "L")), 3)
    assert values["/Ac/Out/L3/P"] == 500.0
    assert values["/Settings/System/AcPhase"] == 2
    assert not [path for path in values if "/L1/" in path]


def test_charging_is_positive_and_current_is_derived_from_va() -> None:
    payload = qpigs(charge=6, volts=52.0, apparent=460)
    values = values_of(MULTI, UnitView.of(UNIT, online(payload, "L")))
    assert values["/Dc/0/Power"] == 312.0
    assert values["/Ac/Out/L1/I"] == 2.0


def test_the_inverters_percent_is_shown_with_its_origin_or_not_at_all() -> None:
    shown = values_of(MULTI, UnitView.of(UNIT, online(qpigs(percent=77), "L")))
    assert shown["/Soc"] == 77.0
    assert "estimated" in str(shown["/Mppdbus/Origin/Soc"])
    hidden = UnitView.of(UNIT, online(qpigs(), "L"), charge=Charge())
    assert values_of(MULTI, hidden)["/Soc"] is None


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (Identity(model="VMIII-5000", model_number="010"), "VMIII-5000"),
        (Identity(model_number="010"), "MKS 5KP"),
        (Identity(model_number="999"), "PI30 inverter"),
        (Identity(), "PI30 inverter"),
    ],
)
def test_a_product_has_the_name_it_gives_itself(identity: Identity, name: str) -> None:
    assert product_name(identity) == name


# -- two legs in one case ------------------------------------------------------------

PI41_SECOND = SecondPhase(
    ac_output_voltage=121.0,
    ac_output_frequency=60.0,
    ac_output_apparent_power=363,
    ac_output_active_power=300,
)


def test_each_leg_of_a_unit_stands_on_its_own_phase() -> None:
    two = replace(online(qpigs(load=500), "L"), second=PI41_SECOND)
    view = UnitView.of(UNIT, two)
    first, second = on_phases(view).values()
    assert values_of(MULTI, first)["/Ac/Out/L1/P"] == 500.0
    assert values_of(MULTI, first)["/Ac/NumberOfPhases"] == 2
    assert values_of(MULTI, first)["/Settings/System/AcPhase"] is None
    values = values_of(phased(MULTI), second, 2)
    assert values["/Ac/Out/L2/P"] == 300.0
    assert values["/Ac/Out/L2/V"] == 121.0
    assert values["/Ac/Out/L2/I"] == 3.0
    assert values["/Ac/In/1/L2/P"] is None
    assert values["/Ac/In/1/L2/V"] == 230.0  # as L1: QPIGS2 does not say
    assert values["/Ac/In/1/L2/F"] == 50.0
    assert all("/L2/" in path for path in values)


def test_off_the_mains_no_leg_takes_anything_from_it() -> None:
    two = replace(online(qpigs(grid=0, load=500), "B"), second=PI41_SECOND)
    for phase, leg in on_phases(UnitView.of(UNIT, two)).items():
        values = values_of(phased(MULTI), leg, phase)
        assert values[f"/Ac/In/1/L{phase}/P"] == 0
        assert values[f"/Ac/In/1/L{phase}/I"] == 0


def test_a_system_has_what_each_leg_does_on_its_phase() -> None:
    two = replace(online(qpigs(load=500), "L"), second=PI41_SECOND)
    one = online(qpigs(load=200), "L")
    both = SystemView(
        (UnitView.of(UNIT, two), UnitView.of(replace(UNIT, instance=289, phase=2), one))
    )
    assert by_phase(both).keys() == {1, 2}
    assert values_of(SYSTEM, both)["/Ac/NumberOfPhases"] == 3  # the GUI knows no 2
    parts = by_phase(both) | {3: SystemView(())}
    loads = [
        values_of(SYSTEM_PHASE, parts[phase], phase)[f"/Ac/Out/L{phase}/P"]
        for phase in (1, 2, 3)
    ]
    assert loads == [500.0, 500.0, None]


def test_a_unit_with_one_leg_is_its_only_one() -> None:
    assert on_phases(VIEWS["line"]) == {1: VIEWS["line"]}
    assert values_of(MULTI, VIEWS["line"])["/Ac/NumberOfPhases"] == 1


# -- a system ------------------------------------------------------------------------


def system(*snapshots: Snapshot) -> SystemView:
    units = [replace(UNIT, instance=288 + i) for i, _ in enumerate(snapshots)]
    return SystemView(
        tuple(UnitView.of(u, s) for u, s in zip(units, snapshots, strict=True))
    )


def test_a_system_adds_up_what_its_units_do() -> None:
    both = system(
        online(qpigs(load=500, pv=100, charge=2), "L"),
        online(qpigs(load=300, pv=0, charge=4), "L"),
    )
    values = values_of(SYSTEM, both)
    assert values["/Ac/Out/P"] == 800.0
    assert values["/Dc/0/Current"] == 6.0
    assert values["/Dc/0/Voltage"] == 52.0
    assert values["/Ac/ActiveIn/ActiveInput"] == 0


def test_a_unit_that_is_away_does_not_count() -> None:
    values = values_of(SYSTEM, system(online(qpigs(load=500), "L"), Snapshot()))
    assert values["/Ac/Out/P"] == 500.0
    assert values["/Connected"] == 1
    assert values_of(SYSTEM, system(Snapshot()))["/Connected"] == 0


def test_one_input_for_all_and_fault_before_everything() -> None:
    mixed = system(online(qpigs(grid=0), "B"), online(qpigs(), "L"))
    assert mixed.active_input == 0
    broken = system(online(qpigs(), "L"), online(qpigs(), "F"))
    assert values_of(SYSTEM, broken)["/State"] == 2


def test_a_system_shows_the_charge_of_the_battery_and_where_it_comes_from() -> None:
    charge = Charge(63.2, "estimated: counted", margin=4.03, confidence=0.8712)
    values = values_of(SYSTEM, replace(system(Snapshot()), charge=charge))
    assert values["/Soc"] == 63.2
    assert values["/Mppdbus/Origin/Soc"] == "estimated: counted"
    assert values["/Mppdbus/Soc/Margin"] == 4.0
    assert values["/Mppdbus/Soc/Confidence"] == 0.87
