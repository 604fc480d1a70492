"""Pure: what a plant looks like in PI30, one function per reply, fields in wire order.

The layouts stand here a second time on purpose: the simulator must not read them from
the driver's tables, or both would be wrong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from mppdbus.simulator.battery import Phase
from mppdbus.simulator.physics import (
    BATTERY_MODES,
    CHARGE_MODES,
    LINE_MODES,
    Plant,
)
from mppdbus.simulator.profiles import Profile

_PHASE_CODES = {
    Phase.IDLE: 10,
    Phase.BULK: 11,
    Phase.ABSORPTION: 12,
    Phase.FLOAT: 13,
}
_COUNTRY = "00"


def mode_letter(plant: Plant, profile: Profile) -> str:
    """QMOD"""
    if plant.mode == "C" and not profile.has_mode_c:
        return "S"
    return plant.mode


def qpigs(plant: Plant, profile: Profile, *, changed: bool = False) -> str:
    """QPIGS, 17, 21, 24 or 25 fields; `changed` is the status bit of that name."""
    width, pv_v = profile.power_width, plant.pv_v[0]
    pv_amps = plant.pv_w[0] / pv_v if pv_v else 0.0
    words = [
        *(f"{_grid_v(plant):05.1f}", f"{_grid_hz(plant):04.1f}"),
        *(f"{plant.output_v:05.1f}", f"{plant.output_hz:04.1f}"),
        f"{plant.load_va:0{width}.0f}",
        f"{plant.flow.load_w:0{width}.0f}",
        f"{load_percent(plant):03.0f}",
        "000" if plant.mode == "D" else "380",
        f"{plant.battery_v:05.2f}",
        f"{charge_amps(plant):03d}",
        f"{capacity(plant, profile):03d}",
        f"{plant.temperature_c:04.0f}",
        f"{pv_amps:{profile.pv_amps_format}}",
        f"{pv_v:05.1f}",
        "00.00",
        f"{discharge_amps(plant, profile):05d}",
        _status(plant, changed=changed),
        *("00", "00"),
        f"{plant.pv_w[0]:05.0f}",
        _status2(plant),
        *("0", _COUNTRY, "0000"),
        f"{plant.flow.grid_w / _grid_v(plant) if _grid_v(plant) else 0.0:04.1f}",
    ]
    return " ".join(words[: profile.qpigs_fields])


def qpigs2(plant: Plant) -> str:
    """QPIGS2 of the MAX families, with the blank before the checksum."""
    pv_v = plant.pv_v[1]
    amps = plant.pv_w[1] / pv_v if pv_v else 0.0
    return f"{amps:04.1f} {pv_v:05.1f} {plant.pv_w[1]:05.0f} "


def qpiri(plant: Plant, profile: Profile) -> str:
    """QPIRI, 25 to 29 fields."""
    held, volts = plant.settings, profile.settings.output_v
    rating = f"{profile.rated_w / volts:04.1f}"
    words = [
        *(f"{volts:05.1f}", rating),
        *(f"{held.output_v:05.1f}", f"{held.output_hz:04.1f}", rating),
        *(f"{plant.rated_va:04.0f}", f"{plant.rated_w:04.0f}"),
        f"{profile.battery_v:04.1f}",
        f"{held.recharge_v:04.1f}",
        f"{held.cutoff_v:04.1f}",
        f"{held.bulk_v:04.1f}",
        f"{held.float_v:04.1f}",
        str(held.battery_type),
        f"{held.max_ac_charge_a:0{profile.ac_amps_width}d}",
        f"{held.max_charge_a:03d}",
        str(held.input_range),
        code_of(profile.output_codes, held.output_priority),
        code_of(profile.charger_codes, held.charger_priority),
        *(profile.max_parallel, "01", "0"),
        str(held.output_mode),
        f"{held.redischarge_v:04.1f}",
        *(str(held.pv_ok_all), str(held.pv_balance)),
        f"{held.cv_minutes:03d}",
        str(held.operation_logic),
        f"{held.max_discharge_a:03d}",
        f"{held.bulk_v + 1.5:04.1f}",
    ]
    return " ".join(words[: profile.qpiri_fields])


def qpiws(plant: Plant, profile: Profile) -> str:
    """QPIWS: bits from a0 on, and on newer units two digits of the fault code."""
    on = plant.warnings()
    bits = ["1" if bit in on else "0" for bit in range(profile.qpiws_length)]
    if (at := profile.fault_digits_at) is not None:
        bits[at : at + 2] = f"{plant.fault_code:02d}"
    return "".join(bits)


def qflag(plant: Plant, profile: Profile) -> str:
    """QFLAG: enabled letters behind E, disabled ones behind D."""
    on = plant.settings.flags
    enabled = "".join(letter for letter in profile.flags if letter in on)
    disabled = "".join(letter for letter in profile.flags if letter not in on)
    return f"E{enabled}D{disabled}"


def qdi(profile: Profile) -> str:
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
        f"{held.cv_minutes:03d}",
        str(held.operation_logic),
    ]
    return " ".join(words[: profile.qdi_fields])


def qbeqi(plant: Plant) -> str:
    """QBEQI, 10 fields."""
    held = plant.settings
    return (
        f"{held.equalize_enabled} {held.equalize_minutes:03d} {held.equalize_days:03d} "
        f"{held.max_charge_a:03d} 000 {held.equalize_v:05.2f} 000 "
        f"{held.equalize_timeout_minutes:03d} {held.equalize_active} 0000"
    )


def q1(plant: Plant, profile: Profile) -> str:
    """Q1, 17 tokens, or 27 with QBEQI behind; the last of the 17 is the stage."""
    celsius = f"{plant.temperature_c:03.0f}"
    amps = max(round(plant.battery_a), 0)
    words = [
        *("00000", "00000", "01", "01" if plant.flow.pv_w > 0 else "00"),
        *(f"{amps:02d}", celsius, celsius, celsius, celsius),
        *("02", "00", "000", "0030", f"{plant.pv_w[0]:04.0f}", "0000"),
        f"{_grid_hz(plant):05.2f}",
        str(_PHASE_CODES[plant.charge_stage]),
    ]
    text = " ".join(words)
    return f"{text} {qbeqi(plant)}" if profile.q1_fields == 27 else text


def qpgs(plant: Plant, profile: Profile, serial: str, *, present: bool) -> str:
    """QPGSn, 27 or 29 tokens; an empty slot still shows the system's totals."""
    held, width = plant.settings, profile.power_width
    pv_v = [volts if present else 0.0 for volts in plant.pv_v]
    pv_amps = [w / v if v else 0.0 for w, v in zip(plant.pv_w, pv_v, strict=True)]
    here = 1.0 if present else 0.0
    va, watts, percent = plant.load_va, plant.flow.load_w, load_percent(plant)
    charging, discharging = charge_amps(plant), discharge_amps(plant, profile)
    words = [
        "1" if present else "0",
        serial if present else "0" * len(serial),
        mode_letter(plant, profile) if present else "P",
        f"{plant.fault_code if present else 0:02d}",
        *(f"{_grid_v(plant) * here:05.1f}", f"{_grid_hz(plant) * here:05.2f}"),
        *(f"{plant.output_v * here:05.1f}", f"{plant.output_hz * here:05.2f}"),
        *(f"{va * here:0{width}.0f}", f"{watts * here:0{width}.0f}"),
        f"{percent * here:03.0f}",
        f"{plant.battery_v * here:04.1f}",
        f"{charging if present else 0:03d}",
        f"{capacity(plant, profile) if present else 0:03d}",
        f"{pv_v[0]:05.1f}",
        f"{charging:03d}",
        *(f"{va:05.0f}", f"{watts:05.0f}", f"{percent:03.0f}"),
        _parallel_status(plant) if present else "00000000",
        str(held.output_mode),
        code_of(profile.charger_codes, held.charger_priority),
        f"{held.max_charge_a:03d}",
        f"{profile.charge_amps[-1]:03d}",
        f"{held.max_ac_charge_a:0{profile.ac_amps_width}d}",
        f"{pv_amps[0]:02.0f}",
        f"{discharging if present else 0:03d}",
        f"{pv_v[-1]:05.1f}",
        f"{pv_amps[-1]:02.0f}",
    ]
    return " ".join(words[: profile.qpgs_fields])


def load_percent(plant: Plant) -> float:
    """Return the larger share of the two ratings, %."""
    return 100 * max(plant.flow.load_w / plant.rated_w, plant.load_va / plant.rated_va)


def charge_amps(plant: Plant) -> int:
    """Return whole amps into the battery."""
    return max(round(plant.battery_a), 0)


def discharge_amps(plant: Plant, profile: Profile) -> int:
    """Return whole amps out of the battery, as far as this unit sees them."""
    if -plant.flow.battery_w < profile.blind_discharge_w:
        return 0
    return max(round(-plant.battery_a), 0)


def capacity(plant: Plant, profile: Profile) -> int:
    """Return % as field 11 tells it: the truth, or a guess by the voltage."""
    if not profile.soc_from_volts:
        return round(plant.battery.soc)
    low, high = plant.settings.cutoff_v, plant.settings.float_v
    return round(100 * min(max((plant.battery_v - low) / (high - low), 0.0), 1.0))


def code_of(codes: Mapping[int, StrEnum], value: StrEnum) -> str:
    """Return the code under which `value` stands; ? when this unit has none."""
    return next((str(code) for code, held in codes.items() if held == value), "?")


def _grid_v(plant: Plant) -> float:
    return plant.grid.volts if plant.grid.on else 0.0


def _grid_hz(plant: Plant) -> float:
    return plant.grid.hz if plant.grid.on else 0.0


def _sources(plant: Plant) -> tuple[bool, bool, bool]:
    """Return whether it charges, from the sun, from the grid."""
    charging = plant.battery_a > 0
    sun = charging and plant.flow.pv_w > 0
    surplus = plant.flow.pv_w - plant.flow.battery_w
    grid = charging and plant.mode not in BATTERY_MODES and surplus < -0.5
    return charging, sun, grid and plant.grid_usable


def _status(plant: Plant, *, changed: bool) -> str:
    feeding = plant.mode in LINE_MODES or plant.flow.pv_w > 0
    load_on = plant.mode in LINE_MODES + BATTERY_MODES
    bits = (feeding, changed, False, load_on, False, *_sources(plant))
    return "".join("1" if bit else "0" for bit in bits)


def _status2(plant: Plant) -> str:
    floating = plant.charge_stage is Phase.FLOAT
    switched_on = plant.mode in LINE_MODES + BATTERY_MODES
    return f"{floating:d}{switched_on:d}0"


def _parallel_status(plant: Plant) -> str:
    _, sun, grid = _sources(plant)
    battery = "01" if 14 in plant.warnings() else "00"
    load_on = plant.mode not in CHARGE_MODES and plant.output_v > 0
    lost = not plant.grid_usable
    return f"1{grid:d}{sun:d}{battery}{lost:d}{load_on:d}0"
