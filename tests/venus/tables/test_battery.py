"""The battery that several inverters share: its rows, and how they read on a bus."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

from helpers.bus import serving
from helpers.places import TESTS
from helpers.snapshots import online, qpigs
from mppdbus.model.battery.state_of_charge import Charge
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import SystemView, Unit, UnitView
from mppdbus.venus.dbus.items import ItemType, Value
from mppdbus.venus.tables.battery import (
    BATTERY,
    BATTERY_NAME,
    LOW_SOC_ALARM,
    PRODUCT_NAME,
)
from mppdbus.venus.tables.cards import CHARGE_CONTROL, CORRECTION
from mppdbus.venus.tables.row import values_of

PATHS = TESTS / "data" / "venus_paths.csv"
CHARGE = Charge(76.54, "estimated: so", 4.2, 0.916, 0.71, 600.0)


def unit(
    number: int, *, volts: float = 52.0, charge: int = 0, discharge: int = 0
) -> UnitView:
    snapshot = online(qpigs(volts=volts, charge=charge, discharge=discharge))
    return UnitView.of(Unit(f"u{number}", f"/dev/ttyUSB{number}", 288), snapshot)


def away(number: int) -> UnitView:
    return UnitView.of(Unit(f"u{number}", f"/dev/ttyUSB{number}", 288), Snapshot())


def values(*units: UnitView, charge: Charge = CHARGE) -> dict[str, Value]:
    return values_of(BATTERY, SystemView(units, charge=charge), 1)


THREE = (
    unit(1, volts=52.0, discharge=10),
    unit(2, volts=52.2, discharge=30),
    unit(3, volts=52.4, charge=5),
)


def test_voltage_is_a_mean_and_current_and_power_are_sums() -> None:
    found = values(*THREE)
    assert found["/Dc/0/Voltage"] == 52.2
    assert found["/Dc/0/Current"] == -35.0
    assert found["/Dc/0/Power"] == -520.0 - 1566.0 + 262.0
    assert found["/Connected"] == 1
    assert found["/Mgmt/Connection"] == "3 inverters"


def test_the_charge_is_that_of_the_system() -> None:
    found = values(*THREE)
    assert found["/Soc"] == 76.5
    assert found["/InstalledCapacity"] == 600.0
    assert found["/Capacity"] == 459.2
    assert found["/Mppdbus/Origin/Soc"] == "estimated: so"
    assert found["/Mppdbus/Soc/Margin"] == 4.2
    assert found["/Mppdbus/Soc/Confidence"] == 0.92
    assert found["/Mppdbus/Soc/Offset"] == 0.71
    unknown = values(*THREE, charge=Charge())
    assert unknown["/Soc"] is unknown["/Capacity"] is None
    assert unknown["/InstalledCapacity"] is None
    guessed = values(*THREE, charge=Charge(50.0))
    assert guessed["/Soc"] == 50.0
    assert guessed["/Capacity"] is None


def test_a_unit_that_is_away_does_not_count() -> None:
    found = values(THREE[0], away(2))
    assert (found["/Connected"], found["/Dc/0/Current"]) == (1, -10.0)
    none = values(away(1), away(2))
    assert none["/Connected"] == 0
    assert none["/Dc/0/Voltage"] is None
    assert none["/Dc/0/Current"] is None
    assert none["/Dc/0/Power"] is None


def test_a_unit_that_does_not_know_its_current_makes_the_sum_unknown() -> None:
    snapshot = THREE[0].snapshot
    assert snapshot.status is not None
    status = snapshot.status.model_copy(update={"battery_discharge_current": None})
    mute = UnitView.of(THREE[0].unit, replace(snapshot, status=status))
    found = values(mute, THREE[1])
    assert found["/Dc/0/Voltage"] == 52.1
    assert found["/Dc/0/Current"] is found["/Dc/0/Power"] is None


def test_a_unit_without_a_battery_is_left_out() -> None:
    bare = replace(unit(2, volts=1.0).snapshot, battery_fitted=False)
    found = values(THREE[0], UnitView.of(THREE[0].unit, bare))
    assert found["/Dc/0/Voltage"] == 52.0
    assert found["/Dc/0/Current"] == -10.0


def test_every_path_that_must_or_should_be_there_is_and_of_its_type() -> None:
    table = csv.DictReader(PATHS.read_text().splitlines())
    rows = [row for row in table if row["service"] == "battery"]
    assert rows, "the table has no battery"
    ours = {row.path: row.kind for row in BATTERY}
    wanted = {r["path"] for r in rows if r["need"].startswith(("MUST", "SHOULD"))}
    assert wanted - set(ours) == set()
    kinds = {"i": {ItemType.INT}, "d": {ItemType.DOUBLE}, "s": {ItemType.TEXT}}
    for row in rows:
        if row["path"] in ours:
            letters = re.findall(r"\b[ids]\b", row["type"])
            allowed = set().union(*(kinds[letter] for letter in letters))
            assert ours[row["path"]] in allowed, row["path"]
    known = {row["path"] for row in rows}
    slider = {row.path for row in CHARGE_CONTROL}  # any service may have one
    extra = {path for path in ours if not path.startswith("/Mppdbus/")} - known
    assert extra - slider == set()


def test_nothing_makes_it_look_like_a_bms_or_doubles_an_alarm() -> None:
    for row in BATTERY:
        if row.path == LOW_SOC_ALARM:  # no inverter of a set raises it
            continue
        assert not re.match(r"/(Info|Alarms|Io)/|/Dc/0/Temp|/ErrorCode", row.path)


def test_every_value_is_of_the_type_of_its_path() -> None:
    types = {ItemType.INT: int, ItemType.DOUBLE: float, ItemType.TEXT: str}
    kinds = {row.path: row.kind for row in BATTERY}
    assert len(kinds) == len(BATTERY)
    for path, value in values(*THREE).items():
        assert value is None or type(value) is types[kinds[path]], path


async def test_it_reads_on_a_bus_as_victrons_do(bus_address: str) -> None:
    items = [row.item(1) for row in BATTERY]
    async with serving(bus_address, items, name=BATTERY_NAME) as (service, client):
        service.update(values(*THREE))
        shown = await client.get_items()
    texts = {path: row["Text"] for path, row in shown.items()}
    assert texts["/Soc"] == "76 %"
    assert texts["/Dc/0/Voltage"] == "52.20 V"
    assert texts["/Dc/0/Current"] == "-35.0 A"
    assert texts["/Dc/0/Power"] == "-1824 W"
    assert texts["/ProductName"] == PRODUCT_NAME
    assert (shown["/Soc"]["Min"], shown["/Soc"]["Max"]) == (0.0, 100.0)


def test_name_and_charge_can_be_written_and_nothing_else() -> None:
    writable = {row.path for row in BATTERY if row.write is not None}
    assert writable == {"/CustomName", "/Soc", CORRECTION}
