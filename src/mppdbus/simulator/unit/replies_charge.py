"""Pure: replies about trackers, charging, schedules and the second output."""

from mppdbus.simulator.plant.battery import Phase
from mppdbus.simulator.plant.physics import CHARGE_MODES, DEAD_MODES, Plant
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.replies import (
    capacity,
    code_of,
    grid_hz,
    grid_v,
    load,
    mode_letter,
    output,
    sources,
)

_PHASE_CODES = {Phase.IDLE: 10, Phase.BULK: 11, Phase.ABSORPTION: 12, Phase.FLOAT: 13}


def qpigs2(plant: Plant, profile: UnitProfile) -> str:
    """QPIGS2: the second tracker, trackers 2 and 3, or the second leg."""
    match profile.qpigs2_fields:
        case 11:
            return _second_leg(plant, profile)
        case 12:
            return _more_trackers(plant)
    # With the blank before the checksum, as recorded.
    return f"{_amps(plant, 1):04.1f} {_volts(plant, 1):05.1f} {plant.pv_w[1]:05.0f} "


def _second_leg(plant: Plant, profile: UnitProfile) -> str:
    _, sun, grid = sources(plant)
    load_on = plant.mode not in CHARGE_MODES + DEAD_MODES
    lost = not plant.grid_usable
    return " ".join(
        (
            *(f"{grid_v(plant):05.1f}", f"{grid_hz(plant):04.1f}"),
            *output(plant),
            *load(plant, profile, leg=1),
            f"{_amps(plant, 1):04.0f}",
            f"{_volts(plant, 1):05.1f}",
            f"{plant.battery_v:05.2f}",
            f"1{grid:d}{sun:d}00{lost:d}{load_on:d}0",
        )
    )


def _more_trackers(plant: Plant) -> str:
    charging, _, grid = sources(plant)
    at_work = [charging and watts > 0 for watts in (*plant.pv_w, 0.0)]
    ac_w = max(plant.flow.battery_w - plant.flow.pv_w, 0.0) if grid else 0.0
    return " ".join(
        (
            *_tracker(plant, 1),
            f"{at_work[1]:d}{at_work[2]:d}000000",
            f"{ac_w / plant.battery_v if plant.battery_v else 0.0:04.0f}",
            f"{ac_w:04.0f}",
            *_tracker(plant, 2),
            f"{sum(plant.pv_w):05.0f}",
        )
    )


def _tracker(plant: Plant, index: int) -> tuple[str, str, str, str]:
    if index >= len(plant.pv_w):
        return "0000", "000.0", "00.00", "00000"
    watts = plant.pv_w[index]
    amps = watts / plant.battery_v if plant.battery_v else 0.0
    volts = _volts(plant, index)
    return (
        f"{amps:04.0f}",
        f"{volts:05.1f}",
        f"{plant.battery_v:05.2f}",
        f"{watts:05.0f}",
    )


def _volts(plant: Plant, index: int) -> float:
    return plant.pv_v[index] if index < len(plant.pv_v) else 0.0


def _amps(plant: Plant, index: int) -> float:
    volts = _volts(plant, index)
    return plant.pv_w[index] / volts if volts else 0.0


def qbeqi(plant: Plant) -> str:
    """QBEQI, 10 fields."""
    held = plant.settings
    return (
        f"{held.equalize_enabled} {held.equalize_minutes:03d} {held.equalize_days:03d} "
        f"{held.max_charge_a:03d} 000 {held.equalize_v:05.2f} 000 "
        f"{held.equalize_timeout_minutes:03d} {held.equalize_active} 0000"
    )


def q1(plant: Plant, profile: UnitProfile, role: int) -> str:
    """Q1, in one of its layouts; `role` is 0 alone, 1 slave, 2 master."""
    stage = str(_PHASE_CODES[plant.charge_stage])
    celsius = f"{plant.temperature_c:03.0f}"
    allowed = "01" if plant.flow.pv_w > 0 else "00"
    amps = f"{max(round(plant.battery_a), 0):02d}"
    match profile.q1_fields:
        case 13:
            rest = (celsius, celsius, celsius, "00", "00", "000", "0030", "0000")
            return " ".join(("01", allowed, amps, "000", *rest, stage))
        case 18:
            # Most words have no known meaning; they are as recorded (f0280).
            head = ("030", "5472", "00000", "00000", "05472", "05472", "01", "01")
            tail = ("00", "00", "000", "5472", "0000", stage)
            return " ".join((*head, *(celsius,) * 4, *tail))
    words = [
        *("00001", "00000", "01", allowed, amps),
        *(celsius, celsius, celsius, celsius),
        *(f"{role:02d}", "00", "000", "0030", f"{plant.pv_w[0]:04.0f}", "0000"),
        f"{grid_hz(plant):05.2f}",
        stage,
    ]
    text = " ".join(words)
    return f"{text} {qbeqi(plant)}" if profile.q1_fields == 27 else text


def qdop(plant: Plant) -> str:
    """QDOP: the second output, 14 fields (document D, f0329)."""
    held = plant.settings
    on = held.relay_intent != 0 and plant.output_v > 0
    on = on and plant.battery_v > held.relay_off_v
    return (
        f"{on:d} {held.relay_intent} 0 0 00.0 {held.relay_off_v:04.1f} "
        f"{held.relay_off_minutes:03d} {held.relay_amps:02d} {held.recharge_soc:03d} "
        f"{held.redischarge_soc:03d} {held.cutoff_soc:03d} {held.relay_off_soc:03d} "
        "00 23"
    )


def qbms(plant: Plant, profile: UnitProfile) -> str:
    """QBMS of the King, 10 fields (document D, f0256); the first is 0 when linked."""
    held = plant.settings
    linked = held.battery_type > 2
    volts = (held.bulk_v, held.float_v, held.cutoff_v)
    tenths = " ".join(f"{volt * 10:03.0f}" for volt in volts)
    return (
        f"{0 if linked else 1} {capacity(plant, profile):03d} 0 0 0 "
        f"{tenths} {held.max_charge_a:04d} 0240"
    )


def hourly(code: str, profile: UnitProfile, order: str) -> str:
    """QOPPT, QCHPT: a code for each hour; the MAX adds the present code and an order"""
    words = [code] * 24
    if profile.hourly_fields == 28:
        words += [code, *order]
    return " ".join(words)


def qoppt(plant: Plant, profile: UnitProfile) -> str:
    """QOPPT: the output priority for each hour."""
    held = plant.settings.output_priority
    return hourly(code_of(profile.output_codes, held), profile, "021")


def qchpt(plant: Plant, profile: UnitProfile) -> str:
    """QCHPT: the charger priority for each hour."""
    held = plant.settings.charger_priority
    return hourly(code_of(profile.charger_codes, held), profile, "000")


def qbv(plant: Plant, profile: UnitProfile) -> str:
    """QBV of the VMII: battery voltage and %, and a blank (f0283)."""
    return f"{plant.battery_v:04.1f} {capacity(plant, profile):03d} "


def qall(plant: Plant, profile: UnitProfile) -> str:
    """QALL of the REVO, 18 words (document I)."""
    amps = plant.battery_a
    day = plant.history.get(plant.clock.date())
    return " ".join(
        (
            *(f"{grid_v(plant):03.0f}", f"{grid_hz(plant):04.1f}"),
            *(f"{plant.output_v:03.0f}", f"{plant.output_hz:04.1f}"),
            *load(plant, profile)[1:],
            *(f"{plant.battery_v:04.1f}", f"{capacity(plant, profile):03d}"),
            *(f"{max(amps, 0):03.0f}", f"{max(-amps, 0):03.0f}"),
            *(f"{plant.pv_v[0]:03.0f}", f"{_amps(plant, 0):04.1f}"),
            f"{plant.pv_w[0]:04.0f}",
            f"{day.pv_wh if day else 0.0:06.0f}",
            f"{plant.energy.pv_wh / 1000:06.0f}",
            *(mode_letter(plant, profile), "00", f"{plant.fault_code:02d}"),
        )
    )
