"""Asks an inverter everything that can be asked safely, and keeps every byte."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from mppdbus.errors import NoReply, Refused, UnknownLayout
from mppdbus.inverter.detection import Interview
from mppdbus.inverter.known_queries import ROUNDS
from mppdbus.protocol.optional_queries import CAPABILITIES
from mppdbus.protocol.replies.fields import Reading
from mppdbus.recording.recording_link import RecordingLink
from mppdbus.recording.reply_quality import Exchange

HELLO_ATTEMPTS = 3  # some units lose the first request after a pause
ALWAYS = ("QID", "QVFW", "QPIRI", "QFLAG", "QPIGS", "QMOD", "QPIWS")
LIVE = ("QPIGS", "QPIGS2", "QMOD", "QPIWS")
PAUSE = 0.5  # s before a slot is asked again
SLOTS = range(1, 10)  # of a parallel set, beside the unit itself


class Recorder(Interview):
    """Asks all safe queries; `on_query` is called with each before it is sent.

    It sends only queries. A query without an answer is no error.
    """

    def __init__(self, link: RecordingLink, on_query: Callable[[str], None]) -> None:
        super().__init__(link)
        self.link = link
        self._on_query = on_query
        self._live = False

    async def ask_all(self, now: datetime) -> None:
        """Ask all; what is refused or silent is asked again in a second round.

        Raises `NoReply` or `OtherProtocol` if no PI30 unit answers.
        """
        try:
            await self.hello(attempts=HELLO_ATTEMPTS)
        except NoReply:
            with suppress(Refused, UnknownLayout):  # an inverter answers
                await self.read("QPIGS", attempts=1)
        for _ in range(ROUNDS):
            await self.ask_again(("QPI", *ALWAYS), attempts=2)
        await self.ask_optional(now=now)
        for query in ("QPGS0", "QP2GS0"):
            if self.answers.capabilities.has(query):
                await self._ask_slots(query.rstrip("0"))

    async def ask_live(self, enough: Callable[[int], bool]) -> None:
        """Ask the live values repeatedly, until `enough` returns True after a cycle."""
        cycle, self._live = 0, True
        while not enough(cycle):
            for query in LIVE:
                if query not in CAPABILITIES or self.answers.capabilities.has(query):
                    await self.try_read(query, attempts=2)
            cycle += 1

    async def _ask_slots(self, base: str) -> None:
        """Ask for the other units of a set, up to the first that is not there."""
        for number in SLOTS:
            reading = await self.try_read(f"{base}{number}", attempts=2)
            if reading is None:
                await asyncio.sleep(PAUSE)
                reading = await self.try_read(f"{base}{number}", attempts=1)
            if reading is None or getattr(reading, "exists", True) is False:
                return

    async def read(
        self, query: str, *, attempts: int | None = None, patience: float | None = None
    ) -> Reading:
        """Ask, and mark all attempts but the last one as repeated.

        An earlier attempt that gave no answer is marked, too, except for live values.
        """
        if not is_query(query):
            raise ValueError(f"{query} is no query")
        self._on_query(query)
        before = len(self.link.exchanges)
        try:
            return await super().read(query, attempts=attempts, patience=patience)
        finally:
            for number, one in enumerate(self.link.exchanges[:-1]):
                same = one.command == query and not self._live
                if number >= before or (same and _missed(one)):
                    one.final = False


def _missed(one: Exchange) -> bool:
    """Tell whether an exchange gave nothing: silence, or NAK."""
    return not one.response.strip(b"\0") or b"(NAK" in one.response


def is_query(command: str) -> bool:
    """Tell whether a command only asks: all setters begin with another letter."""
    return command.startswith("Q") or command == "VERFW:"
