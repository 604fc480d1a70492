"""A unit of a parallel set, by what another one reports in QPGSn and QP2GSn. Pure."""

from collections.abc import Mapping

from mppdbus.model.snapshot import Identity, Second, Snapshot
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.parallel import (
    ParallelStatus,
    SecondPhaseParallelStatus,
    SecondTrackersParallel,
)
from mppdbus.protocol.replies.settings import Ratings, RatingsRevo
from mppdbus.protocol.replies.status import (
    GeneralStatus,
    GeneralStatusSplitPhase,
    SecondPhase,
    SecondTracker,
    SecondTrackerDuo,
)
from mppdbus.protocol.serial_numbers import bogus_serial

SINGLE = 0  # output mode of a unit without others
PHASES: Mapping[int, int] = {2: 1, 3: 2, 4: 3}  # output mode → phase of three
LEGS: Mapping[int, int] = {5: 1, 6: 2, 7: 2}  # output mode → leg of two; not on PI41
CLEAR_PV = 200.0  # W of PV needed to see where its current is measured
ON_BATTERY = "B"  # the mode in which nothing comes from the mains
EFFICIENCY, OWN = 0.88, 60.0  # DC to AC, and W: the worst of any unit
WHOLE, TENTH = 0.5, 0.05  # A: greatest error of a current, by its last digit

# Fields that QPGS and QPIGS have in common.
SHARED = (
    *("grid_voltage", "grid_frequency", "ac_output_voltage", "ac_output_frequency"),
    *("ac_output_apparent_power", "ac_output_active_power", "load_percent"),
    *("battery_voltage", "battery_charging_current", "battery_discharge_current"),
    *("battery_capacity", "pv_input_voltage"),
)
# Fields that QPGS and QPIRI have in common; the rest of QPIRI is alike in a set.
OWN_RATINGS = (
    *("charger_source_priority", "max_charging_current", "max_ac_charging_current"),
    "output_mode",
)


def phase_of(output_mode: int | None, dialect: Dialect) -> int | None:
    """Return the phase, 1 to 3, that an output mode means; None if it means none."""
    if output_mode is None:
        return None
    legs_too = LEGS if dialect.phases == 1 else {}
    return PHASES.get(output_mode) or legs_too.get(output_mode)


def in_a_set(ratings: Reading | None, own: Reading | None) -> bool:
    """Tell from QPIRI, or else from QPGS0, whether a unit is part of a set.

    `exists` of QPGS is no evidence: single units answer 0 or 1 about themselves.
    """
    for reading in (ratings, own):
        mode = getattr(reading, "output_mode", None)
        if mode is not None:
            return bool(mode != SINGLE)
    return False


def at_the_battery(own: ParallelStatus, status: GeneralStatus) -> bool | None:
    """Tell where the PV current of QPGS is measured, by a unit that reports PV power.

    True is the battery side of the charger; None while there is too little sun.
    """
    power, amps = status.pv_charging_power, own.pv_input_current
    panel, battery = own.pv_input_voltage, own.battery_voltage
    if power is None or not amps or panel is None or battery is None:
        return None
    if power < CLEAR_PV or panel < 1.5 * battery:
        return None
    return abs(amps * battery - power) < abs(amps * panel - power)


def snapshot_of(
    unit: ParallelStatus,
    dialect: Dialect,
    *,
    lead: Snapshot | None = None,
    second: Reading | None = None,
    current_at_battery: bool | None = None,
    battery_fitted: bool = True,
) -> Snapshot:
    """Return the snapshot of a unit that another one reports; None is unknown.

    `unit` (QPGSn) and `second` (QP2GSn) are the plausible parts of the replies. `lead`
    is the unit that was asked: the model, the battery settings and the number of
    trackers are alike in a set. `current_at_battery` tells where the PV current is
    measured, for dialects that leave it open; while it is unknown, PV power is None.

    An estimated PV power is written as amperes at the battery, as in the QPIGS of 17
    words, so that it is shown as estimated.
    """
    lead = lead or Snapshot()
    side = dialect.pv_current_is_battery_side
    pv = _pv_power(unit, second, current_at_battery if side is None else side)
    serial = None if bogus_serial(unit.serial) else unit.serial
    who = lead.identity
    return Snapshot(
        online=True,
        identity=Identity(who.protocol, serial, who.model, dialect=dialect.name),
        status=_status(unit, second, pv[0]),
        battery_fitted=battery_fitted,
        second=_second(unit, second, pv[1]),
        trackers=lead.trackers,
        mode=unit.mode,
        ratings=_ratings(unit, lead.ratings),
        phase=phase_of(unit.output_mode, dialect),
        fault_code=fault_code(unit),
    )


def fault_code(unit: ParallelStatus) -> str | None:
    """Return the two digits of QPGS 4."""
    return None if unit.fault_code is None else f"{unit.fault_code:02d}"


def away(known: Snapshot) -> Snapshot:
    """Return the parts of a snapshot that stay true while the unit does not answer."""
    return Snapshot(identity=known.identity, trackers=known.trackers, phase=known.phase)


def _status(
    unit: ParallelStatus, second: Reading | None, pv: float | None
) -> GeneralStatus:
    """Return a QPGS in the layout of a QPIGS; its status bits are those of PI41."""
    status = GeneralStatusSplitPhase(
        **{name: getattr(unit, name) for name in SHARED}, device_status=unit.status
    )
    if isinstance(second, SecondTrackersParallel):
        return status.model_copy(update={"pv_charging_power": second.pv_power})
    volts = unit.battery_voltage
    amps = _amps(pv, volts)
    estimated = {"pv_input_current": amps, "scc_battery_voltage": volts}
    return status.model_copy(update=estimated)


def _second(
    unit: ParallelStatus, second: Reading | None, pv: float | None
) -> Second | None:
    match second:
        case SecondPhaseParallelStatus():
            leg = SecondPhase(**_common(second, SecondPhase))
            amps = _amps(pv, leg.pv2_voltage)
            return leg.model_copy(update={"pv2_current": amps})
        case SecondTrackersParallel():
            return SecondTrackerDuo(**_common(second, SecondTrackerDuo))
    if unit.pv2_current is None:
        return None
    return SecondTracker(
        pv2_current=unit.pv2_current,
        pv2_voltage=unit.pv2_voltage,
        pv2_power=None if pv is None else round(pv),
    )


def _amps(power: float | None, volts: float | None) -> float | None:
    """Return the current, A, of a power in W; None while the voltage is unknown.

    No power is no current, also of a tracker that shows 0 V at night.
    """
    if power is None:
        return None
    if volts:
        return power / volts
    return None if power else 0.0


def _common(unit: Reading, model: type[Reading]) -> dict[str, float | int | None]:
    names = set(unit.wire_names()) & set(model.wire_names()) - {"device_status"}
    return {name: getattr(unit, name) for name in names}


def _pv_power(
    unit: ParallelStatus,
    second: Reading | None,
    at_battery: bool | None,  # noqa: FBT001 - three states, not a switch
) -> tuple[float | None, float | None]:
    """Estimate the W of both trackers.

    Whole amperes at a few hundred volts are coarse. On battery, the powers of load and
    battery narrow the value within the rounding.
    """
    two = second if isinstance(second, SecondPhaseParallelStatus) else unit
    printed = (
        (unit.pv_input_current, unit.pv_input_voltage),
        (two.pv2_current, two.pv2_voltage),
    )
    power: list[float | None] = []
    errors = []  # ± W, by the last digit
    for amps, panel in printed:
        volts = unit.battery_voltage if at_battery else panel
        if amps is None or volts is None or (amps and at_battery is None):
            power.append(None)
            errors.append(0.0)
        else:
            power.append(amps * volts)
            errors.append((WHOLE if amps == int(amps) else TENTH) * volts)
    total, most = sum(p or 0.0 for p in power), sum(errors)
    shift = _offset(total, most, _needed_pv(unit, second)) / most if most else 0.0
    one, other = (
        None if p is None else max(0.0, p + shift * error)
        for p, error in zip(power, errors, strict=True)
    )
    return one, other


def _offset(total: float, error: float, need: tuple[float, float] | None) -> float:
    """Return the likely error, W, of a sum of `total` ± `error`."""
    if need is None or (total == 0 and need[0] <= 0):
        return 0.0
    least, most = max(total - error, need[0]), min(total + error, need[1])
    if least > most:
        return error if need[0] > total else -error
    return (least + most) / 2 - total


def _needed_pv(
    unit: ParallelStatus, second: Reading | None
) -> tuple[float, float] | None:
    """Return the least and the most PV power, W, that fits a unit's other powers."""
    load, volts = unit.ac_output_active_power, unit.battery_voltage
    charge, discharge = unit.battery_charging_current, unit.battery_discharge_current
    if unit.mode != ON_BATTERY or load is None or volts is None:
        return None
    if charge is None or discharge is None:
        return None
    if isinstance(second, SecondPhaseParallelStatus):
        load += second.ac_output_active_power or 0
    battery = (charge - discharge) * volts
    return load + battery - volts, load / EFFICIENCY + OWN + battery + volts


def _ratings(
    unit: ParallelStatus, lead: Ratings | RatingsRevo | None
) -> Ratings | None:
    if not isinstance(lead, Ratings):
        return None
    return lead.model_copy(update={name: getattr(unit, name) for name in OWN_RATINGS})
