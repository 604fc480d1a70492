"""Victron's words for what a PI30 inverter does: state, mode, active input. Pure."""

from enum import IntEnum

from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.modes import MODES, Operation, Switch

DISCONNECTED = 240  # ActiveInput: no input
ABSORPTION_MARGIN = 0.2  # V below the bulk voltage that still count as reached


class State(IntEnum):
    """`/State`, as gui-v2 names it."""

    OFF = 0
    LOW_POWER = 1
    FAULT = 2
    BULK = 3
    ABSORPTION = 4
    FLOAT = 5
    PASSTHRU = 8
    INVERTING = 9
    UNAVAILABLE = 255


class Mode(IntEnum):
    """`/Mode` of an inverter/charger."""

    CHARGER_ONLY = 1
    INVERTER_ONLY = 2
    ON = 3
    OFF = 4


class AcInput(IntEnum):
    """`/Ac/In/n/Type`."""

    NONE = 0
    GRID = 1
    GENERATOR = 2
    SHORE = 3


_STATES = {
    Operation.OFF: State.OFF,
    Operation.FAULT: State.FAULT,
    Operation.POWER_SAVING: State.LOW_POWER,
    Operation.INVERTING: State.INVERTING,
    Operation.PASSING_THROUGH: State.PASSTHRU,
}
_SWITCH_POSITIONS = {
    Switch.ON: Mode.ON,
    Switch.OFF: Mode.OFF,
    Switch.CHARGER_ONLY: Mode.CHARGER_ONLY,
}


def state(snapshot: Snapshot) -> State | None:
    """Return the state; None for a mode letter that no document explains."""
    mode = MODES.get(snapshot.mode or "")
    if mode is None:
        return None
    idle = _STATES[mode.operation]
    return charge_stage(snapshot, idle) if mode.charges else idle


def charge_stage(snapshot: Snapshot, idle: State | None = None) -> State | None:
    """Return the charge stage, or `idle` when the battery is not being charged."""
    status, ratings = snapshot.status, snapshot.ratings
    if status is None or status.charging is None:
        return None
    if not status.charging or not snapshot.battery_fitted:
        return idle  # the bits say "charging" without a battery too (f0047)
    if status.charging_to_float:
        return State.FLOAT
    bulk = ratings.battery_bulk_voltage if ratings is not None else None
    if bulk is None or status.battery_voltage is None:
        return None  # bulk and absorption cannot be told apart yet
    reached = status.battery_voltage >= bulk - ABSORPTION_MARGIN
    return State.ABSORPTION if reached else State.BULK


def mode(snapshot: Snapshot) -> Mode | None:
    """Return the switch position that matches the unit's mode; None if unknown."""
    mode = MODES.get(snapshot.mode or "")
    return _SWITCH_POSITIONS[mode.switch] if mode else None


def active_input(used: bool | None) -> int | None:  # noqa: FBT001 - three states
    """Return 0 while a unit draws power from the mains, else 240."""
    if used is None:
        return None
    return 0 if used else DISCONNECTED


def firmware_number(firmware: str | None) -> int | None:
    """Return `00072.70` as 0x7270, the form in which Victron shows "v72.70"."""
    if firmware is None:
        return None
    digits = firmware.replace(".", "").lstrip("0") or "0"
    try:
        return int(digits, 16) if len(digits) <= 6 else None
    except ValueError:
        return None
