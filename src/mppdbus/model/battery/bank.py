"""The one battery that all inverters share, and how full it is. Pure.

Readings of all units go in, with the time; a `Charge` comes out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from mppdbus.errors import ConfigError
from mppdbus.model.battery import settings_guess as guess
from mppdbus.model.battery.battery_filter import CHARGE
from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.chemistries import Chemistry
from mppdbus.model.battery.current_meter import total_losses
from mppdbus.model.battery.estimator import SocEstimator
from mppdbus.model.battery.estimator_state import SocState
from mppdbus.model.battery.state_of_charge import INVERTERS_WORD, Charge, own_charge
from mppdbus.model.power import BATTERY_MODES, Flow, Losses, known_mean, known_sum
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import State, charge_stage

Source: TypeAlias = Literal["estimate", "inverter", "none"]
Units: TypeAlias = Sequence[tuple[Snapshot, Flow]]

AWAITED_S = 90.0  # a unit that is away for less is assumed to go on as before
FEWER_S = 3600.0  # s with fewer units after which their number is reduced
MOST_UNITS = 9
UNDER_VOLTAGE = 14  # QPIWS
APART_V, APART_S = 1.0, 180.0  # units further apart for longer have two batteries
STAGES = (State.BULK, State.ABSORPTION, State.FLOAT)  # the lowest first

NOT_WANTED = "none: the configuration wants no state of charge"
NO_ANSWER = "unknown: no inverter answers"
NO_BATTERY = "unknown: the inverter sees no battery"
KEPT = "what was known when the program ended last"
UNTIL_THEN = "ours begins when the inverter's settings (QPIRI) are read"
NO_SETTINGS = "unknown: the inverter's settings (QPIRI) were not read yet"


@dataclass(frozen=True, slots=True)
class BankSettings:
    """The user's description of the battery; None: take it from the inverter.

    `capacity_ah` is that of the whole bank, `cells` those in series, `units` how many
    inverters share it at least, `monitor` the service of the BMS or shunt at it.
    """

    source: Source = "estimate"
    chemistry: str | None = None
    capacity_ah: float | None = None
    cells: int | None = None
    nominal_voltage: float | None = None
    units: int = 1
    monitor: str | None = None


class Bank:
    """The battery of all inverters, in parallel.

    `state` is the stored state of an earlier bank, `away` the s since it was stored;
    None if that is not known.
    """

    def __init__(
        self,
        settings: BankSettings,
        state: SocState | None = None,
        away: float | None = None,
    ) -> None:
        self._settings = settings
        self._kept, self._away = state, away
        self._estimator: SocEstimator | None = None
        self.monitor: str | None = None  # the service that measures the battery
        self._answering: tuple[Snapshot, ...] = ()
        self._ratings: guess.AnyRatings | None = None
        self._place = MOST_UNITS  # of the unit whose settings count
        kept_units = state.units if state is not None else 1
        self._units = min(max(settings.units, kept_units), MOST_UNITS)
        self._modelled = 0  # number of units in the model
        self._began: float | None = None
        self._complete = self._as_many = 0.0  # when all answered, were there
        self._assumed: tuple[str, ...] = ()  # settings that were guessed
        self._apart_since: float | None = None
        self._apart = ""  # why this seems to be two batteries
        self._trouble = ""

    # -- in -------------------------------------------------------------------------

    def use(self, settings: BankSettings) -> None:
        """Take other settings; what is known of the charge stays."""
        if settings != self._settings:
            self._settings, self._modelled = settings, 0
            self._assumed, self._trouble = (), ""

    def feed(self, units: Units, now: float, losses: Sequence[Losses] = ()) -> None:
        """Take the readings of all units at `now` s of a steady clock.

        `losses` are the learned losses of each unit, in the same order. Include units
        that do not answer: a missing unit is awaited for a while; after that only the
        others count, and the margin grows. Raises ValueError when the clock went
        backwards.
        """
        if self._began is None:
            self._began = self._complete = self._as_many = now
        known = [(s, f) for s, f in units if s.online and s.status is not None]
        self._answering = tuple(snapshot for snapshot, _ in known)
        self._compare([f.battery_voltage for s, f in known if s.battery_fitted], now)
        if self._settings.source != "estimate":
            return
        self._count_units(len(units), now)
        self._update_model(units, now)
        if self._estimator is not None:
            wanted = max(self._settings.units, len(units))
            missing = 1 - len(known) / wanted if wanted else 0.0
            if not missing:
                self._complete = now
            self._estimate(self._estimator, known, missing, now, total_losses(losses))

    def step_back(self, monitors: Sequence[str], *, only: bool) -> None:
        """Step back for the one of these services that measures this battery, if any.

        That is the one that the user names; without it, any if this is the `only`
        battery, and none if there are several. Our own count goes on meanwhile.
        """
        named = self._settings.monitor
        if named is not None or not only:
            self.monitor = named if named in monitors else None
        elif self.monitor not in monitors:
            self.monitor = monitors[0] if monitors else None

    def correct(self, percent: float) -> bool:
        """Set the state of charge; false if it is not 0 to 100 %, or not estimated."""
        if self._estimator is None:
            return False
        try:
            self._estimator.correct(percent)
        except ConfigError:
            return False
        return True

    # -- out ------------------------------------------------------------------------

    @property
    def wanted(self) -> bool:
        """Whether the user wants us to estimate the state of charge."""
        return self._settings.source != "none"

    @property
    def charge(self) -> Charge:
        """The state of charge by the last readings."""
        capacity = self._settings.capacity_ah
        if self.monitor is not None:
            return _nothing(f"{self.monitor} watches the battery", capacity)
        if self._settings.source == "none":
            return _nothing(NOT_WANTED, capacity)
        if not self._answering:
            return _nothing(NO_ANSWER, capacity)
        if not any(snapshot.battery_fitted for snapshot in self._answering):
            return _nothing(NO_BATTERY, capacity)
        if self._settings.source == "inverter":
            return self._inverters_word(capacity)
        return self._estimated(capacity)

    @property
    def guesses(self) -> str:
        """Which battery values are guessed, and where to set them; "" if none are."""
        if not self._assumed or self._estimator is None:
            return ""
        missing = ", ".join(self._assumed)
        return f"state of charge: {missing}; write both in [battery] of config.toml"

    @property
    def trouble(self) -> str:
        """What does not fit, in words; "" if nothing is wrong."""
        return self._apart

    @property
    def trickle(self) -> float:
        """Float current of a full battery, A for each inverter; 0 unless full."""
        if self._estimator is None or not self._estimator.full:
            return 0.0
        battery = self._estimator.battery
        return battery.cell.floating * battery.capacity_ah / battery.units

    @property
    def state(self) -> SocState | None:
        """The state to store; None before there is an estimate."""
        return self._estimator.state if self._estimator is not None else None

    def _inverters_word(self, capacity: float | None) -> Charge:
        said = [own_charge(snapshot).percent for snapshot in self._answering]
        percent = known_mean(said)
        origin = "unknown" if percent is None else INVERTERS_WORD
        return Charge(percent, origin, capacity=capacity)

    def _estimated(self, capacity: float | None) -> Charge:
        estimator = self._estimator
        if estimator is None:
            return self._before_settings(capacity)
        if estimator.soc is None:
            return _nothing("unknown: no voltage and current were read yet", capacity)
        why = estimator.why.removesuffix(".")
        words = "; ".join((why[0].lower() + why[1:], *self._assumed))
        return Charge(
            percent=estimator.soc,
            origin=f"estimated: {words}",
            margin=estimator.margin,
            confidence=estimator.confidence,
            offset=estimator.offset,
            capacity=capacity,
            trouble=self._apart,
        )

    def _before_settings(self, capacity: float | None) -> Charge:
        """Return the charge while QPIRI is unknown: clients look for it only once."""
        if self._trouble:
            return _nothing(self._trouble, capacity)
        if self._kept is not None and self._kept.sound:
            percent = min(max(self._kept.values[CHARGE], 0.0), 100.0)
            return Charge(percent, f"estimated: {KEPT}", capacity=capacity)
        said = self._inverters_word(capacity)
        if said.percent is None:
            return _nothing(NO_SETTINGS, capacity)
        return replace(said, origin=f"{INVERTERS_WORD}; {UNTIL_THEN}")

    def _compare(self, volts: Sequence[float | None], now: float) -> None:
        """Note when the units see such different voltages that it is two batteries."""
        known = [each for each in volts if each is not None]
        if len(known) < 2 or max(known) - min(known) <= APART_V:
            self._apart_since, self._apart = None, ""
            return
        since = self._apart_since = self._apart_since or now
        if now - since >= APART_S and not self._apart:
            self._apart = (
                f"the inverters see {min(known):.1f} V and {max(known):.1f} V at one "
                'battery; if each has its own, write battery = "…" in each [[inverter]]'
            )

    # -- the battery -----------------------------------------------------------------

    def _count_units(self, there: int, now: float) -> None:
        """Update the number of units on the battery; reduce it only after a while."""
        wanted = min(max(self._settings.units, there), MOST_UNITS)
        if wanted >= self._units or now - self._as_many >= FEWER_S:
            self._units, self._as_many = wanted, now

    def _update_model(self, units: Units, now: float) -> None:
        """Build a new battery model when the settings or the units change."""
        unit = self._configured_unit(units)
        if unit is None or (
            unit.ratings is self._ratings and self._units == self._modelled
        ):
            return
        self._ratings, self._modelled = unit.ratings, self._units
        self._trouble = ""
        try:
            battery = self._model(unit)
        except (ConfigError, ValueError) as error:
            self._trouble = f"unknown: {error}"
            return
        if self._estimator is None or battery != self._estimator.battery:
            self._use(battery, now)

    def _configured_unit(self, units: Units) -> Snapshot | None:
        """Return the first unit with known settings, not one after the last choice."""
        for place, (snapshot, _) in enumerate(units[: self._place + 1]):
            if snapshot.online and snapshot.ratings is not None:
                self._place = place
                return snapshot
        return None

    def _model(self, unit: Snapshot) -> BatteryModel:
        settings, ratings = self._settings, unit.ratings
        assert ratings is not None  # noqa: S101 - `_configured_unit` looked
        nominal = settings.nominal_voltage or guess.nominal_voltage(ratings)
        if nominal is None:
            raise ConfigError(
                "the inverter does not say for what battery voltage it is"
            )
        kind = settings.chemistry
        kind = kind or guess.chemistry(ratings, unit.identity.dialect, nominal)
        amp_hours = settings.capacity_ah or guess.capacity(ratings, kind, self._units)
        assumed, blur = [], BatteryModel.capacity_blur
        if not settings.capacity_ah:
            blur = guess.CAPACITY_BLUR
            assumed.append(f"capacity not configured, taken as {amp_hours:.0f} Ah")
        if not settings.chemistry:
            assumed.append(f"chemistry not configured, taken as {kind}")
        doubt = 0.0 if settings.chemistry else guess.CHEMISTRY_BLUR
        self._assumed = tuple(assumed)
        return BatteryModel(
            Chemistry(kind),
            amp_hours,
            nominal,
            cells=settings.cells,
            bulk_v=ratings.battery_bulk_voltage,
            float_v=ratings.battery_float_voltage,
            cutoff_v=ratings.battery_under_voltage,
            units=self._units,
            capacity_blur=blur,
            voltage_blur=doubt,
        )

    def _use(self, battery: BatteryModel, now: float) -> None:
        old = self._estimator
        if old is None:
            away = self._away
            if away is not None and self._began is not None:
                away += now - self._began
            self._estimator = SocEstimator(battery, self._kept, away=away)
        elif (old.battery.chemistry, old.battery.units) == (
            battery.chemistry,
            battery.units,
        ):
            old.use(battery)
        else:  # only the charge is still valid
            self._estimator = SocEstimator(battery, old.state, away=0.0)

    # -- one reading -------------------------------------------------------------------

    def _estimate(
        self,
        estimator: SocEstimator,
        known: Units,
        missing: float,
        now: float,
        losses: Losses | None,
    ) -> None:
        """Feed the estimator; `missing` is the share of the units without a reading."""
        fitted = [(s, f) for s, f in known if s.battery_fitted]
        awaits = missing and now - self._complete < AWAITED_S
        amps = known_sum([flow.battery_current for _, flow in fitted])
        volts = known_mean([flow.battery_voltage for _, flow in fitted])
        if not missing:
            load_w = known_sum([flow.load for _, flow in known])
            pv_w = known_sum([flow.pv_total for _, flow in known])
        else:
            load_w = pv_w = None  # some of the units give no balance of powers
        estimator.feed(
            volts,
            None if awaits and estimator.soc is not None else amps,
            now,
            stage=_stage(snapshot for snapshot, _ in fitted),
            load_w=load_w,
            pv_w=pv_w,
            mode=_mode(snapshot for snapshot, _ in known),
            losses=losses,
            under_voltage=any(_under_voltage(snapshot) for snapshot, _ in fitted),
            missing=missing,
            panel=known_mean([own_charge(snapshot).percent for snapshot, _ in fitted]),
        )


def _nothing(origin: str, capacity: float | None) -> Charge:
    return Charge(origin=origin, capacity=capacity)


def _stage(snapshots: Iterable[Snapshot]) -> State | None:
    """Return the most advanced charging stage of all chargers."""
    stages = {charge_stage(snapshot) for snapshot in snapshots}
    return next((stage for stage in reversed(STAGES) if stage in stages), None)


def _mode(snapshots: Iterable[Snapshot]) -> str | None:
    """Return the common mode of all units; None if one may draw from the mains."""
    modes = {snapshot.mode for snapshot in snapshots}
    if len(modes) == 1:
        return modes.pop()
    return "B" if modes and modes <= BATTERY_MODES else None


def _under_voltage(snapshot: Snapshot) -> bool:
    warnings = snapshot.warnings
    return warnings is not None and warnings.is_set(UNDER_VOLTAGE)
