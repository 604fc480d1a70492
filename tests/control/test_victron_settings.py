"""Victron's own controls as settings: what is promised can be held."""

from __future__ import annotations

import pytest

from mppdbus.control.journal import WrittenSetting
from mppdbus.control.settings import Allowed, ShownSetting
from mppdbus.control.victron_settings import (
    BY_MODE,
    CHARGER,
    CURRENT,
    OUTPUT,
    SBU,
    WITHOUT_MAINS,
    ess_mode,
    ess_wanted,
    inverter_only,
    limit_wanted,
    mode_wanted,
)
from mppdbus.errors import NotWritten
from mppdbus.protocol.dialects import FAMILIES
from mppdbus.protocol.settings.meanings import BY_NAME

OUTPUTS = {0: "Utility first", 1: "Solar first", 2: SBU}
CHARGERS = {1: "Solar first", 2: "Solar and utility", 3: "Only solar"}


def unit(output: float | None, charger: float | None) -> list[ShownSetting]:
    """Return the priorities of a unit of which the meaning of the codes is proven."""
    return [
        ShownSetting(BY_NAME[OUTPUT], output, names=OUTPUTS),
        ShownSetting(BY_NAME[CHARGER], charger, names=CHARGERS),
    ]


def write(name: str, old: float, value: float, by: str = BY_MODE) -> WrittenSetting:
    return WrittenSetting(
        "", "u", "", "", name, "", old, value, f"somebody, {by}", observed=value
    )


def test_inverter_only_is_sbu_and_a_battery_that_only_the_sun_charges() -> None:
    wanted = mode_wanted(2, unit(0, 2), [])
    assert list(wanted.items()) == [(CHARGER, "Only solar"), (OUTPUT, SBU)]
    assert inverter_only(unit(2, 3))
    assert not inverter_only(unit(2, 2))
    assert not inverter_only(unit(0, 3))


def test_every_proven_charger_priority_has_one_without_the_mains() -> None:
    names = {
        name
        for family in FAMILIES.values()
        for name in family.dialect.charger_priorities.values()
    }
    assert names <= WITHOUT_MAINS.keys()
    for family in FAMILIES.values():
        there = set(family.dialect.charger_priorities.values())
        assert {WITHOUT_MAINS[name] for name in there} <= there, family.dialect.name


def test_on_brings_back_what_the_switch_has_changed() -> None:
    writes = [write(CHARGER, 2, 3), write(OUTPUT, 1, 2)]
    assert mode_wanted(3, unit(2, 3), writes) == {OUTPUT: 1, CHARGER: 2}
    assert mode_wanted(3, unit(0, 2), writes) == {}  # it is on


def test_on_leaves_what_somebody_has_changed_since() -> None:
    writes = [write(CHARGER, 2, 3), write(OUTPUT, 0, 2), write(OUTPUT, 0, 2, "a user")]
    assert mode_wanted(3, unit(2, 3), writes) == {CHARGER: 2}


def test_on_is_refused_when_nobody_knows_what_it_was_before() -> None:
    by_hand = [write(CHARGER, 2, 3, "a user"), write(OUTPUT, 0, 2, "a user")]
    for writes in ([], by_hand):
        with pytest.raises(NotWritten, match="what they were before"):
            mode_wanted(3, unit(2, 3), writes)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        (1, "inverts by itself as soon as the mains fail"),
        (4, "no command to switch it off"),
        (251, "nothing like it"),
        (7, "nothing like it"),
    ],
)
def test_what_cannot_be_held_is_refused(mode: int, why: str) -> None:
    with pytest.raises(NotWritten, match=why):
        mode_wanted(mode, unit(0, 2), [])


def test_codes_without_a_proven_meaning_are_no_mode() -> None:
    strange = [ShownSetting(BY_NAME[name], 2) for name in (OUTPUT, CHARGER)]
    for settings in (strange, unit(None, 2), unit(9, 2), []):
        assert not inverter_only(settings)
        with pytest.raises(NotWritten, match="not proven"):
            mode_wanted(2, settings, [])


def test_the_ess_page_shows_who_feeds_the_loads_and_never_what_starts_schedules() -> (
    None
):
    assert [ess_mode(unit(code, 2)) for code in (0, 1, 2, 9, None)] == [
        *(2, 3, 3, None, None)
    ]


def test_the_ess_page_chooses_the_output_priority() -> None:
    assert ess_wanted(2, unit(2, 2)) == {OUTPUT: "Utility first"}
    assert ess_wanted(1, unit(0, 2)) == {OUTPUT: SBU}
    assert ess_wanted(3, unit(1, 2)) == {}
    for mode in (0, 3):
        with pytest.raises(NotWritten, match="ESS mode"):
            ess_wanted(mode, unit(0, 2))


def test_a_limit_of_the_charge_current_is_never_exceeded() -> None:
    amps = [ShownSetting(BY_NAME[CURRENT], 60, "A", {}, Allowed((10, 20, 30, 60)))]
    wanted = {limit: limit_wanted(limit, amps)[CURRENT] for limit in (10, 19.9, 45, 99)}
    assert wanted == {10: 10, 19.9: 10, 45: 30, 99: 60}
    for limit in (0.0, 9.9):
        with pytest.raises(NotWritten, match="below the least of this inverter, 10 A"):
            limit_wanted(limit, amps)
    with pytest.raises(NotWritten, match="does not tell"):
        limit_wanted(20, [ShownSetting(BY_NAME[CURRENT], 60)])
