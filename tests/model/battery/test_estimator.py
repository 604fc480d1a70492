"""What the estimator makes of single events; the simulated weeks are elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.soc_bench import HOUR, LEAD, LFP, Bench
from mppdbus.errors import ConfigError
from mppdbus.model.battery.battery_filter import OFFSET, SIZE
from mppdbus.model.battery.current_meter import TYPICAL_EFFICIENCY, total_losses
from mppdbus.model.kalman_filter import upper_triangle
from mppdbus.model.power import Losses
from mppdbus.model.victron_codes import State


def test_before_the_first_reading_nothing_is_known() -> None:
    bench = Bench()
    bench.hold(None, None, 60)
    bench.hold(52.0, None, 60)
    bench.hold(1.0, 0, 60)  # no battery at the terminals
    assert bench.soc.soc is None
    assert bench.soc.margin is None
    assert bench.soc.state is None
    assert bench.soc.current is None
    assert bench.soc.confidence == 0
    assert "Not known" in bench.soc.why


def test_amperes_are_counted() -> None:
    bench = Bench(soc=50.0)
    bench.hold(52.5, -20, HOUR)
    assert bench.value == pytest.approx(40.0, abs=0.1)
    bench.hold(53.5, 20, HOUR)
    assert bench.value == pytest.approx(49.9, abs=0.2)


def test_what_goes_into_lead_does_not_come_out_whole() -> None:
    bench = Bench(LEAD, soc=50.0)
    bench.hold(51.0, 20, HOUR)
    assert bench.value == pytest.approx(50 + 10 * 0.95, abs=0.1)
    known = Bench(replace(LEAD, efficiency=0.8), soc=50.0)
    known.hold(51.0, 20, HOUR)
    assert known.value == pytest.approx(58.0, abs=0.1)


def test_little_current_at_bulk_voltage_is_full() -> None:
    bench = Bench(soc=80.0)
    bench.hold(56.4, 12, 600)  # still takes a lot
    assert not bench.soc.full
    bench.hold(56.4, 4, 300)
    assert bench.soc.full
    assert bench.value == 100
    assert bench.margin < 4
    assert bench.soc.why.startswith("Full")


def test_a_cloud_is_no_full_battery() -> None:
    bench = Bench(soc=80.0)
    for _ in range(20):
        bench.hold(56.4, 40, 120)
        bench.hold(54.8, 3, 240)  # the voltage falls with the current
    assert not bench.soc.full
    assert bench.value < 100.5


def test_float_counts_only_at_float_voltage() -> None:
    early = Bench(soc=70.0)
    early.hold(52.9, 4, HOUR, stage=State.FLOAT)  # a firmware that floats too early
    assert not early.soc.full
    bench = Bench(soc=90.0)
    bench.hold(54.0, 2, HOUR, stage=State.BULK)
    assert not bench.soc.full
    bench.hold(54.0, 2, HOUR, stage=State.FLOAT)
    assert bench.soc.full
    assert bench.value > 98


def test_a_bulk_voltage_for_less_than_full_does_not_make_it_full() -> None:
    bench = Bench(replace(LFP, bulk_v=53.5, cells=16), soc=70.0)
    bench.hold(53.5, 4, HOUR)
    assert 85 < bench.value < 98


def test_full_teaches_the_offset_of_the_sensor() -> None:
    bench = Bench(soc=90.0)
    bench.hold(56.4, 4, 600)
    bench.hold(53.0, 1, 20 * HOUR)  # counts 10 % that are not there
    bench.hold(56.4, 5, 600)
    assert bench.soc.offset == pytest.approx(1.0, abs=0.3)
    assert bench.value == 100
    assert "too high" in _later(bench)


def test_an_idle_full_battery_shows_the_offset_once_its_tail_is_over() -> None:
    for amps in (1, -1):
        bench = Bench(soc=90.0)
        bench.hold(54.0, amps, HOUR, stage=State.FLOAT)
        assert abs(bench.soc.offset) < 0.1
        bench.hold(54.0, amps, HOUR / 2, stage=State.FLOAT)
        assert bench.soc.offset == pytest.approx(amps, abs=0.3)


def test_a_zero_while_floating_proves_nothing_since_it_may_hide_a_discharge() -> None:
    shown, silent = Bench(soc=90.0), Bench(soc=90.0)
    before = offset_variance(silent)
    shown.hold(54.0, 1, 2 * HOUR, stage=State.FLOAT)
    silent.hold(54.0, 0, 2 * HOUR, stage=State.FLOAT)
    assert offset_variance(silent) == before
    assert offset_variance(shown) < before / 3


def test_a_lesson_of_long_ago_is_trusted_less() -> None:
    bench = Bench(soc=90.0)
    bench.hold(54.0, 1, 2 * HOUR, stage=State.FLOAT)
    learned = offset_variance(bench)
    bench.hold(53.4, 0, 30 * 24 * HOUR, mode="L", step=140.0)
    assert offset_variance(bench) > learned + 0.08


def offset_variance(bench: Bench) -> float:
    state = bench.soc.state
    assert state is not None
    return state.covariance[upper_triangle(SIZE).index((OFFSET, OFFSET))]


def _later(bench: Bench) -> str:
    bench.hold(52.9, -5, HOUR)
    return bench.soc.why


def test_a_small_load_that_reads_no_current_is_counted_by_the_balance() -> None:
    bench = Bench(soc=90.0)
    bench.hold(52.8, 0, 10 * HOUR, load=60, pv=0, mode="B")
    used = (60 / TYPICAL_EFFICIENCY + 43.2) / 52.8 * 10
    assert 90 - bench.value == pytest.approx(used / 2, rel=0.15)
    assert bench.soc.current == pytest.approx(-used / 10, rel=0.15)


def test_on_mains_a_zero_is_a_zero() -> None:
    bench = Bench(soc=90.0)
    bench.hold(53.2, 0, 10 * HOUR, load=60, pv=0, mode="L")
    assert bench.value == 90
    assert bench.soc.current == 0


def test_a_large_load_and_a_dead_meter_do_not_run_away() -> None:
    bench = Bench(soc=90.0)
    bench.hold(52.8, 0, HOUR, load=3000, pv=0, mode="B")
    assert bench.value > 88  # no more than what a 0 can hide


def test_the_balance_tells_what_whole_amperes_hide() -> None:
    plain, wise = Bench(soc=90.0), Bench(soc=90.0)
    plain.hold(52.8, -3, 10 * HOUR)
    losses = Losses(own_w=43.2, known=True, own_sigma=5.0)
    # 3.4 A with what the inverter takes for itself
    wise.hold(52.8, -3, 10 * HOUR, load=136, pv=0, mode="B", losses=losses)
    assert 90 - plain.value == pytest.approx(15.0, abs=0.1)
    assert 90 - wise.value == pytest.approx(17.0, abs=0.8)


def test_own_consumption_that_is_not_typical_is_an_offset_of_the_meter() -> None:
    for amps in (1.0, -1.0):
        bench = Bench(soc=90.0)
        losses = Losses(own_w=43.2 - 52.8 * amps, known=True, own_sigma=5.0)
        bench.hold(52.8, -10, HOUR, load=400, pv=0, mode="B", losses=losses)
        assert bench.soc.offset == pytest.approx(amps, abs=0.35)


def test_while_no_losses_are_learned_the_balance_still_shows_a_large_offset() -> None:
    for amps in (1.0, -1.0):
        bench = Bench(soc=30.0)
        shown = round((1000 - 43 - 25) / 53 + amps)  # own consumption, hidden load
        bench.hold(53.0, shown, HOUR, load=0.0, pv=1000.0, mode="B")
        assert abs(bench.soc.offset) > 0.25
        assert bench.soc.offset * amps > 0


def test_the_losses_of_units_add_up_once_all_are_learned() -> None:
    one, other = Losses(40.0, 0.9, own_sigma=5.0), Losses(60.0, 0.94, own_sigma=7.0)
    both = total_losses([one, other])
    assert both is not None
    assert (both.own_w, both.own_sigma, both.known) == (100.0, 12.0, True)
    assert both.efficiency == pytest.approx(0.92)
    assert total_losses([one, Losses()]) is None
    assert total_losses([]) is None


def test_a_short_silence_is_bridged_and_a_long_one_is_not() -> None:
    bench = Bench(soc=80.0)
    bench.hold(52.8, -20, 60)
    before = bench.margin
    bench.now += 600
    bench.hold(52.8, -20, 10)
    assert bench.value == pytest.approx(80 - 20 * 670 / 36 / 200, abs=0.2)
    assert bench.margin > before
    bench.now += 5 * HOUR
    bench.hold(52.8, -20, 10)
    assert bench.value > 70
    assert bench.margin > 30
    assert "not seen" in bench.soc.why


def test_the_margin_grows_while_nothing_is_read() -> None:
    bench = Bench(soc=80.0)
    bench.hold(52.8, -20, 60)
    bench.hold(None, None, 4 * HOUR)
    assert bench.margin > 30
    assert bench.soc.current is None
    assert bench.soc.soc is not None


def test_the_user_is_believed() -> None:
    bench = Bench(LEAD)
    bench.hold(49.3, -2, 60)
    bench.soc.correct(67.0)
    assert bench.value == 67.0
    assert bench.margin <= 5
    bench.hold(49.3, -2, HOUR)
    assert bench.value == pytest.approx(66.0, abs=0.3)
    assert "set by hand" in bench.soc.why


def test_the_user_overrules_a_full_battery_until_the_next_charge() -> None:
    bench = Bench(soc=80.0)
    bench.hold(56.4, 4, 600)
    bench.soc.correct(60.0)
    bench.hold(56.4, 4, 600)
    assert bench.value < 65
    bench.hold(53.0, -10, HOUR)
    bench.hold(56.4, 4, 600)
    assert bench.value == 100


@pytest.mark.parametrize("soc", [-0.1, 100.1, float("nan"), float("inf")])
def test_nonsense_of_the_user_is_refused(soc: float) -> None:
    bench = Bench(soc=50.0)
    with pytest.raises(ConfigError, match="0 to 100"):
        bench.soc.correct(soc)
    assert bench.value == 50.0


def test_a_clock_that_goes_backwards_is_refused() -> None:
    bench = Bench(soc=50.0)
    bench.hold(52.8, -20, 60)
    before = bench.value
    with pytest.raises(ValueError, match="backwards"):
        bench.soc.feed(52.8, -20, bench.now - 1)
    with pytest.raises(ValueError, match="no time"):
        bench.soc.feed(52.8, -20, float("nan"))
    assert bench.value == before


def test_other_settings_of_the_charger_are_taken_up() -> None:
    bench = Bench(soc=80.0)
    bench.soc.use(replace(LFP, bulk_v=57.6, cells=16))
    bench.hold(56.4, 4, 600)
    assert not bench.soc.full
    bench.hold(57.6, 4, 600)
    assert bench.soc.full
