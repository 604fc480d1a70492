"""Pure: a plant as PI30 replies, one function per reply, fields in wire order.

The layouts are repeated here on purpose: if the simulator used the driver's tables,
an error in them would stay unseen.
"""

from collections.abc import Mapping
from enum import StrEnum

from mppdbus.simulator.plant.battery import Phase
from mppdbus.simulator.plant.physics import (
    BATTERY_MODES,
    CHARGE_MODES,
    LINE_MODES,
    Plant,
)
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.settings import Settings

_AD_AT_0C, _AD_PER_C = 350.0, 5.5  # the true curve of the NTC is unknown


def mode_letter(plant: Plant, profile: UnitProfile) -> str:
    """QMOD"""
    if plant.mode == "C" and not profile.has_mode_c:
        return "S"
    return plant.mode


def qpigs(plant: Plant, profile: UnitProfile, *, changed: bool = False) -> str:
    """QPIGS, 17, 21, 24 or 25 fields; `changed` is the status bit of that name."""
    pv_v = plant.pv_v[0]
    pv_w = sum(plant.pv_w) if profile.pv_total else plant.pv_w[0]
    words = [
        *_mains(plant, profile),
        *output(plant),
        *load(plant, profile),
        "000" if plant.mode == "D" else "380",
        f"{plant.battery_v:05.2f}",
        f"{charge_amps(plant):03d}",
        f"{capacity(plant, profile):03d}",
        f"{_temperature(plant, profile):{profile.temperature_format}}",
        _pv_amps(plant, profile, pv_w),
        f"{pv_v:05.1f}",
        f"{plant.battery_v if profile.scc_volts else 0.0:05.2f}",
        _discharge(plant, profile),
        _status(plant, profile, changed=changed),
        *("00", profile.eeprom),
        f"{pv_w:05.0f}",
        _status2(plant, profile),
        *("0", f"{plant.settings.country:02d}", "0000"),
        f"{plant.flow.grid_w / grid_v(plant) if grid_v(plant) else 0.0:04.1f}",
    ]
    return " ".join(words[: profile.qpigs_fields])


def qpiri(plant: Plant, profile: UnitProfile) -> str:
    """QPIRI, 21 or 25 to 29 fields."""
    held, volts = plant.settings, profile.settings.output_v
    rating = f"{_down(plant.rated_va / volts):04.1f}"
    digits = profile.rating_digits
    words = [
        *(f"{volts:05.1f}", rating),
        *(f"{held.output_v:05.1f}", f"{held.output_hz:04.1f}", rating),
        f"{plant.rated_va:04.0f}"[-digits:],
        f"{plant.rated_w:04.0f}"[-digits:],
        f"{profile.battery_v:04.1f}",
        f"{held.recharge_v:04.1f}",
        f"{held.cutoff_v:04.1f}",
        f"{held.bulk_v:04.1f}",
        f"{held.float_v:04.1f}",
        f"{held.battery_type:0{profile.type_width}d}",
        f"{held.max_ac_charge_a:0{profile.ac_amps_width}d}",
        f"{held.max_charge_a:0{profile.charge_amps_width}d}",
        str(held.input_range),
        code_of(profile.output_codes, held.output_priority),
        code_of(profile.charger_codes, held.charger_priority),
        *(profile.max_parallel, profile.machine_type, profile.topology),
        f"{held.output_mode:0{profile.mode_width}d}",
        f"{held.redischarge_v:04.1f}",
        *(str(held.pv_ok_all), str(held.pv_balance)),
    ]
    words += profile.qpiri_tail or [
        f"{held.cv_minutes:03d}",
        str(held.operation_logic),
        f"{held.max_discharge_a:03d}",
        f"{held.bulk_v + 1.5:04.1f}",
    ]
    return " ".join(words[: profile.qpiri_fields])


def qpiws(plant: Plant, profile: UnitProfile) -> str:
    """QPIWS: bits from a0 on, and on newer units two digits of the fault code."""
    on = plant.warnings()
    if not profile.pv_loss_bit and 0 not in plant.forced_warnings:
        on.discard(0)
    if profile.weak_bit is not None and 12 in on:
        on.add(profile.weak_bit)
    bits = ["1" if bit in on else "0" for bit in range(profile.qpiws_length)]
    if (at := profile.fault_digits_at) is not None:
        bits[at : at + 2] = f"{plant.fault_code:02d}"
    return "".join(bits)


def qflag(plant: Plant, profile: UnitProfile) -> str:
    """QFLAG: enabled letters behind E, disabled ones behind D."""
    on = plant.settings.flags
    enabled = "".join(letter for letter in profile.flags if letter in on)
    disabled = "".join(letter for letter in profile.flags if letter not in on)
    return f"E{enabled}D{disabled}"


def qdi(profile: UnitProfile) -> str:
    """QDI: the factory's settings. A 0 at the buzzer means that it is on."""
    held, on = profile.settings, profile.settings.flags
    words = [
        *(f"{held.output_v:05.1f}", f"{held.output_hz:04.1f}"),
        f"{held.max_ac_charge_a:04d}",
        *(f"{held.cutoff_v:04.1f}", f"{held.float_v:04.1f}"),
        *(f"{held.bulk_v:04.1f}", f"{held.recharge_v:04.1f}"),
        f"{held.max_charge_a:02d}",
        str(held.input_range),
        code_of(profile.output_codes, held.output_priority),
        code_of(profile.charger_codes, held.charger_priority),
        "0",
        "0" if "a" in on else "1",
        *("1" if letter in on else "0" for letter in "juvxyzbk"),
        str(held.output_mode),
        f"{held.redischarge_v:04.1f}",
        *(str(held.pv_ok_all), str(held.pv_balance)),
    ]
    if profile.qdi_fields == 29:
        solar = f"{held.max_solar_charge_a:03d}"
        words += (str(held.charging_stage), "0", solar, cv_minutes(held, profile))
    else:
        cv = profile.qdi_cv or cv_minutes(held, profile)
        words += (cv, str(held.operation_logic))
    return " ".join(words[: profile.qdi_fields])


def cv_minutes(held: Settings, profile: UnitProfile) -> str:
    """Return the time at constant voltage, with this unit's word for "automatic"."""
    return f"{held.cv_minutes or profile.cv_auto:03d}"


def output(plant: Plant) -> tuple[str, str]:
    """Return volts and hertz of the output as QPIGS prints them."""
    return f"{plant.output_v:05.1f}", f"{plant.output_hz:04.1f}"


def load(plant: Plant, profile: UnitProfile, *, leg: int = 0) -> tuple[str, str, str]:
    """Return VA, W and % of a leg of the output; leg 0 is L1, or the only one."""
    watts, va = plant.flow.load_w, plant.load_va
    if watts < profile.blind_load_w:
        watts = va = 0.0
    if profile.legs == 2:
        first = plant.load.first_leg
        share = 1.0 - first if leg else first
        watts, va = watts * share, va * share
    percent = 100 * profile.legs * max(watts / plant.rated_w, va / plant.rated_va)
    width = profile.power_width
    return f"{va:0{width}.0f}", f"{watts:0{width}.0f}", f"{percent:03.0f}"


def charge_amps(plant: Plant) -> int:
    """Return whole amps into the battery."""
    return max(round(plant.battery_a), 0)


def discharge_amps(plant: Plant, profile: UnitProfile) -> int:
    """Return whole amps out of the battery; small ones read 0 on some units."""
    if -plant.flow.battery_w < profile.blind_discharge_w:
        return 0
    return max(round(-plant.battery_a), 0)


def capacity(plant: Plant, profile: UnitProfile) -> int:
    """Return the % of field 11: from a BMS, the true one, or a guess by the voltage."""
    if plant.settings.bms_soc is not None:
        return plant.settings.bms_soc
    if not profile.soc_from_volts:
        return round(plant.battery.soc)
    low, high = plant.settings.cutoff_v, plant.settings.float_v
    return round(100 * min(max((plant.battery_v - low) / (high - low), 0.0), 1.0))


def code_of(codes: Mapping[int, StrEnum], value: StrEnum) -> str:
    """Return the code under which `value` stands; ? when this unit has none."""
    return next((str(code) for code, held in codes.items() if held == value), "?")


def grid_v(plant: Plant) -> float:
    """Volts of the mains; 0 in a blackout."""
    return plant.grid.volts if plant.grid.on else 0.0


def grid_hz(plant: Plant) -> float:
    """Hertz of the mains; 0 in a blackout."""
    return plant.grid.hz if plant.grid.on else 0.0


def sources(plant: Plant) -> tuple[bool, bool, bool]:
    """Return whether it charges, from the sun, from the grid."""
    charging = plant.battery_a > 0
    sun = charging and plant.flow.pv_w > 0
    surplus = plant.flow.pv_w - plant.flow.battery_w
    grid = charging and plant.mode not in BATTERY_MODES and surplus < -0.5
    return charging, sun, grid and plant.grid_usable


def parallel_status(plant: Plant, profile: UnitProfile) -> str:
    """Return QPGS 20: eight characters, of which two tell of the battery."""
    _, sun, grid = sources(plant)
    on = plant.warnings()
    battery = 2 if 22 in on else 1 if 14 in on else 0
    digits = f"{battery:02d}" if profile.battery_digit else f"{battery:02b}"
    load_on = plant.mode not in CHARGE_MODES and plant.output_v > 0
    lost = not plant.grid_usable
    return f"1{grid:d}{sun:d}{digits}{lost:d}{load_on:d}0"


def _mains(plant: Plant, profile: UnitProfile) -> tuple[str, str]:
    volts = f"{plant.grid.volts:05.1f}" if plant.grid.on else profile.no_grid_v
    return volts, f"{grid_hz(plant):04.1f}"


def _down(value: float) -> float:
    """Cut after the tenths, as in the ratings of every recorded unit."""
    return int(value * 10 + 1e-9) / 10


def _temperature(plant: Plant, profile: UnitProfile) -> float:
    if profile.raw_temperature:
        return _AD_AT_0C + _AD_PER_C * plant.temperature_c
    return plant.temperature_c


def _pv_amps(plant: Plant, profile: UnitProfile, pv_w: float) -> str:
    if profile.revo_status:
        return f"{pv_w:04.0f}"
    volts = plant.battery_v if profile.pv_amps_at_battery else plant.pv_v[0]
    return f"{pv_w / volts if volts else 0.0:{profile.pv_amps_format}}"


def _discharge(plant: Plant, profile: UnitProfile) -> str:
    if profile.revo_status:
        today = plant.history.get(plant.clock.date())
        return f"{today.pv_wh if today else 0.0:05.0f}"
    return f"{discharge_amps(plant, profile):05d}"


def _status(plant: Plant, profile: UnitProfile, *, changed: bool) -> str:
    if profile.parallel_status:
        return parallel_status(plant, profile)[:7] + ("1" if changed else "0")
    b7 = profile.status_b7 == "1"
    if profile.status_b7 == "feeds":
        b7 = plant.mode in LINE_MODES or plant.flow.pv_w > 0
    load_on = plant.mode in LINE_MODES + BATTERY_MODES
    bits = (b7, changed, False, load_on, False, *sources(plant))
    return "".join("1" if bit else "0" for bit in bits)


def _status2(plant: Plant, profile: UnitProfile) -> str:
    floating = plant.charge_stage is Phase.FLOAT
    on = plant.mode in LINE_MODES + BATTERY_MODES and profile.shows_output_on
    return f"{floating:d}{on:d}0"
