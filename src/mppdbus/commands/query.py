"""`mppdbus query`: asks an inverter and shows its replies with units."""

import argparse
import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from mppdbus.commands.decoded_reply import DecodedReply
from mppdbus.commands.output import DONE, NO_DEVICE, SAID_NO, Output, how_called
from mppdbus.commands.progress import Progress
from mppdbus.commands.target import (
    Target,
    add_line_arguments,
    add_port_arguments,
    choose_target,
)
from mppdbus.errors import (
    ConfigError,
    LinkError,
    MppdbusError,
    NoReply,
    PortError,
    PortLost,
    Refused,
    UnknownLayout,
)
from mppdbus.inverter.detection import Interview
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.optional_queries import CAPABILITIES
from mppdbus.protocol.plausibility import Plausibility
from mppdbus.protocol.queries import base_command
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.status import DeviceMode
from mppdbus.protocol.settings.never_sent import never_sent
from mppdbus.recording.recording_link import RecordingLink

_QUERY = re.compile(r"Q[A-Z0-9]{1,14}|VERFW:")
# Queries that show the family, a tenth of a second each. The model name is always
# asked, because clones may copy everything else.
ALWAYS_NAMING = ("QPI", "QMN")
MORE_NAMING = ("QGMN", "QVFW")
# Queries whose replies mean different things in different families.
FAMILY_MATTERS = {"QPIGS", "QPIRI", "QPIWS", "QDI", "QPGS", "QP2GS", "QOPM"}


# Queries that every unit knows; the others are in `CAPABILITIES`.
BASIC = {
    "QPI": "protocol",
    "QID": "serial number",
    "QVFW": "firmware",
    "QMOD": "mode: line, battery, fault …",
    "QPIGS": "live values: voltages, powers, battery, PV",
    "QPIRI": "ratings and settings",
    "QPIWS": "warnings and faults",
    "QFLAG": "which functions are on",
}
AGAIN = 0.5  # s of pause before a second question, so that a mishap is over


def optional_answers() -> dict[str, str]:
    """Return the queries that a unit may lack, and what they answer."""
    dates = {"": "", "%Y": "YYYY", "%Y%m": "YYYYMM", "%Y%m%d": "YYYYMMDD"}
    rows = CAPABILITIES.values()
    return {row.query + dates[row.date]: row.answers for row in rows}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("commands", nargs="*", metavar="CMD", help="QPIGS, QMOD, …")
    parser.add_argument("--list", action="store_true", help="show the queries and end")
    parser.add_argument("--raw", action="store_true", help="show the bytes, too")
    parser.add_argument("--json", action="store_true", help="one object a command")
    add_port_arguments(parser)
    add_line_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Ask all queries; return 1 if one failed or was refused, 3 without any answer."""
    if args.list:
        for query, what in (BASIC | optional_answers()).items():
            print(f"{query:<11}  {what}")  # noqa: T201
        return DONE
    if not args.commands:
        raise ConfigError("say what to ask, such as QPIGS; --list shows all queries")
    commands = [parse_query(word) for word in args.commands]
    target = await choose_target(args)
    output = Output(as_json=args.json)
    answers: list[Answer] = []
    with Progress() as progress:
        progress.show(f"opening {target.port}")
        async with target.recording_link() as link:
            asker = Asker(link, fixed=target.dialect)
            for command in commands:
                progress.show(f"asking {command}")
                answer = await asker.answer(command)
                answers.append(answer)
                progress.clear()
                text = "\n".join(answer.lines(raw=args.raw))
                output.record(answer.record(raw=args.raw), text)
                if isinstance(answer.result.error, PortError):
                    break
            silent = link.silent
    if silent and all(isinstance(one.result.error, NoReply) for one in answers):
        output.line(f"\n{silence_line(target)}")
    return _exit_code(answers)


def silence_line(target: Target) -> str:
    """Return what to check where no byte has come."""
    speed = ""
    if target.port.scheme == "serial":
        speed = f" Is its speed another one (--baud, {target.baud} now)?"
    return (
        f"Nothing at all came from {target.port.label}. Is the inverter switched on, "
        f"and is it\nthe cable that came with it? Does another program use it?{speed}"
    )


def parse_query(word: str) -> str:
    """Return a query as it is sent; raises `ConfigError` for anything else."""
    command = word.upper()
    if never_sent(command):
        raise ConfigError(f"{word} is never sent: it may do harm; nothing was sent")
    if _QUERY.fullmatch(command):
        return command
    if re.fullmatch(r"[A-Z]+[0-9.]*", command):
        raise ConfigError(
            f"{word} would change a setting, and query only asks; nothing was sent. "
            "Queries begin with Q: QPIGS, QMOD"
        )
    raise ConfigError(f"{word!r} is no query; {how_called()} query --list shows all")


def _exit_code(answers: list["Answer"]) -> int:
    if all(isinstance(answer.result.error, LinkError) for answer in answers):
        return NO_DEVICE
    failed = (a.result.error or a.result.acknowledged is False for a in answers)
    return SAID_NO if any(failed) else DONE


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to a query, how many ms it took, and the bytes sent and received."""

    result: DecodedReply
    ms: int
    sent: bytes
    received: bytes

    def record(self, *, raw: bool) -> dict[str, Any]:
        """Return the answer for scripts."""
        record = {**self.result.record(), "ms": self.ms}
        if raw:
            record |= {"sent_hex": self.sent.hex(), "response_hex": self.received.hex()}
        return record

    def lines(self, *, raw: bool) -> list[str]:
        """Return the answer for people."""
        dump = [*hex_dump(">", self.sent), *hex_dump("<", self.received)]
        head = f"{self.result.command}  {self.ms} ms"
        return [head, *(dump if raw else ()), *self.result.lines()]


def hex_dump(mark: str, data: bytes) -> list[str]:
    """Return 16 bytes a line, as hex and as text."""
    lines = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        lines.append(f"  {mark} {part.hex(' '):<47}  {text}")
    return lines or [f"  {mark} nothing"]


class Asker:
    """Asks queries, and finds the family where their meaning depends on it."""

    def __init__(self, link: RecordingLink, *, fixed: str) -> None:
        self._link = link
        self._fixed = DIALECTS.get(fixed)
        self._named = False
        self._interview = Interview(link)

    async def answer(self, command: str) -> Answer:
        """Ask one query; errors are in the result."""
        loop = asyncio.get_running_loop()
        result = DecodedReply(command, DIALECTS["pi30"])
        began, before = loop.time(), len(self._link.exchanges)
        try:
            await self._ask(command, result)
        except MppdbusError as error:
            result.error = error
        took = self._link.stats.last_exchange
        if result.error is not None or took is None:
            took = loop.time() - began
        exchanges = self._link.exchanges[before:]
        sent = b"".join(one.request for one in exchanges)
        received = b"".join(one.response for one in exchanges)
        if isinstance(result.error, UnknownLayout):
            words = (result.payload or b"").decode("ascii", "replace")
            result.warnings.append(f"the reply was: {words}")
        if result.reading is not None:
            await self._explain(result)
        return Answer(result, round(took * 1000), sent, received)

    async def _ask(self, command: str, result: DecodedReply) -> None:
        payloads, name = self._interview.answers.payloads, base_command(command)
        payloads.pop(name, None)
        try:
            result.reading = await self._read_twice(command)
        except Refused:
            result.acknowledged = False
        except UnknownLayout as error:
            if not result.take_partial(error):
                raise
        finally:
            result.payload = payloads.get(name)

    async def _read_twice(self, command: str) -> Reading:
        """Ask once more after NAK or silence, as either may be a mishap."""
        try:
            return await self._interview.read(command)
        except (Refused, NoReply):
            await asyncio.sleep(AGAIN)
        return await self._interview.read(command, attempts=1)

    async def _explain(self, result: DecodedReply) -> None:
        """Decode the reply by its family; ask for the family if needed."""
        command = base_command(result.command or "")
        answers = self._interview.answers
        mode = answers.readings.get("QMOD")
        result.mode = mode.mode if isinstance(mode, DeviceMode) else None
        if self._fixed is None and command in FAMILY_MATTERS and not self._named:
            self._named = True
            with suppress(PortLost):  # the query itself has been answered
                for query in ALWAYS_NAMING:
                    if query not in answers.readings:
                        await self._interview.try_read(query, attempts=2)
                await self._interview.ask_until_sure(MORE_NAMING)
        found = answers.identification
        if self._fixed is not None:
            found = replace(found, dialect=self._fixed, confidence=1.0)
        result.speak(found)
        result.remark(Plausibility(found))
