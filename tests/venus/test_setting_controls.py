"""The controls of the GUI: on every personality, what they offer may be written."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from helpers.fast_time import run_fast
from helpers.line import linked
from helpers.personalities import ALL
from mppdbus.control.settings import QUERIES, ShownSetting, settings_of
from mppdbus.control.write_check import ControlLevel, Permission, plan_write, why_locked
from mppdbus.errors import NotWritten
from mppdbus.inverter.detection import Interview
from mppdbus.protocol.identification import Identification
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.profiles import PROFILES
from mppdbus.venus.dbus.items import Item
from mppdbus.venus.setting_controls import gui_controls
from mppdbus.venus.tables.cards import NUMERIC
from mppdbus.venus.tables.gui_controls import (
    DROP_DOWN,
    QUIET,
    TOGGLE,
    GuiControl,
    items_of,
)

NAMING = ("QPI", "QMN", "QGMN", "QVFW", "QPIWS")
Known = tuple[list[ShownSetting], Identification]


def known(profile: UnitProfile) -> Known:
    """Return all that a unit tells of its settings, and what it is."""

    async def ask() -> Known:
        interview = Interview(linked(simulate(profile)))
        for query in (*NAMING, *QUERIES):
            await interview.try_read(query, attempts=2)
        found = interview.answers.identification
        return settings_of(interview.answers.readings, found), found

    return run_fast(ask())


def offered(unit: Known, level: ControlLevel) -> list[GuiControl]:
    """Return the controls at a level, as the daemon makes them."""
    settings, found = unit
    permission = Permission(level, confirmed=True)
    free = [s for s in settings if not why_locked(settings, found, s, permission)]
    return gui_controls(free)


def accepted(unit: Known, name: str, value: float, level: ControlLevel) -> bool:
    settings, found = unit
    try:
        plan_write(settings, found, name, value, Permission(level, confirmed=True))
    except NotWritten as error:
        # The order of the voltages changes with each of them.
        return "must be" in str(error)
    return True


def controls(profile: UnitProfile, level: ControlLevel) -> dict[str, GuiControl]:
    unit = known(profile)
    made = offered(unit, level)
    return {each.setting: each for each in made}


@pytest.mark.parametrize("profile", ALL, ids=lambda profile: profile.name)
def test_what_a_control_offers_may_be_written(profile: UnitProfile) -> None:
    unit = known(profile)
    now = {each.name: each.value for each in unit[0]}
    for level in (ControlLevel.SAFE, ControlLevel.FULL):
        for control in offered(unit, level):
            assert control.value == now[control.setting]
            assert control.wanted(control.position) == control.value
            assert len(control.labels) == len(set(control.labels))
            for value in {*control.choices, control.least, control.most}:
                if value is not None and value != control.value:
                    assert accepted(unit, control.setting, value, level), control
            checked(items_of(control), control.values())


def checked(items: list[Item], values: Mapping[str, object]) -> None:
    """Hold that each path has an item of its type."""
    by_path = {item.path: item for item in items}
    for path, value in values.items():
        if value is not None:
            by_path[path].checked(value)


def test_read_only_has_no_controls() -> None:
    for profile in ALL:
        assert controls(profile, ControlLevel.READ_ONLY) == {}


def test_each_level_has_its_kinds_of_control() -> None:
    safe = controls(PROFILES["king-5000"], ControlLevel.SAFE)
    kinds = {name: control.kind for name, control in safe.items()}
    assert kinds["output_source_priority"] == DROP_DOWN
    assert kinds["max_charging_current"] == DROP_DOWN
    assert kinds["buzzer"] == TOGGLE
    assert not [n for n in kinds if n.endswith(("voltage", "type", "to_grid"))]
    full = controls(PROFILES["king-5000"], ControlLevel.FULL)
    assert full.keys() > safe.keys()
    assert full["battery_type"].kind == DROP_DOWN
    bulk = full["battery_bulk_voltage"]
    assert (bulk.kind, bulk.step, bulk.unit) == (NUMERIC, 0.1, "V")
    assert bulk.values()["/SwitchableOutput/BatteryBulkVoltage/Settings/Decimals"] == 1
    back = full["battery_redischarge_voltage"]  # 0 V is "when full"
    assert (back.kind, back.labels[:2]) == (DROP_DOWN, ("0 V", "48 V"))


def test_a_number_waits_until_it_is_held_no_longer() -> None:
    full = controls(PROFILES["king-5000"], ControlLevel.FULL)
    for control in full.values():
        written = {item.path: item for item in items_of(control)}.get(control.path)
        quiet = written.quiet if written else 0.0
        assert quiet == (QUIET if control.kind == NUMERIC else 0.0)


@pytest.mark.parametrize("written", [-1.0, 0.5, 3.0, 99.0, None, "SBU", [1]])
def test_what_is_no_place_in_the_list_means_nothing(written: object) -> None:
    control = GuiControl("output_source_priority", 0, DROP_DOWN, (0, 1, 2))
    assert control.wanted(written) is None  # type: ignore[arg-type]
    assert control.wanted(2.0) == 2
