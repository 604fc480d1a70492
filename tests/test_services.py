"""The tables of the services: well formed, complete, and of the right types."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mppdbus.snapshot import Snapshot
from mppdbus.venus.bus import Kind
from mppdbus.venus.publisher import values_of
from mppdbus.venus.services import INVERTER, MULTI, SYSTEM, SYSTEM_PHASE, Row
from mppdbus.venus.views import Charge, SystemView, Unit, UnitView
from support_snapshots import online, qpigs

UNIT = Unit("garage", "/dev/ttyUSB0", 288)
TABLE = (Path(__file__).parent / "data/venus_paths.csv").read_text()
NEEDS = list(csv.DictReader(TABLE.splitlines()))
TABLES: dict[str, tuple[Row[Any], ...]] = {
    "multi": MULTI,
    "inverter": INVERTER,
    "acsystem": (*SYSTEM, *SYSTEM_PHASE),
}
# Rows that need a write, an energy counter or settings that are kept: not yet there.
LATER = ("/Yield/User", "/Yield/System", "/Energy/", "/History/")
OWN = "/Mppdbus/"
# Published beyond the tables of what Victron's programs read.
EXTRA = {
    "/Ac/Out/L1/S",  # measured, so why not
    "/ModeIsAdjustable",
    "/Ac/NumberOfPhases",
    "/Ac/Out/L1/NominalInverterPower",
}


def paths(service: str) -> set[str]:
    known = {row.path_on(1) for row in TABLES[service]}
    if service == "acsystem":
        known |= {"/Devices/{n}/Service", "/Devices/{n}/Instance"}
    return known


@pytest.mark.parametrize("service", TABLES)
def test_every_path_that_must_or_should_be_there_is(service: str) -> None:
    wanted = {
        row["path"]
        for row in NEEDS
        if row["service"] == service
        and row["need"].startswith(("MUST", "SHOULD", "IF 1 tracker", "IF 2 trackers"))
        and not row["path"].startswith(LATER)
    }
    assert wanted - paths(service) == set()


@pytest.mark.parametrize("service", TABLES)
def test_every_path_has_the_type_that_victron_has(service: str) -> None:
    types = {row["path"]: row["type"] for row in NEEDS if row["service"] == service}
    for row in TABLES[service]:
        path = row.path_on(1)
        if path.startswith(OWN) or path in EXTRA:
            continue
        assert str(row.kind) in types[path].replace(" or invalid", "").split(" or "), (
            path
        )


@pytest.mark.parametrize("service", TABLES)
def test_paths_are_unique_and_well_formed(service: str) -> None:
    known = [row.path_on(2) for row in TABLES[service]]
    assert len(known) == len(set(known))
    assert all(path.startswith("/") and "{" not in path for path in known)


def test_avoided_paths_are_not_there() -> None:
    for service in TABLES:
        avoid = {
            row["path"]
            for row in NEEDS
            if row["service"] == service and row["need"] == "AVOID"
        }
        assert avoid & paths(service) == set()


def check_types(rows: tuple[Row[Any], ...], view: UnitView | SystemView) -> None:
    expected = {Kind.INT: int, Kind.DOUBLE: float, Kind.TEXT: str}
    for row in rows:
        value = row.source(view)
        if value is not None:
            assert isinstance(value, expected[row.kind]), (row.path, value)
            assert not isinstance(value, bool), row.path


SNAPSHOTS = {
    "offline": Snapshot(),
    "line": online(qpigs(charge=6, pv=300), "L"),
    "battery": online(qpigs(grid=0, discharge=10), "B"),
    "two trackers": online(qpigs(pv=226), "B", trackers=2, pv2="01.0 202.0 00205 "),
    "fault": online(qpigs(), "F", warned=(1, 9)),
    "no ratings yet": online(qpigs(), "L", with_ratings=False, trackers=None),
    "strange mode": online(qpigs(), "Q"),
    "only a mode": Snapshot(online=True, mode="L"),
}


@pytest.mark.parametrize("snapshot", SNAPSHOTS.values(), ids=SNAPSHOTS.keys())
def test_values_have_their_type_or_are_unknown(snapshot: Snapshot) -> None:
    view = UnitView.of(UNIT, snapshot)
    check_types(MULTI, view)
    check_types(INVERTER, view)
    check_types(TABLES["acsystem"], SystemView((view,)))


def test_offline_shows_nothing_that_was_measured() -> None:
    values = values_of(MULTI, UnitView.of(UNIT, Snapshot()), 1)
    assert values["/Connected"] == 0
    for path, value in values.items():
        if path.startswith(("/Ac/Out/", "/Dc/", "/Soc", "/Yield", "/Pv", "/Alarms")):
            assert value is None, path
    for path in ("/State", "/Mode", "/Ac/ActiveIn/ActiveInput", "/ErrorCode"):
        assert values[path] is None, path


def test_a_unit_stands_on_its_own_phase() -> None:
    unit = replace(UNIT, phase=3)
    values = values_of(MULTI, UnitView.of(unit, online(qpigs(load=500), "L")), 3)
    assert values["/Ac/Out/L3/P"] == 500.0
    assert values["/Settings/System/AcPhase"] == 2
    assert not [path for path in values if "/L1/" in path]


def test_charging_is_positive_and_current_is_derived_from_va() -> None:
    payload = qpigs(charge=6, volts=52.0, apparent=460)
    values = values_of(MULTI, UnitView.of(UNIT, online(payload, "L")), 1)
    assert values["/Dc/0/Power"] == 312.0
    assert values["/Ac/Out/L1/I"] == 2.0


def test_the_inverters_percent_is_shown_with_its_origin_or_not_at_all() -> None:
    shown = values_of(MULTI, UnitView.of(UNIT, online(qpigs(percent=77), "L")), 1)
    assert shown["/Soc"] == 77.0
    assert "estimated" in str(shown["/Mppdbus/Origin/Soc"])
    hidden = UnitView.of(UNIT, online(qpigs(), "L"), charge=Charge())
    assert values_of(MULTI, hidden, 1)["/Soc"] is None


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
    values = values_of(SYSTEM, both, 1)
    assert values["/Ac/Out/P"] == 800.0
    assert values["/Dc/0/Current"] == 6.0
    assert values["/Dc/0/Voltage"] == 52.0
    assert values["/Ac/ActiveIn/ActiveInput"] == 0


def test_a_unit_that_is_away_does_not_count() -> None:
    values = values_of(SYSTEM, system(online(qpigs(load=500), "L"), Snapshot()), 1)
    assert values["/Ac/Out/P"] == 500.0
    assert values["/Connected"] == 1
    assert values_of(SYSTEM, system(Snapshot()), 1)["/Connected"] == 0


def test_one_input_for_all_and_fault_before_everything() -> None:
    mixed = system(online(qpigs(grid=0), "B"), online(qpigs(), "L"))
    assert mixed.active_input == 0
    broken = system(online(qpigs(), "L"), online(qpigs(), "F"))
    assert values_of(SYSTEM, broken, 1)["/State"] == 2
