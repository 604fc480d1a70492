"""Asks an inverter who it is; the one interview of daemon and commands."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable

from mppdbus.errors import LinkError, PortLost, ProtocolError, Refused, UnknownLayout
from mppdbus.inverter import timing
from mppdbus.inverter.known_queries import KnownQueries
from mppdbus.protocol.replies.fields import Reading

MOST_SERIALS = 5  # times that QID is asked until the same number comes twice


class Interviewer(ABC):
    """Asks in rounds, because one reply decides nothing.

    `read` keeps what it learns: the readings, and in `known` which queries there are.
    """

    def __init__(self) -> None:
        self.known = KnownQueries()
        self.serial_is_sure = False  # QID has said the same twice

    @abstractmethod
    async def read(
        self, query: str, *, attempts: int | None = None, patience: float | None = None
    ) -> Reading:
        """Ask and keep; raises `LinkError`, `Refused`, `OtherProtocol` …

        `attempts` and `patience` (s) replace those of the link.
        """

    async def try_read(
        self, query: str, *, attempts: int | None = None, patience: float | None = None
    ) -> Reading | None:
        """Read an optional query; None for any failure except `PortLost`."""
        try:
            return await self.read(query, attempts=attempts, patience=patience)
        except PortLost:
            raise
        except (LinkError, ProtocolError):
            return None

    async def hello(
        self, *, attempts: int | None = None, patience: float | None = None
    ) -> bool:
        """Ask QPI; False if it is refused or unknown, as on some PI30 units.

        Raises `NoReply`, `OtherProtocol` and the like if there is no PI30 unit.
        """
        try:
            await self.read("QPI", attempts=attempts, patience=patience)
        except (Refused, UnknownLayout):
            return False
        return True

    async def introduce(self) -> None:
        """Ask QPI and QID; raises as `hello` does.

        A NAK to QPI counts as PI30, because QPIGS must still be answered. The serial is
        unknown while QID is refused, not answered or unreadable.
        """
        await self.hello()
        await self.ask_serial(attempts=timing.ATTEMPTS_SERIAL)

    async def ask_serial(self, *, attempts: int | None = None) -> None:
        """Ask QID until the same number comes twice in a row; many replies look so.

        Between two questions the line is left alone, so that strays pass.
        """
        last = None
        for _ in range(MOST_SERIALS):
            said = await self.try_read("QID", attempts=attempts)
            self.serial_is_sure = said is not None and said == last
            last = said or last
            if last is None or self.serial_is_sure:
                return
            await asyncio.sleep(timing.SETTLE)

    async def ask_again(
        self,
        queries: Iterable[str],
        *,
        attempts: int | None = None,
        patience: float | None = None,
    ) -> None:
        """Ask those of the queries once more that were never answered."""
        for query in queries:
            if query not in self.known.answered:
                await self.try_read(query, attempts=attempts, patience=patience)
