"""A link that keeps every byte that passes over its line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mppdbus.inverter.link import Link
from mppdbus.recording.reply_quality import Exchange
from mppdbus.transport import open_transport
from mppdbus.transport.port_url import PortUrl


class RecordingLink(Link):
    """A link that keeps all requests and replies, and the time of each byte."""

    sleeps = False

    def __init__(self, name: str, *, patience: float) -> None:
        super().__init__(name, patience=patience)
        self.exchanges: list[Exchange] = []
        self._clock = asyncio.get_running_loop().time
        self._began = self._sent = self._clock()

    def data_received(self, data: bytes) -> None:
        """Store the bytes of the last request, and handle them as `Link` does."""
        if self.exchanges:
            self.exchanges[-1].response += data
            self.exchanges[-1].ms = round((self._clock() - self._sent) * 1000)
        super().data_received(data)

    def send(self, data: bytes) -> None:
        """Begin an exchange, and send the request."""
        self._sent = self._clock()
        t_ms = round((self._sent - self._began) * 1000)
        self.exchanges.append(Exchange(data[:-3].decode("ascii"), data, t_ms=t_ms))
        super().send(data)


@asynccontextmanager
async def recording_link(
    port: PortUrl, *, name: str, baud: int, patience: float
) -> AsyncIterator[RecordingLink]:
    """Open a port to record; raises `PortError`. `patience` is in s."""
    link = RecordingLink(name, patience=patience)
    try:
        link.attach(await open_transport(port, link, baud=baud))
        yield link
    finally:
        await link.close()
