"""The meaning of a reading in words, by dialect; pure."""

from collections.abc import Callable
from typing import Any

from mppdbus.protocol.codes import INPUT_RANGES, OPERATION_LOGICS, TOPOLOGIES, Names
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.modes import MODE_NAMES
from mppdbus.protocol.replies import parallel as p
from mppdbus.protocol.replies import status as m
from mppdbus.protocol.replies.charge import CHARGE_STATES
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.warning_bits import INVERTER_FAULT, WarningBit

_HIDDEN = frozenset(("reserved", "code_digit"))
_MAY_BE_FAULT = frozenset(("fault", "fault_if_a1"))


def warnings_of(dialect: Dialect, bits: str) -> list[WarningBit]:
    """Return the bits that are set in QPIWS, without reserved ones and code digits.

    A position that no document of the family explains is `bit_aNN`.
    """
    found = []
    for position, character in enumerate(bits):
        if character == "0":
            continue
        bit = dialect.warnings.get(position) or WarningBit(
            f"bit_a{position:02}", f"unexplained warning a{position}"
        )
        if bit.kind not in _HIDDEN:
            found.append(bit)
    return found


def fault_code_of(dialect: Dialect, bits: str) -> int | None:
    """Return the two-digit fault code inside QPIWS; None where there is none."""
    places = [n for n, b in dialect.warnings.items() if b.kind == "code_digit"]
    if len(places) != 2 or len(bits) <= places[1]:
        return None
    return int(bits[places[0]] + bits[places[1]]) or None


def explain(
    reading: Reading, dialect: Dialect, *, mode: str | None = None
) -> dict[str, Any]:
    """Return names of codes, flags and warnings of a reading, for people and scripts.

    `mode` is the letter of QMOD. A bit that may be a fault counts as one in mode F or
    together with bit a1, otherwise as a warning: the documents disagree.
    """
    result = reading.derived()
    for field in _CODES:
        code = getattr(reading, field, None)
        if code is not None and (names := names_of(field, dialect)):
            result[f"{field}_name"] = names.get(code, "unknown")
    if isinstance(reading, m.GeneralStatus):
        result["flags"] = _flags(reading, dialect)
        if reading.device_status_2 is not None:
            result["switched_on"] = reading.switched_on
            result["charging_to_float"] = reading.charging_to_float
    if isinstance(reading, m.Warnings):
        result |= _warnings(reading, dialect, mode)
    if (letter := getattr(reading, "mode", None)) is not None:
        result["mode_name"] = MODE_NAMES.get(letter, "unknown")
    if isinstance(reading, _OF_SET) and reading.fault_code:
        result["fault_name"] = dialect.fault_codes.get(reading.fault_code, "unknown")
    if bits := _STATUS_BITS.get(type(reading)):
        result["flags"] = _bit_names(getattr(reading, bits[0]) or "", *bits[1:])
    return result


def names_of(field: str, dialect: Dialect) -> Names:
    """Return the names of the codes of a field; none if it is a number, or unproven."""
    if field not in _CODES or (field in PRIORITIES and not dialect.priorities_proven):
        return {}
    return _CODES[field](dialect)


_OF_SET = (p.ParallelStatus, p.SecondPhaseParallelStatus)
# Codes that clones use in another way, so that a family must be proven.
PRIORITIES = ("output_source_priority", "charger_source_priority")
# Fields that hold a code → the family's table of names.
_CODES: dict[str, Callable[[Dialect], Names]] = {
    "battery_type": lambda dialect: dialect.battery_types,
    "input_voltage_range": lambda _: INPUT_RANGES,
    "output_source_priority": lambda dialect: dialect.output_priorities,
    "charger_source_priority": lambda dialect: dialect.charger_priorities,
    "machine_type": lambda dialect: dialect.machine_types,
    "topology": lambda _: TOPOLOGIES,
    "output_mode": lambda dialect: dialect.output_modes,
    "operation_logic": lambda _: OPERATION_LOGICS,
    "charge_state": lambda _: CHARGE_STATES,
}


def _warnings(
    reading: m.Warnings, dialect: Dialect, mode: str | None
) -> dict[str, Any]:
    faulty = mode == "F" or reading.is_set(INVERTER_FAULT)
    bits = warnings_of(dialect, reading.bits)
    faults = [b.name for b in bits if faulty and b.kind in _MAY_BE_FAULT]
    result: dict[str, Any] = {
        "warnings": [b.name for b in bits if b.name not in faults],
        "faults": faults,
    }
    if (code := fault_code_of(dialect, reading.bits)) is not None:
        result["fault_code"] = code
        result["fault_name"] = dialect.fault_codes.get(code, "unknown")
    return result


_FLAGS = (
    *("load_on", "charging", "scc_charging", "ac_charging"),
    "configuration_changed",
)


def _flags(reading: m.GeneralStatus, dialect: Dialect) -> list[str]:
    flags = [name for name in _FLAGS if getattr(reading, name)]
    more = {7: dialect.status_b7, 5: "scc_firmware_updated", 3: dialect.status_b3}
    return flags + [
        name for bit, name in more.items() if name and reading.status_bit(bit)
    ]


def _bit_names(
    status: str, meanings: tuple[str, ...], battery_at: int | None
) -> list[str]:
    """Name the set bits; `battery_at` is the place of the battery's two characters."""
    pairs = zip(status, meanings, strict=False)
    names = [name for character, name in pairs if name and character == "1"]
    if battery_at is not None:
        state = status[battery_at : battery_at + 2]
        names += [_BATTERY_STATES[state]] if state in _BATTERY_STATES else []
    return names


# One digit, as two bits or padded to two characters (f0338).
_BATTERY_STATES = {"01": "battery_under", "10": "battery_open", "02": "battery_open"}
_PARALLEL = (
    *("scc_ok", "ac_charging", "scc_charging", "", ""),
    *("line_loss", "load_on", "configuration_changed"),
)
_PHASE_2 = (
    *("scc2_ok", "ac_charging", "scc2_charging", "", ""),
    *("line_loss", "load_on", ""),
)
_TRACKERS = ("scc2_ok", "scc2_charging", "scc3_ok", "scc3_charging")
_TRACKERS_CHARGE = ("scc2_charging", "scc3_charging")
# Status field, the meanings of its characters from the left ("" is unknown), and
# the place of the battery's characters.
_STATUS_BITS: dict[type[Reading], tuple[str, tuple[str, ...], int | None]] = {
    m.GeneralStatusSplitPhase: ("device_status", _PARALLEL, 3),
    m.SecondPhase: ("device_status", _PHASE_2, None),
    m.SecondTrackerDuo: ("device_status", _TRACKERS_CHARGE, None),
    p.ParallelStatus: ("status", _PARALLEL, 3),
    p.SecondPhaseParallelStatus: ("status", _PHASE_2, None),
    p.SecondTrackersParallel: ("scc_status", _TRACKERS, None),
}
