"""The least that a service can do, as a practical limit to compare with.

    proto.py BUS-ADDRESS TTY fast|SECONDS

One file, no models, no checks, no second attempts: QPIGS as often as asked, with QMOD
and QPIWS after every tenth; values by position; one ItemsChanged a reply.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import tty
from contextlib import suppress
from typing import Any

from crcmod import mkCrcFun
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

NAME = "com.victronenergy.inverter.proto"
ITEM = "com.victronenergy.BusItem"
BYTE = 10 / 2400  # s
GUARD = 0.004  # s before the expected end of a reply at which we look
CRC = mkCrcFun(0x11021, initCrc=0, rev=False)
PATHS = {  # path → (word of QPIGS, text)
    "/Ac/In/L1/V": (0, "{:.1f} V"),
    "/Ac/In/L1/F": (1, "{:.1f} Hz"),
    "/Ac/Out/L1/V": (2, "{:.1f} V"),
    "/Ac/Out/L1/F": (3, "{:.1f} Hz"),
    "/Ac/Out/L1/S": (4, "{:.0f} VA"),
    "/Ac/Out/L1/P": (5, "{:.0f} W"),
    "/Load": (6, "{:.0f} %"),
    "/BusVoltage": (7, "{:.0f} V"),
    "/Dc/0/Voltage": (8, "{:.2f} V"),
    "/Dc/0/Current": (9, "{:.0f} A"),
    "/Soc": (10, "{:.0f} %"),
    "/Temperature": (11, "{:.0f} C"),
    "/Pv/V": (13, "{:.1f} V"),
    "/Yield/Power": (19, "{:.0f} W"),
}


class Line:
    """The serial port; sleeps while a reply is known to be on its way."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)
        settings = termios.tcgetattr(self._fd)
        settings[4] = settings[5] = termios.B2400
        termios.tcsetattr(self._fd, termios.TCSANOW, settings)
        self._loop = asyncio.get_running_loop()
        self._took: dict[str, float] = {}
        self._buffer = bytearray()
        self._reply: asyncio.Future[bytes]

    async def ask(self, command: str) -> bytes:
        """Return the payload that answers `command`."""
        self._reply = self._loop.create_future()
        self._buffer.clear()
        data = command.encode()
        os.write(self._fd, data + CRC(data).to_bytes(2, "big") + b"\r")
        began = self._loop.time()
        wake = began + self._took.get(command, 0.0) - GUARD
        if wake > began:
            self._loop.call_at(wake, self._listen)
        else:
            self._listen()
        try:
            payload = await asyncio.wait_for(self._reply, 3)
        finally:
            self._loop.remove_reader(self._fd)
        self._took[command] = self._loop.time() - began
        return payload

    def _listen(self) -> None:
        self._loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        self._buffer += os.read(self._fd, 512)
        if self._buffer.endswith(b"\r"):
            data = bytes(self._buffer)
            if CRC(data[:-3]).to_bytes(2, "big") == data[-3:-1]:
                self._reply.set_result(data[1:-3])


class Service:
    """Values on the bus."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._rows: dict[str, dict[str, Variant]] = {}
        bus.add_message_handler(self._call)

    def show(self, payload: bytes) -> None:
        """Publish a QPIGS."""
        words = payload.decode().split()
        changed = {}
        for path, (place, text) in PATHS.items():
            value = float(words[place])
            old = self._rows.get(path)
            if old is None or old["Value"].value != value:
                changed[path] = {
                    "Value": Variant("d", value),
                    "Text": Variant("s", text.format(value)),
                }
        self._rows |= changed
        if changed:
            self._bus.send(
                Message.new_signal("/", ITEM, "ItemsChanged", "a{sa{sv}}", [changed])
            )

    def _call(self, message: Message) -> bool:
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        body: tuple[str, Any] = ("", None)
        if message.member == "GetItems":
            body = ("a{sa{sv}}", self._rows)
        elif message.member == "GetValue" and message.path in self._rows:
            body = ("v", self._rows[message.path]["Value"])
        reply = Message.new_method_return(
            message, body[0], [body[1]] if body[0] else []
        )
        self._bus.send(reply)
        return True


async def run(address: str, path: str, poll: str) -> None:
    """Serve until SIGTERM ends the process."""
    line = Line(path)
    bus = await MessageBus(bus_address=address).connect()
    service = Service(bus)
    await line.ask("QMOD")
    service.show(await line.ask("QPIGS"))
    await bus.request_name(NAME)
    loop, count = asyncio.get_running_loop(), 0
    while True:
        began = loop.time()
        with suppress(TimeoutError):  # old values stay: the least is not the best
            service.show(await line.ask("QPIGS"))
            count += 1
            if count % 10 == 0:
                await line.ask("QMOD")
                await line.ask("QPIWS")
        if poll != "fast" and (rest := began + float(poll) - loop.time()) > 0:
            await asyncio.sleep(rest)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    asyncio.run(run(*sys.argv[1:4]))
