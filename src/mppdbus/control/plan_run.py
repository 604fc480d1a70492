"""Runs a plan step by step: a mismatch stops it, and what was done is put back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mppdbus.control.journal import WrittenSetting, described, same
from mppdbus.control.plan import Wanted
from mppdbus.control.settings import ShownSetting
from mppdbus.control.settings_file import differences
from mppdbus.control.write_check import PlannedWrite
from mppdbus.errors import BusError, LinkError, NotWritten

Tell = Callable[[str], None]


class PlannedUnit(Protocol):
    """The inverter that a plan is for. All raise `NotWritten` for what is refused."""

    @property
    def settings(self) -> Sequence[ShownSetting]:
        """The settings as they were read last."""

    def plan(self, wanted: Wanted, *, room: int = 1) -> list[PlannedWrite]:
        """Return the steps to these values; `room` writes of each must be left today.

        Nothing is sent.
        """

    def check(self, name: str, value: float) -> None:
        """Return if a value could be written, whatever the others are."""

    async def write(
        self, step: PlannedWrite, *, plan: str, rest: dict[str, float], undoes: str
    ) -> WrittenSetting:
        """Write one step; `plan`, `rest` and `undoes` are for the journal."""


@dataclass(frozen=True, slots=True)
class PlanReport:
    """How a plan ended. `why` it stopped: "" if all is as wanted.

    `writes` are the steps, `put_back` what was written to undo them, `left` what could
    not be put back, with the reason.
    """

    writes: Sequence[WrittenSetting]
    why: str = ""
    put_back: Sequence[WrittenSetting] = ()
    left: Mapping[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the inverter shows all that was wanted."""
        return not self.why

    def record(self) -> dict[str, object]:
        """Return the report for scripts."""
        return {
            "done": self.done,
            "why": self.why,
            "writes": [described(each) for each in self.writes],
            "put_back": [described(each) for each in self.put_back],
            "left": dict(self.left),
        }


class PlanRun:
    """One run of a plan.

    `begun` is its time, for the journal. `undoes` says of settings which write is taken
    back by that: its time. `tell` is called with each step, for people.
    """

    def __init__(
        self,
        unit: PlannedUnit,
        begun: str,
        *,
        undoes: Mapping[str, str] | None = None,
        tell: Tell = lambda _: None,
    ) -> None:
        self._unit = unit
        self._begun = begun
        self._undoes = undoes or {}
        self._tell = tell
        self._writes: list[WrittenSetting] = []
        self._put_back: list[WrittenSetting] = []

    async def run(self, wanted: Wanted) -> PlanReport:
        """Write what is wanted; raises `NotWritten` if nothing could be sent at all."""
        # What cannot be put back for lack of budget is better not begun.
        steps = self._unit.plan(wanted, room=1 if self._undoes else 2)
        try:
            why = await self._forward(wanted, steps)
        except NotWritten as error:
            why = str(error)
            if not self._writes:
                raise
        except (LinkError, BusError) as error:
            if not self._writes:
                raise
            return self._report(str(error), dict.fromkeys(self._changed(), str(error)))
        if not why:
            return self._report()
        return self._report(why, await self._backward())

    async def _forward(self, wanted: Wanted, steps: list[PlannedWrite]) -> str:
        """Write step by step; return why it stopped, "" if all is as wanted."""
        while steps:
            rest = {step.shown.name: step.value for step in steps[1:]}
            number = len(self._writes) + 1
            name = steps[0].shown.name
            self._tell(f"step {number} of {number + len(rest)}: {name}")
            verdict = await self._write(steps[0], rest, self._undoes.get(name, ""))
            self._writes.append(verdict)
            if not verdict.done:
                return f"{name}: {verdict.why}"
            # What a step has changed besides, as a battery type does, counts.
            steps = self._unit.plan({name: wanted[name] for name in rest})
        for shown, value in differences(self._unit.settings, wanted):
            text = shown.text(shown.value)
            return f"{shown.name}: the inverter shows {text} again, and not {value}"
        return ""

    async def _backward(self) -> dict[str, str]:
        """Put back what the steps have changed; return what could not be, and why."""
        wanted, left = dict[str, float](), dict[str, str]()
        for name, (value, _) in self._changed().items():
            try:
                self._unit.check(name, value)
            except NotWritten as error:
                left[name] = str(error)
            else:
                wanted[name] = value
        while wanted:
            try:
                steps = self._unit.plan(wanted)
                if not steps:
                    break
                await self._put(steps, wanted, left)
            except (NotWritten, LinkError, BusError) as error:
                left |= dict.fromkeys(wanted, str(error))
                break
        return left

    async def _put(
        self,
        steps: Sequence[PlannedWrite],
        wanted: dict[str, float],
        left: dict[str, str],
    ) -> None:
        """Put one setting back, and take it from what is wanted."""
        name = steps[0].shown.name
        rest = {step.shown.name: step.value for step in steps[1:]}
        self._tell(f"putting {name} back")
        verdict = await self._write(steps[0], rest, self._changed()[name][1])
        self._put_back.append(verdict)
        del wanted[name]
        if not verdict.done:
            left[name] = verdict.why

    async def _write(
        self, step: PlannedWrite, rest: dict[str, float], undoes: str
    ) -> WrittenSetting:
        return await self._unit.write(step, plan=self._begun, rest=rest, undoes=undoes)

    def _changed(self) -> dict[str, tuple[float, str]]:
        """Return what the steps changed: the value before, the time of the write."""
        return before(self._writes)

    def _report(
        self, why: str = "", left: Mapping[str, str] | None = None
    ) -> PlanReport:
        return PlanReport(self._writes, why, self._put_back, left or {})


def before(writes: Sequence[WrittenSetting]) -> dict[str, tuple[float, str]]:
    """Return what some writes have changed: the value before, the time of the write.

    What is not known to be as before counts as changed.
    """
    found: dict[str, tuple[float, str]] = {}
    for write in reversed(writes):
        if same(write.observed, write.old) or write.old is None:
            continue
        found |= {name: (value, write.time) for name, value in write.also.items()}
        found[write.setting] = write.old, write.time
    return found
