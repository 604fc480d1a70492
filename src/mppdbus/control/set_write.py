"""One setting of all units of a parallel set, through the cable of one: all, or none.

Only what a document has a command for with the number of a unit in it, and what QPGSn
shows of each unit: so each command is read back at the unit that it is for, and at all
others, which must stay as they are.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from mppdbus.control import write
from mppdbus.control.journal import WrittenSetting, same
from mppdbus.control.plan_run import PlanReport, Tell
from mppdbus.control.settings import ShownSetting, chosen
from mppdbus.control.undo import standing_changes
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import (
    IN_A_SET,
    Permission,
    allowed_setter,
    check_legal,
    parse,
)
from mppdbus.errors import LinkError, NotWritten
from mppdbus.protocol.dialects import FAMILIES
from mppdbus.protocol.identification import Identification
from mppdbus.protocol.replies.parallel import ParallelStatus
from mppdbus.protocol.settings.setters import CommandForm, Setter

MOST_UNITS = 9  # of a set
ROUNDS = 2  # in which a unit that does not answer is asked


@dataclass(frozen=True, slots=True)
class SetMember:
    """One unit: the number that commands name it by, its serial number, its value."""

    number: int
    serial: str
    value: float
    most: float | None = None  # A that it charges with at most


class SetRun:
    """Writes one setting of a whole set.

    `control` is of the unit at the cable. `by` is who writes, for the journal; `tell`
    gets each step.
    """

    def __init__(
        self,
        control: UnitControl,
        name: str,
        permission: Permission,
        *,
        by: str,
        tell: Tell = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        self._control = control
        self._unit = control.unit
        if name not in IN_A_SET:
            chosen(control.settings(), [name])  # is it a setting at all?
            raise NotWritten(
                f"{name}: in a set no document says whether a command reaches one unit "
                f"or all; only {', '.join(IN_A_SET)} can be written; change others at "
                "the panels"
            )
        (self._shown,) = chosen(control.settings(), [name])
        self._setter = _numbered(self._shown, self._unit.found, permission)
        self._by, self._tell, self._now = by, tell, now
        self._begun = now().isoformat(timespec="milliseconds")
        self._writes: list[WrittenSetting] = []
        self._put_back: list[WrittenSetting] = []

    @property
    def shown(self) -> ShownSetting:
        """The setting as the unit at the cable shows it."""
        return self._shown

    async def members(self) -> list[SetMember]:
        """Ask for all units, twice; raises `NotWritten` if they are not sure."""
        found = await self._places()
        serials = [each.serial for each in found]
        if (
            len(set(serials)) < max(2, len(found))
            or self._unit.name not in serials
            or await self._places() != found
        ):
            told = ", ".join(serials) or "nothing"
            raise NotWritten(
                f"{self.name}: the units of the set are not told for sure (QPGS: "
                f"{told}; at this cable: {self._unit.name}); nothing was sent"
            )
        return found

    async def _places(self) -> list[SetMember]:
        self._tell("asking for the units of the set")
        return [m for n in range(MOST_UNITS) if (m := await self._member(n))]

    async def set_all(self, wanted: str | float) -> PlanReport:
        """Write one value to all units; raises `NotWritten`."""
        value = parse(self._shown, wanted)
        check_legal(self._shown, value)
        members = await self.members()
        for each in members:
            if each.most is not None and value > each.most and self._shown.unit == "A":
                raise NotWritten(
                    f"{self.name}: unit {each.serial} takes {each.most:g} A at most; "
                    "nothing was sent"
                )
        return await self._run(members, {each.serial: value for each in members})

    async def undo(self) -> PlanReport:
        """Write what each unit had before the last change; raises `NotWritten`."""
        members = await self.members()
        writes = [w for w in self._control.journal.writes() if w.setting == self.name]
        last: list[WrittenSetting] = []
        for member in members:
            last += standing_changes([w for w in writes if w.unit == member.serial])
        plan = max((each.plan for each in last), default="")
        group = {w.unit: w for w in last if w.plan and w.plan == plan}
        if not group:
            raise NotWritten(f"{self.name}: nothing of this set is left to undo")
        for member in members:
            mine = group.get(member.serial)
            if mine and not any(same(member.value, v) for v in (mine.value, mine.old)):
                raise NotWritten(
                    f"{self.name}: unit {member.serial} shows "
                    f"{self._shown.text(member.value)}: somebody changed it since; "
                    "nothing was sent"
                )
        old = {unit: w.old for unit, w in group.items() if w.old is not None}
        times = {unit: each.time for unit, each in group.items()}
        return await self._run([m for m in members if m.serial in old], old, times)

    @property
    def name(self) -> str:
        """The name of the setting."""
        return self._shown.name

    async def _run(
        self,
        members: Sequence[SetMember],
        wanted: Mapping[str, float],
        undoes: Mapping[str, str] | None = None,
    ) -> PlanReport:
        """Write unit by unit; a mismatch stops it, and what was done is put back."""
        commands = self._commands(members, wanted)
        for member in members:
            self._control.journal.check_budget(
                member.serial, self.name, self._now(), writes=1 if undoes else 2
            )
        before = {each.serial: each.value for each in members}
        async with self._control.turn:
            why = ""
            try:
                for member in members:
                    if why or same(member.value, wanted[member.serial]):
                        continue
                    at = (undoes or {}).get(member.serial, "")
                    command = commands[member.serial]
                    value = wanted[member.serial]
                    why = await self._step(member, command, value, at, self._writes)
                why = why or await self._confirm(members, {**before, **wanted})
                if not why:
                    return PlanReport(self._writes)
                left = await self._backward(members, before)
            except NotWritten as error:
                if not self._writes:
                    raise
                why, left = str(error), await self._backward(members, before)
            except LinkError as error:
                if not self._writes:
                    raise
                why, left = str(error), dict.fromkeys(before, str(error))
        return PlanReport(self._writes, why, self._put_back, left)

    def _commands(
        self, members: Sequence[SetMember], wanted: Mapping[str, float]
    ) -> dict[str, str]:
        """Return the command of each unit; raises `NotWritten` for what none can say.

        A command whose digits are another legal value to a firmware without numbers of
        units is not sent: MUCHGC130 is 30 A of unit 1 to one, and 130 A to another.
        Then it is the form of three digits, MUCHGC1030, which that one refuses.
        """
        legal = self._shown.allowed.values if self._shown.allowed else ()
        template = self._setter.template
        forms = (
            CommandForm(template, self._setter.largest),
            CommandForm(template.replace("{value:02d}", "{value:03d}"), 999),
        )
        found = dict[str, str]()
        for member in members:
            value = wanted[member.serial]
            for form in forms:
                with suppress(ValueError):
                    command = form.command(int(value), member.number)
                    digits = int("".join(filter(str.isdigit, command)))
                    if not member.number or digits not in legal:
                        found.setdefault(member.serial, command)
            if member.serial not in found:
                raise NotWritten(
                    f"{self.name}: no command says {self._shown.text(value)} for unit "
                    f"{member.serial} alone; nothing was sent"
                )
        return found

    async def _step(
        self,
        member: SetMember,
        command: str,
        value: float,
        undoes: str,
        log: list[WrittenSetting],
    ) -> str:
        """Write to one unit, and read it back; return why it failed, else ""."""
        journal, serial = self._control.journal, member.serial
        self._tell(f"unit {serial}")
        begun = WrittenSetting(
            time=self._now().isoformat(timespec="milliseconds"),
            unit=serial,
            model=self._unit.model,
            firmware=self._unit.firmware,
            setting=self.name,
            command=command,
            old=member.value,
            value=value,
            by=self._by,
            plan=self._begun,
            undoes=undoes,
        )
        await asyncio.to_thread(journal.begin, begun)
        accepted = await write.send_once(self._unit.link, command)
        observed = await self._settle(member, value, accepted=accepted)
        text = "nothing" if observed is None else self._shown.text(observed)
        said = {True: "accepted", False: "refused (NAK)", None: "no answer came"}
        done = same(observed, value)
        why = said[accepted] + (
            ", and the unit shows it" if done else f", but the unit shows {text}"
        )
        verdict = replace(
            begun, accepted=accepted, observed=value if done else observed, why=why
        )
        log.append(verdict)
        with suppress(NotWritten):  # it began there, and the report has its end
            await asyncio.to_thread(journal.end, verdict)
        return "" if done else f"unit {serial}: {why}"

    async def _settle(
        self, member: SetMember, value: float, *, accepted: bool | None
    ) -> float | None:
        """Return what a unit shows after a write; it may take a while."""
        observed: float | None = None
        for number in range(write.SOON_READINGS):
            if number:
                await asyncio.sleep(write.SOON)
            told = await self._member(member.number)
            observed = told.value if told and told.serial == member.serial else None
            if same(observed, value):
                return observed
        if accepted is not False:  # some act later
            await asyncio.sleep(write.LATER)
            told = await self._member(member.number)
            observed = told.value if told and told.serial == member.serial else None
        return observed

    async def _confirm(
        self, members: Sequence[SetMember], wanted: Mapping[str, float]
    ) -> str:
        """Read all units later; return what is not as wanted, else ""."""
        if not self._writes:
            return ""
        self._tell("reading all units back")
        await asyncio.sleep(write.LATER)
        for serial, value in (await self._told(members)).items():
            if not same(value, wanted[serial]):
                text = "nothing" if value is None else self._shown.text(value)
                return (
                    f"unit {serial} shows {text}, and not "
                    f"{self._shown.text(wanted[serial])}"
                )
        return ""

    async def _backward(
        self, members: Sequence[SetMember], before: Mapping[str, float]
    ) -> dict[str, str]:
        """Put back what is not as before; return what could not be, and why."""
        self._tell("putting all units back")
        times = {w.unit: w.time for w in self._writes}
        told, left = await self._told(members), dict[str, str]()
        for member in members:
            value, old = told[member.serial], before[member.serial]
            if same(value, old) or member.serial not in times:
                continue
            try:
                command = self._commands([member], before)[member.serial]
                now = replace(member, value=old if value is None else value)
                time = times[member.serial]
                why = await self._step(now, command, old, time, self._put_back)
            except NotWritten as error:
                why = str(error)
            if why:
                left[member.serial] = why
        for serial, value in (await self._told(members)).items():
            if not same(value, before[serial]):
                text = "nothing" if value is None else self._shown.text(value)
                left.setdefault(serial, f"it shows {text}")
        return left

    async def _told(self, members: Sequence[SetMember]) -> dict[str, float | None]:
        """Return what all units show now, by serial number; None: not told."""
        found = [m for each in members if (m := await self._member(each.number))]
        values = {each.serial: each.value for each in found}
        return {each.serial: values.get(each.serial) for each in members}

    async def _member(self, number: int) -> SetMember | None:
        """Ask QPGSn; None for a place without a unit, in two rounds."""
        for _ in range(ROUNDS):
            told = await self._unit.read(f"QPGS{number}")
            if not isinstance(told, ParallelStatus):
                continue
            value = getattr(told, self.name)
            if not told.exists or told.serial is None or value is None:
                return None
            return SetMember(number, told.serial, value, told.max_charging_range)
        return None


def _numbered(
    shown: ShownSetting, found: Identification, permission: Permission
) -> Setter:
    """Return the command that names a unit; raises `NotWritten` if there is none."""
    if found.dialect.phases > 1:
        raise NotWritten("a set of units with two phases each is not written yet")
    setter = allowed_setter(shown, found, permission)
    setters = {each.name: each for each in FAMILIES[found.dialect.name].setters}
    setter = setters.get(f"{shown.name}_of_unit", setter)
    if "{unit}" not in setter.template:
        raise NotWritten(
            f"{shown.name}: no document of its family ({found.dialect.title}) has a "
            "command with the number of a unit; change it at the panels"
        )
    return setter


def last_of_a_set(writes: Sequence[WrittenSetting]) -> str:
    """Return the setting of the last change of a set; raises `NotWritten`."""
    for each in reversed(writes):
        if each.setting in IN_A_SET and each.plan and not each.undoes:
            return each.setting
    raise NotWritten("nothing of this set was changed from here")
