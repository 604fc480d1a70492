"""What the rules of the config want to be set, and since when; pure.

The daemon and the rehearsal ask the same `Rulebook`, so they decide the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mppdbus.config.rules import RuleConfig
from mppdbus.model.views import UnitView

# How far a value must go back before a condition ends that was met, so that a value at
# its limit does not switch for ever.
SOC_MARGIN = 3.0  # %
VOLTAGE_MARGIN = 0.01  # of the limit: 0.5 V of 50 V
PV_MARGIN = 0.1  # of the limit
LEAST_PV_MARGIN = 50.0  # W
MINUTE = 60.0  # s


@dataclass(frozen=True, slots=True)
class Situation:
    """What rules look at, at one moment; None is unknown.

    `when` is local time, which may jump; `at` that moment in s of a steady clock.
    """

    when: datetime
    at: float
    soc: float | None = None  # %
    voltage: float | None = None  # V of the battery
    pv: float | None = None  # W
    grid: bool | None = None  # whether the mains are there

    def text(self) -> str:
        """Return what is known, for people."""
        parts = [
            "" if self.soc is None else f"charge {self.soc:.0f} %",
            "" if self.voltage is None else f"battery {self.voltage:.1f} V",
            "" if self.pv is None else f"sun {self.pv:.0f} W",
            {None: "", True: "mains there", False: "no mains"}[self.grid],
        ]
        return ", ".join(filter(None, parts)) or "nothing known"


@dataclass(frozen=True, slots=True)
class RuleSwitch:
    """A setting that is to be changed now: by which rule, and why in words.

    `initial`: the rule counts since the first look, so it may have been at work before.
    """

    rule: str
    setting: str
    value: float | str
    why: str
    initial: bool = False


@dataclass(slots=True)
class _RuleState:
    """Whether the measured conditions of a rule are met, and for how long."""

    met: bool | None = None  # at the last look; None: not known
    since: float = 0.0  # s, of `met`
    holds: bool | None = None  # the same, but lasting for the minutes of the rule


@dataclass(slots=True)
class _SettingState:
    """The rule that counts for a setting; None if none does."""

    rule: RuleConfig | None
    at: float | None = None  # s, of the last switch


class Rulebook:
    """The rules of one inverter; of those for the same setting the first one counts.

    If none of them is met, the setting stays as it is. A rule speaks when it begins to
    count, not for ever: what the user changes after that stays until the next one.
    """

    def __init__(self, rules: Iterable[RuleConfig]) -> None:
        self.rules = tuple(rules)
        self._states = tuple(_RuleState() for _ in self.rules)
        self._settings: dict[str, _SettingState] = {}

    def decide(self, now: Situation) -> list[RuleSwitch]:
        """Return what is to be switched; call it at every look, in the order of time.

        While something that a rule needs is unknown, the settings that depend on it
        stay as they are.
        """
        first: dict[str, RuleConfig | bool | None] = {}
        for state, rule in zip(self._states, self.rules, strict=True):
            counts = _counts(state, rule, now)
            if first.get(rule.setting, False) is False:
                first[rule.setting] = rule if counts else counts
        switches: list[RuleSwitch] = []
        for setting, found in first.items():
            if isinstance(found, RuleConfig):
                switches += self._begin(setting, found, now)
            elif found is False and setting in self._settings:
                self._settings[setting].rule = None
            elif found is False:
                self._settings[setting] = _SettingState(None)
        return switches

    def _begin(
        self, setting: str, rule: RuleConfig, now: Situation
    ) -> Iterator[RuleSwitch]:
        """Yield the switch of a rule that counts now, unless it did before."""
        known = self._settings.get(setting) or _SettingState(None)
        soon = known.at is not None and now.at - known.at < rule.minutes * MINUTE
        if known.rule is rule or soon:
            return
        initial = setting not in self._settings
        self._settings[setting] = _SettingState(rule, now.at)
        yield RuleSwitch(rule.called, setting, rule.value, reason(rule, now), initial)


def _counts(state: _RuleState, rule: RuleConfig, now: Situation) -> bool | None:
    """Tell whether a rule counts now; None while that is not known."""
    met = all_met(conditions(rule, now, met=state.holds is True))
    if met is not state.met:
        state.met, state.since = met, now.at
    # Where nothing is measured, nothing can flutter.
    lasting = rule.minutes * MINUTE if measures(rule) else 0.0
    if met is not None and now.at - state.since >= lasting:
        state.holds = met
    return state.holds if in_window(rule, now.when) else False


def conditions(rule: RuleConfig, now: Situation, *, met: bool) -> Iterator[bool | None]:
    """Yield whether each measured condition is met; `met`: they were until now."""
    back = 1.0 if met else 0.0
    volts = VOLTAGE_MARGIN * (rule.voltage_above or rule.voltage_below or 0.0)
    watts = max(PV_MARGIN * (rule.pv_above or rule.pv_below or 0.0), LEAST_PV_MARGIN)
    for value, above, below, margin in (
        (now.soc, rule.soc_above, rule.soc_below, SOC_MARGIN),
        (now.voltage, rule.voltage_above, rule.voltage_below, volts),
        (now.pv, rule.pv_above, rule.pv_below, watts),
    ):
        if above is not None:
            yield None if value is None else value > above - back * margin
        if below is not None:
            yield None if value is None else value < below + back * margin
    if rule.grid is not None:
        yield None if now.grid is None else now.grid is rule.grid


def all_met(found: Iterable[bool | None]) -> bool | None:
    """Return False if one is not met, else None if one is not known, else True."""
    answers = set(found)
    if False in answers:
        return False
    return None if None in answers else True


def measures(rule: RuleConfig) -> bool:
    """Tell whether a rule looks at anything but the clock."""
    nothing = Situation(datetime.min, 0.0)  # noqa: DTZ901 - of no zone
    return any(True for _ in conditions(rule, nothing, met=False))


def in_window(rule: RuleConfig, when: datetime) -> bool:
    """Tell whether it is the time of day for a rule; the end does not count."""
    if (window := rule.window) is None:
        return True
    begin, end = window
    now = when.time().replace(tzinfo=None)
    return begin <= now < end if begin < end else now >= begin or now < end


def reason(rule: RuleConfig, now: Situation) -> str:
    """Say in words why a rule counts now."""
    window = f"{rule.begin} to {rule.end}; " if rule.begin else ""
    known = f" ({now.text()})" if measures(rule) else ""
    return f"rule {rule.called}: {window}{now.when:%H:%M}{known}"


def situation(view: UnitView, when: datetime, at: float) -> Situation:
    """Return what rules look at of one inverter."""
    power = view.flow
    soc, present = view.charge.percent, power.mains_present
    return Situation(when, at, soc, power.battery_voltage, power.pv_total, present)
