"""The data that a service row may read: one unit, or all units together. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mppdbus.model.alarms.levels import AlarmState, momentary
from mppdbus.model.battery.state_of_charge import Charge, own_charge
from mppdbus.model.energy.daily_history import History
from mppdbus.model.energy.ledger import Counters
from mppdbus.model.power import Flow, flow, known_mean, known_sum, leg_count
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import (
    DISCONNECTED,
    AcInput,
    Mode,
    State,
    active_input,
    mode,
    state,
)


@dataclass(frozen=True, slots=True)
class Unit:
    """The identity of an inverter: its uid, configuration, user settings and port.

    `uid` stays while the rest may change: a unit can be plugged in at another port, or
    be reported by another unit of its parallel set (`reported`) without a cable.
    """

    name: str
    connection: str  # the port
    instance: int
    phase: int = 1
    ac_input: AcInput = AcInput.GRID
    profile: str = "hybrid"  # or "inverter"
    bus_name: str = ""  # of the profile "inverter", where the user has chosen one
    phase_follows: bool = False  # the unit itself says which phase it is on
    ac_input_follows: bool = False  # the GX's setting says what its AC input is
    given: str = ""  # the name that the user has set on the bus
    uid: str = ""
    reported: bool = False  # by another unit
    bank: str = ""  # the name of its battery in the config; "" for the only one

    @property
    def called(self) -> str:
        """The name shown to people."""
        return self.given or self.name


@dataclass(frozen=True, slots=True)
class UnitView:
    """One inverter at one moment: its snapshot, and all values derived from it."""

    unit: Unit
    snapshot: Snapshot = field(default_factory=Snapshot)
    flow: Flow = field(default_factory=Flow)
    alarm_state: AlarmState = field(default_factory=AlarmState)
    state: State | None = None
    mode: Mode | None = None
    legs: int = 1  # phases of its output
    own_input: int | None = None  # of this unit alone: 0 or `DISCONNECTED`
    active_input: int | None = None  # of all units of its system
    charge: Charge = field(default_factory=Charge)
    counters: Counters | None = None  # None until its ledger is loaded
    history: History | None = None

    @classmethod
    def of(
        cls,
        unit: Unit,
        snapshot: Snapshot,
        *,
        power: Flow | None = None,
        alarms: AlarmState | None = None,
        charge: Charge | None = None,
        counters: Counters | None = None,
        history: History | None = None,
    ) -> "UnitView":
        """Return the view of a snapshot, with the active input of this unit alone."""
        power = flow(snapshot) if power is None else power
        own_input = active_input(power.mains_used)
        return cls(
            unit=unit,
            charge=own_charge(snapshot) if charge is None else charge,
            counters=counters,
            history=history,
            snapshot=snapshot,
            flow=power,
            alarm_state=momentary(snapshot) if alarms is None else alarms,
            state=state(snapshot),
            mode=mode(snapshot),
            legs=leg_count(snapshot),
            own_input=own_input,
            active_input=own_input,
        )


@dataclass(frozen=True, slots=True)
class SystemView:
    """Several units as one system; only those online count.

    `banks` has the charge of each battery that needs a service of its own. The uids in
    `silent` have no live values now, but may well run.
    """

    units: tuple[UnitView, ...]
    charge: Charge = field(default_factory=Charge)  # of the only battery
    banks: Mapping[str, Charge] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    online: tuple[UnitView, ...] = field(init=False)  # the units that answer
    live: tuple[UnitView, ...] = field(init=False)  # online, with live values

    def __post_init__(self) -> None:
        online = tuple([view for view in self.units if view.snapshot.online])
        live = tuple([view for view in online if view.snapshot.status is not None])
        object.__setattr__(self, "online", online)
        object.__setattr__(self, "live", live)

    @property
    def lead(self) -> UnitView | None:
        """The unit with the lowest instance that answers; systemcalc follows it too."""
        units = self.live or self.online
        return min(units, key=lambda view: view.unit.instance, default=None)

    def of_profile(self, profile: str) -> "SystemView":
        """Return the units of one profile."""
        return self.part(lambda unit: unit.profile == profile)

    def part(self, belongs: Callable[[Unit], bool]) -> "SystemView":
        """Return the units that belong to a part of the system."""
        units = tuple([view for view in self.units if belongs(view.unit)])
        if len(units) == len(self.units):
            return self
        return SystemView(units, self.charge, self.banks, self.silent)

    def of_bank(self, name: str) -> "SystemView":
        """Return the units at one battery, with its charge."""
        if len(self.banks) == 1:
            return self
        part = self.part(lambda unit: unit.bank == name)
        return replace(part, charge=self.banks[name])

    @property
    def one_battery(self) -> bool:
        """Whether all units are at the same battery."""
        if len(self.units) == 1:
            return True
        return len({view.unit.bank for view in self.units}) < 2

    def total(self, value: Callable[[UnitView], float | None]) -> float | None:
        """Return the sum over all live units; None if one of them lacks the value.

        The sum is unknown while a silent unit may still be running. A unit that stays
        away is left out.
        """
        if self.silent and any(view.unit.uid in self.silent for view in self.units):
            return None
        if len(self.live) == 1:
            return value(self.live[0])
        return known_sum([value(view) for view in self.live])

    def mean(self, value: Callable[[UnitView], float | None]) -> float | None:
        """Average a value that all units share, such as a voltage.

        A unit with 0 (its output is off) is left out if another unit has a value.
        """
        if len(self.online) == 1:
            return value(self.online[0])
        values = [value(view) for view in self.online]
        return known_mean([value for value in values if value] or values)

    @property
    def active_input(self) -> int | None:
        """Return one ActiveInput for all: 0 if any unit uses the mains."""
        known = {v.own_input for v in self.online if v.own_input is not None}
        if not known:
            return None
        return 0 if 0 in known else DISCONNECTED

    @property
    def state(self) -> State | None:
        """Fault if any unit has a fault, else the state of the leading unit."""
        if State.FAULT in [view.state for view in self.online]:
            return State.FAULT
        lead = self.lead
        return lead.state if lead else None

    @property
    def mode(self) -> Mode | None:
        """The mode of the leading unit."""
        lead = self.lead
        return lead.mode if lead else None

    def alarm(self, name: str) -> int | None:
        """Return the highest level of an alarm."""
        levels = [view.alarm_state.levels.get(name) for view in self.online]
        return max((level for level in levels if level is not None), default=None)
