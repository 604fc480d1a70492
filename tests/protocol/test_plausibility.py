"""What no inverter can have measured is unknown, and only that."""

from __future__ import annotations

import pytest

from helpers.frames import BY_ID, devices, evidence
from mppdbus.errors import MppdbusError
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.identification import Identification, identify
from mppdbus.protocol.plausibility import Plausibility, Remark
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.protocol.replies.status import GeneralStatus

BATTERY = {
    "battery_voltage",
    "battery_charging_current",
    "battery_discharge_current",
    "battery_capacity",
}


def unit(dialect: str, nominal: int | None = 48) -> Identification:
    return Identification(DIALECTS[dialect], 1.0, (), "", nominal)


def status(frame: str = "f0448", **changes: object) -> GeneralStatus:
    reading = BY_ID[frame].decode()
    assert isinstance(reading, GeneralStatus)
    return reading.model_copy(update=changes)


def with_(field: str, value: float) -> GeneralStatus:
    return status().model_copy(update={field: value})


def ratings(frame: str, **changes: object) -> Ratings:
    reading = BY_ID[frame].decode()
    assert isinstance(reading, Ratings)
    return reading.model_copy(update=changes)


def gone(before: Reading, after: Reading) -> set[str]:
    return {
        name
        for name, value in before.model_dump().items()
        if value is not None and getattr(after, name) is None
    }


def check(
    reading: Reading, dialect: str = "pi30max", nominal: int | None = 48
) -> tuple[set[str], list[Remark]]:
    after, remarks = Plausibility(unit(dialect, nominal)).check(reading, 0.0)
    for name, value in after.model_dump().items():
        assert value is None or value == getattr(reading, name), "never another value"
    return gone(reading, after), remarks


# -- single fields ---------------------------------------------------------------


def test_a_sound_reading_passes_unchanged() -> None:
    reading = status()
    after, remarks = Plausibility(unit("pi30max")).check(reading, 0.0)
    assert after is reading
    assert remarks == []


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("grid_frequency", 70.1, "frequency"),
        ("ac_output_frequency", 99.9, "frequency"),
        ("grid_voltage", 300.1, "ac_voltage"),
        ("ac_output_voltage", 999.9, "ac_voltage"),
        ("bus_voltage", 999.0, "bus_voltage"),
        ("pv_input_voltage", 999.9, "pv_voltage"),
        ("load_percent", 301, "load_percent"),
        ("battery_capacity", 101, "percent"),
        ("heatsink_temperature", 422, "temperature"),
        ("ac_output_active_power", 99_999, "power"),
        ("battery_discharge_current", 65_535, "battery_current"),
    ],
)
def test_a_value_above_its_bound_is_unknown(
    field: str, value: float, code: str
) -> None:
    without, (remark,) = check(with_(field, value))
    assert without == {field}
    assert (remark.code, remark.field, remark.value) == (code, field, value)
    assert field in remark.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("grid_frequency", 65.0),
        ("grid_voltage", 285.0),
        ("load_percent", 250),
        ("battery_capacity", 100),
        ("heatsink_temperature", 105),
        ("grid_voltage", 0.0),
        ("pv_input_voltage", 480.0),
    ],
)
def test_a_value_at_the_edge_stays(field: str, value: float) -> None:
    assert check(with_(field, value)) == (set(), [])


def test_the_rating_tightens_the_bounds() -> None:
    filter_ = Plausibility(unit("pi30max"))
    filter_.check(ratings("f0447"), 0.0)  # 5500 VA, 230 V
    strong = status(ac_output_active_power=16_000, pv_charging_power=17_000)
    after, _ = filter_.check(strong, 1.0)
    assert gone(strong, after) == {"pv_charging_power"}


def test_a_rated_voltage_hides_no_measured_one() -> None:
    """A unit rated 120 V on record gives 229 V (f0134 beside f0137)."""
    filter_ = Plausibility(unit("pi30max"))
    filter_.check(ratings("f0419"), 2.0)  # 120 V
    high = status(grid_voltage=229.0, ac_output_voltage=229.0)
    after, _ = filter_.check(high, 3.0)
    assert gone(high, after) == set()


def test_in_a_family_of_raw_counts_no_temperature_is_one() -> None:
    cool = status(heatsink_temperature=120)
    assert check(cool, "pi30ms")[0] == {"heatsink_temperature"}
    assert check(cool, "pi30")[0] == set()


# -- the battery --------------------------------------------------------------------


@pytest.mark.parametrize("volts", [0.0, 0.1, 3.3])
def test_without_a_battery_nothing_is_known_of_it(volts: float) -> None:
    without, remarks = check(status(battery_voltage=volts))
    assert without == BATTERY
    assert {remark.code for remark in remarks} == {"no_battery"}


@pytest.mark.parametrize("volts", [6.7, 33.0, 65.0, 99.99])
def test_a_voltage_that_no_48_v_battery_has(volts: float) -> None:
    without, remarks = check(status(battery_voltage=volts))
    assert without == BATTERY
    code = "no_battery" if volts < 48 else "battery_voltage"
    assert {remark.code for remark in remarks} == {code}


def test_a_battery_is_gone_when_a_second_reading_says_so() -> None:
    checked = Plausibility(unit("pi30max", 48))
    codes = []
    for now, volts in enumerate((52.0, 12.8, 52.0, 12.8, 12.8)):
        _, remarks = checked.check(status(battery_voltage=volts), float(now))
        codes.append({remark.code for remark in remarks})
    low = {"battery_voltage"}
    assert codes == [set(), low, set(), low, {"no_battery"}]


@pytest.mark.parametrize(
    ("nominal", "volts"), [(12, 8.5), (12, 16.0), (24, 17.0), (24, 32.0), (48, 40.0)]
)
def test_a_low_or_full_battery_is_one(nominal: int, volts: float) -> None:
    assert check(status(battery_voltage=volts), nominal=nominal) == (set(), [])


def test_without_a_nominal_voltage_any_battery_will_do() -> None:
    assert check(status(battery_voltage=12.8), nominal=None)[0] == set()
    assert check(status(battery_voltage=6.7), nominal=None)[0] == BATTERY


def test_the_ratings_say_what_the_battery_is() -> None:
    filter_ = Plausibility()
    filter_.check(ratings("f0216"), 0.0)
    assert filter_.nominal_voltage == 24
    assert filter_.check(status(battery_voltage=53.2), 1.0)[0].battery_voltage is None


def volts_seen(filter_: Plausibility, series: list[float | None]) -> list[float | None]:
    return [
        filter_.check(status(battery_voltage=volts), 2.0 * n)[0].battery_voltage
        for n, volts in enumerate(series)
    ]


def test_a_jump_of_the_voltage_is_held_for_one_poll() -> None:
    filter_ = Plausibility(unit("pi30max"))
    seen = volts_seen(filter_, [52.0, 52.1, 36.0, 52.1, 52.0])
    assert seen == [52.0, 52.1, None, 52.1, 52.0]
    remarks = filter_.check(status(battery_voltage=36.0), 10.0)[1]
    assert [remark.code for remark in remarks] == ["battery_jump"] * 4  # its fields


def test_a_jump_that_stays_is_believed_at_the_second_poll() -> None:
    filter_ = Plausibility(unit("pi30max"))
    assert volts_seen(filter_, [52.0, 43.0, 43.2, 43.1]) == [52.0, None, 43.2, 43.1]


def test_after_a_long_silence_nothing_is_a_jump() -> None:
    filter_ = Plausibility(unit("pi30max"))
    filter_.check(status(battery_voltage=57.0), 0.0)
    after, remarks = filter_.check(status(battery_voltage=45.0), 61.0)
    assert (after.battery_voltage, remarks) == (45.0, [])


def test_units_of_a_parallel_set_are_not_compared_with_each_other() -> None:
    filter_ = Plausibility(unit("pi41"))
    one = BY_ID["f0413"].decode()
    other = one.model_copy(update={"serial": "2", "battery_voltage": 44.0})
    for now in range(3):
        assert filter_.check(one, float(now))[1] == []
        assert filter_.check(other, float(now))[1] == []


def test_a_load_or_pv_may_step_at_once() -> None:
    filter_ = Plausibility(unit("pi30max"))
    filter_.check(ratings("f0447"), 0.0)
    idle = status(ac_output_active_power=0, pv_charging_power=0, pv_input_current=0)
    full = status(ac_output_active_power=5000, pv_charging_power=5000)
    filter_.check(idle, 1.0)
    after, remarks = filter_.check(full, 2.0)
    assert (after.ac_output_active_power, after.pv_charging_power) == (5000, 5000)
    assert remarks == []


# -- several fields together -------------------------------------------------------


def test_a_unit_that_nothing_powers_cannot_answer() -> None:
    zeroed = GeneralStatus.from_payload(
        b"000.0 00.0 000.0 00.0 0000 0000 000 000 00.00 000 000 0000 00.0 000.0 "
        b"00.00 00000 00000000 00 00 00000 000"
    )
    after, remarks = Plausibility(unit("pi30max")).check(zeroed, 0.0)
    assert {"all_zero", "no_battery"} == {remark.code for remark in remarks}
    assert after.grid_voltage is None
    assert after.ac_output_active_power is None
    assert after.device_status == "00000000"


def test_standby_is_not_a_unit_that_nothing_powers() -> None:
    assert check(status("f0056"))[0] == BATTERY


@pytest.mark.parametrize(
    ("frame", "dialect", "reason"),
    [
        ("f0210", "pi30", "measured at the battery"),
        ("f0214", "pi30", "measured at the battery"),
        ("f0047", "pi30", "make no 1791 W"),
    ],
)
def test_pv_current_that_contradicts_the_power(
    frame: str, dialect: str, reason: str
) -> None:
    after, remarks = Plausibility(unit(dialect, None)).check(status(frame), 0.0)
    assert after.pv_input_current is None
    text = next(r.text for r in remarks if r.field == "pv_input_current")
    assert reason in text


@pytest.mark.parametrize("frame", ["f0068", "f0217", "f0180", "f0244", "f0134"])
def test_pv_current_that_makes_the_power_stays(frame: str) -> None:
    assert "pv_input_current" not in check(status(frame), "pi30", None)[0]


def test_a_family_with_a_proven_pv_current_is_believed() -> None:
    odd = status("f0210")
    assert "pv_input_current" not in check(odd, "pi30max", None)[0]


# -- ratings ---------------------------------------------------------------------


def test_set_points_of_12_v_blocks_on_a_24_v_unit_are_unknown() -> None:
    reading = ratings(
        "f0216",
        battery_recharge_voltage=11.0,
        battery_under_voltage=10.5,
        battery_bulk_voltage=14.1,
        battery_float_voltage=13.5,
        battery_redischarge_voltage=52.0,
    )
    without, remarks = check(reading)
    assert without == {
        "battery_recharge_voltage",
        "battery_under_voltage",
        "battery_bulk_voltage",
        "battery_float_voltage",
        "battery_redischarge_voltage",
    }
    assert {remark.code for remark in remarks} == {"set_point"}


def test_a_redischarge_voltage_of_zero_means_full() -> None:
    assert check(ratings("f0168"))[0] == set()


def test_a_cut_rating_is_unknown_and_does_not_bound_the_power() -> None:
    cut = decode("QPIRI", BY_ID["f0022"].payload)  # 0200 VA with 46.3 A
    filter_ = Plausibility(unit("pi30clone"))
    after, _ = filter_.check(cut, 0.0)
    assert gone(cut, after) == {
        "ac_output_rating_apparent_power",
        "ac_output_rating_active_power",
    }
    strong = status(ac_output_active_power=9000)
    assert filter_.check(strong, 1.0)[0].ac_output_active_power == 9000


def test_a_misprinted_current_is_unknown() -> None:
    reading = ratings("f0014")  # 01.3 A for 3000 VA
    assert check(reading, "pi30ms", 24)[0] == {
        "ac_output_rating_current",
        "grid_rating_current",
    }


def test_a_dash_is_remarked() -> None:
    _, remarks = check(ratings("f0014"), "pi30ms", 24)
    assert ("not_reported", "max_parallel_units") in [
        (remark.code, remark.field) for remark in remarks
    ]


# -- the recordings ----------------------------------------------------------------

EXPECTED_CODES = {
    "no_battery", "temperature", "pv_current", "rating", "not_reported",
}  # fmt: skip


@pytest.mark.parametrize("name", devices())
def test_real_readings_lose_only_what_is_known_to_be_wrong(name: str) -> None:
    frames = devices()[name]
    filter_ = Plausibility(identify(evidence(frames)))
    for number, frame in enumerate(frames):
        try:
            reading = frame.decode()
        except MppdbusError:
            continue
        after, remarks = filter_.check(reading, 1000.0 * number)
        assert {remark.code for remark in remarks} <= EXPECTED_CODES, frame.id
        removed = {r.field for r in remarks if r.value is not None}
        assert gone(reading, after) == removed
