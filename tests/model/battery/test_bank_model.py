"""What a bank takes its battery to be: by the user, by the inverter's settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.bank import AWAY, RATINGS, bank, hold, margin, percent, seen, settings
from mppdbus.model.battery import settings_guess as guess
from mppdbus.model.battery.bank import (
    NO_ANSWER,
    NO_BATTERY,
    NO_SETTINGS,
    Bank,
    BankSettings,
)
from mppdbus.model.battery.chemistries import Chemistry
from mppdbus.model.battery.state_of_charge import INVERTERS_WORD, own_charge
from mppdbus.model.victron_codes import State
from mppdbus.protocol.replies.settings import Ratings

HOUR = 3600.0


def test_before_the_settings_of_a_unit_are_read_its_own_percent_stands_in() -> None:
    """systemcalc looks for a battery but once, when a name appears."""
    found = Bank(BankSettings())
    assert found.charge.origin == NO_ANSWER
    snapshot, flow = seen(52.8, -10)
    found.feed([(replace(snapshot, ratings=None), flow)], 1.0)
    assert found.charge.percent == own_charge(snapshot).percent
    assert found.charge.origin.startswith(INVERTERS_WORD)
    assert found.charge.margin is None
    assert found.state is None
    assert not found.correct(50.0)
    found.feed([(snapshot, flow)], 2.0)
    assert found.charge.margin is not None


def test_before_the_settings_are_read_what_was_kept_stands_in() -> None:
    earlier = Bank(BankSettings(capacity_ah=200.0))
    snapshot, flow = seen(52.8, -10)
    earlier.feed([(snapshot, flow)], 1.0)
    assert earlier.correct(37.0)
    earlier.feed([(snapshot, flow)], 2.0)
    found = Bank(BankSettings(capacity_ah=200.0), earlier.state, 5.0)
    found.feed([(replace(snapshot, ratings=None), flow)], 1.0)
    assert found.charge.percent == pytest.approx(37.0, abs=0.1)
    found.feed([(snapshot, flow)], 2.0)
    assert found.charge.percent == pytest.approx(37.0, abs=0.2)


def test_what_was_not_configured_is_said() -> None:
    found = Bank(BankSettings())
    found.feed([seen(52.0, -10)], 0.0)
    assert "capacity not configured, taken as 240 Ah" in found.charge.origin
    assert "chemistry not configured, taken as lead-agm" in found.charge.origin
    assert found.charge.capacity is None
    said = Bank(settings("lithium-lfp", 1))
    said.feed([seen(52.0, -10)], 0.0)
    assert "configured" not in said.charge.origin
    assert said.charge.capacity == 200.0


def test_a_guessed_capacity_is_not_trusted() -> None:
    known, guessed = bank(), Bank(BankSettings(chemistry="lithium-lfp"))
    guessed.feed([seen(52.8, 0)], 0.0)
    guessed.correct(50.0)
    for found in (known, guessed):
        hold(found, [seen(52.6, -30)], 0.0, HOUR)
    assert margin(guessed) > margin(known) + 10


def test_changed_settings_of_the_charger_count_at_once() -> None:
    """At 55.2 V and little current it is full only where bulk ends at 55.2 V."""
    found = bank()
    now = hold(found, [seen(55.2, 2, stage=State.BULK)], 0.0, 900.0)
    assert percent(found) < 60
    snapshot, flow = seen(55.2, 2, stage=State.BULK)
    lower = RATINGS.model_copy(update={"battery_bulk_voltage": 55.2})
    hold(found, [(replace(snapshot, ratings=lower), flow)], now, 900.0)
    assert percent(found) > 95


def test_another_chemistry_keeps_the_charge() -> None:
    found = Bank(BankSettings(capacity_ah=200.0))
    snapshot, flow = seen(50.0, 0)
    found.feed([(snapshot, flow)], 0.0)
    found.correct(64.0)
    flooded = RATINGS.model_copy(update={"battery_type": 1})
    found.feed([(replace(snapshot, ratings=flooded), flow)], 10.0)
    assert "lead-flooded" in found.charge.origin
    assert percent(found) == pytest.approx(64.0, abs=0.1)


def test_settings_of_a_later_unit_do_not_replace_those_of_the_first() -> None:
    first, (snapshot, flow) = seen(55.2, 2, stage=State.BULK), seen(55.2, 2)
    lower = RATINGS.model_copy(update={"battery_bulk_voltage": 55.2})
    found = bank(2)
    hold(found, [AWAY, (replace(snapshot, ratings=lower), flow)], 0.0, 900.0)
    hold(found, [first, (replace(snapshot, ratings=lower), flow)], 900.0, 900.0)
    assert percent(found) < 60


def test_a_battery_that_no_model_fits_is_a_reason_and_no_crash() -> None:
    for wrong in (
        BankSettings(capacity_ah=0.5),
        BankSettings(cells=-1),
        BankSettings(chemistry="potato"),
    ):
        found = Bank(wrong)
        found.feed([seen(52.0, -10)], 0.0)
        assert found.charge.percent is None
        assert found.charge.origin.startswith("unknown: ")
        assert found.charge.origin != NO_SETTINGS


def test_a_unit_without_a_battery_does_not_count() -> None:
    found = bank(2)
    hold(found, [seen(52.0, -40), seen(1.0, 0, fitted=False)], 0.0, HOUR)
    assert percent(found) == pytest.approx(40.0, abs=1.5)
    found.feed([seen(1.0, 0, fitted=False)] * 2, HOUR + 40)
    assert found.charge.percent is None
    assert found.charge.origin == NO_BATTERY


def _ratings(**changes: float | None) -> Ratings:
    return RATINGS.model_copy(update=changes)


USER = 2
LITHIUM, LEAD = Chemistry.LFP, Chemistry.AGM


@pytest.mark.parametrize(
    ("changes", "dialect", "kind"),
    [
        ({"battery_type": 0}, "pi30", LEAD),
        ({"battery_type": 1}, "pi30", Chemistry.FLOODED),
        ({"battery_type": 3}, "pi30max", LITHIUM),  # Pylontech
        ({"battery_type": 3}, None, LEAD),  # nobody knows what 3 is: by its voltages
        ({"battery_type": None}, "pi30", LEAD),
        ({"battery_type": USER}, "pi30", LEAD),
        (
            {
                "battery_type": USER,
                "battery_bulk_voltage": 53.2,
                "battery_float_voltage": 52.5,
            },
            "pi30",
            LITHIUM,
        ),
        ({"battery_type": USER, "battery_float_voltage": 56.0}, "pi30", LITHIUM),
        ({"battery_type": USER, "battery_under_voltage": 47.0}, "pi30", LITHIUM),
        (
            {
                "battery_type": USER,
                "battery_bulk_voltage": None,
                "battery_float_voltage": None,
                "battery_under_voltage": None,
            },
            "pi30",
            LEAD,
        ),
    ],
)
def test_the_chemistry_is_guessed_by_type_and_voltages(
    changes: dict[str, float | None], dialect: str | None, kind: Chemistry
) -> None:
    assert guess.chemistry(_ratings(**changes), dialect, 48.0) is kind


def test_the_nominal_voltage_is_guessed_where_the_unit_does_not_say() -> None:
    assert guess.nominal_voltage(_ratings()) == 48.0
    silent = _ratings(battery_rating_voltage=None)
    assert guess.nominal_voltage(silent) == 48.0
    small = _ratings(battery_rating_voltage=0.0, battery_float_voltage=27.4)
    assert guess.nominal_voltage(small) == 24.0
    mute = _ratings(battery_rating_voltage=None, battery_float_voltage=None)
    assert guess.nominal_voltage(mute) is None


def test_the_capacity_is_guessed_by_the_charge_current() -> None:
    assert guess.capacity(_ratings(), "lithium-lfp", 1) == 120
    assert guess.capacity(_ratings(), "lead-agm", 3) == 720
    assert guess.capacity(_ratings(max_charging_current=None), "lead-agm", 1) == 200
    assert guess.capacity(_ratings(max_charging_current=2), "lead-agm", 1) == 50
