"""Asks once in Modbus at a port where no PI30 inverter answers.

Half of the brands of PI30 inverters also sell similar ones that speak Modbus RTU.
"""

import asyncio

from mppdbus.errors import NoReply, OtherProtocol
from mppdbus.inverter import timing
from mppdbus.inverter.device import Inverter
from mppdbus.protocol.modbus import QUESTIONS, Question, answers, encode_read
from mppdbus.transport import Transport, open_transport
from mppdbus.transport.port_url import PortUrl


class ModbusProbe:
    """Introduces an inverter; if no byte comes, asks in Modbus, but only once.

    An inverter that is switched off is silent, too. So later connections do not ask
    again, and a port where PI30 was spoken is never asked.
    """

    def __init__(self, port: PortUrl, baud: int) -> None:
        self._port = port
        self._baud = baud
        self._asked = False
        self._found: Question | None = None

    async def introduce(self, inverter: Inverter) -> None:
        """Do what `Inverter.introduce` does; `OtherProtocol` names a Modbus unit.

        The link is closed when an error is raised.
        """
        try:
            await inverter.introduce()
        except NoReply:
            if not inverter.link.silent:
                raise  # bytes came, so the port is not silent
            await inverter.link.close()
            if not self._asked:
                self._found = await find_modbus(self._port, self._baud)
                self._asked = True
            if self._found is not None:
                raise speaks_modbus(self._found, self._port) from None
            raise
        self._asked, self._found = True, None


def speaks_modbus(found: Question, port: PortUrl) -> OtherProtocol:
    """Return the error that names a Modbus unit, and what to do about it."""
    speed = f" at {found.baud} baud" if port.scheme == "serial" else ""
    return OtherProtocol(
        f"the device speaks Modbus RTU (station {found.station}{speed}), not PI30; "
        "this driver does not speak Modbus: take one that does, or try another port "
        "of the inverter"
    )


async def find_modbus(port: PortUrl, baud: int) -> Question | None:
    """Return the question that is answered at a port; raises `PortError`.

    Call it for a closed port that did not answer PI30.

    Without an answer it finally sends a bare CR at `baud`. Otherwise a PI30 unit that
    wakes up might join our bytes to the next request.
    USB-HID is left out: it takes the 00 in these frames for padding.
    """
    if port.scheme not in timing.MODBUS_PATIENCE:
        return None
    heard = b""
    for speed, questions in _rounds(port, baud).items():
        listener = Listener()
        transport = await open_transport(port, listener, baud=speed)
        try:
            for question in () if heard else questions:
                request = encode_read(question.station, question.register)
                on_the_wire = 2 * len(request) * transport.byte_time
                seconds = timing.MODBUS_PATIENCE[port.scheme] + on_the_wire
                heard = await listener.replies(transport, request, seconds)
                if answers(heard, question.station):
                    return question
                if heard:
                    break
            if speed == baud:
                await listener.replies(transport, b"\r", timing.MODBUS_SETTLE)
        finally:
            await transport.close()
    return None


def _rounds(port: PortUrl, baud: int) -> dict[int, list[Question]]:
    """Return the questions by speed; the speed of the config comes last."""
    if port.scheme != "serial":
        return {baud: list(QUESTIONS)}  # the serial server sets the speed
    rounds: dict[int, list[Question]] = {}
    for question in QUESTIONS:
        rounds.setdefault(question.baud, []).append(question)
    own = rounds.pop(baud, [])
    return {**rounds, baud: own}


class Listener:
    """Collects the bytes that arrive on a transport."""

    def __init__(self) -> None:
        self._heard = bytearray()

    async def replies(self, transport: Transport, data: bytes, seconds: float) -> bytes:
        """Send `data`; return the bytes that come back within `seconds`."""
        transport.discard_input()
        self._heard.clear()
        transport.write(data)
        await asyncio.sleep(seconds)
        return bytes(self._heard)

    def data_received(self, data: bytes) -> None:
        """Collect bytes."""
        self._heard += data

    def connection_lost(self, error: Exception | None) -> None:
        """Ignore a lost port: it counts as silent."""
