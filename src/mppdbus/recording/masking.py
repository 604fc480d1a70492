"""Replaces serial numbers by made-up ones of the same length. Pure.

The first inverter of a journal becomes 98 01 0246…, the second 98 02 0246…. So a number
shows that it is made up, and units stay distinct. Numbers that many units share, such
as zeros, identify nobody and stay.
"""

import re

from mppdbus.protocol.queries import base_command
from mppdbus.protocol.serial_numbers import bogus_serial

BEARERS = frozenset(("QID", "QSID", "QPGS", "QP2GS"))  # replies that hold a serial
SHORTEST_WORD = 10  # characters; a shorter word 2 of QP2GS is no serial
TELLING = 6  # characters that identify a serial
_FILLING = "0246813579" * 4
_DIGIT = re.compile(rb"[0-9]")


class Masker:
    """Replaces serial numbers; pass all replies to `learn` first."""

    def __init__(self) -> None:
        self._units: list[str] = []

    def learn(self, command: str, payload: bytes) -> None:
        """Take note of the serial number in an intact reply."""
        serial = serial_in(command, payload)
        if not bogus_serial(serial) and serial is not None:
            self._unit(serial)

    def number(self, serial: str) -> str:
        """Return the made-up number of a serial, always the same one."""
        if bogus_serial(serial):
            return serial
        return _made_up(f"{self._unit(serial) + 1:02d}", serial)

    def payload(self, command: str, payload: bytes) -> bytes:
        """Return the payload of an intact reply without its serial numbers.

        This also finds a serial in a late reply to another request.
        """
        own = serial_in(command, payload)
        if own is not None and not bogus_serial(own):
            old, new = own.encode("latin-1"), self.number(own).encode()
            if base_command(command) != "QSID":
                return payload.replace(old, new, 1)
            padding = payload[2 + len(own) :]  # on some units it repeats the serial
            if len(set(padding)) > 1:
                padding = b"0" * len(padding)
            return payload[:2] + new + padding
        for serial in self._units:
            if len(serial) >= SHORTEST_WORD:
                new = self.number(serial).encode()
                payload = payload.replace(serial.encode("latin-1"), new)
        return payload

    def rest(self, command: str, data: bytes) -> bytes:
        """Return damaged bytes without digits that may belong to a serial.

        Damage can be anywhere in a serial, so all digits become 0.
        """
        if base_command(command) in BEARERS or self._remnant_in(data):
            return _DIGIT.sub(b"0", data)
        return data

    def _unit(self, serial: str) -> int:
        """Return the index of a unit; QSID may be a longer form of QID."""
        for number, known in enumerate(self._units):
            short, long = sorted((known, serial), key=len)
            if short == long or (
                len(short) >= SHORTEST_WORD and long.startswith(short)
            ):
                return number
        self._units.append(serial)
        return len(self._units) - 1

    def _remnant_in(self, data: bytes) -> bool:
        return any(
            serial[start : start + TELLING].encode("latin-1") in data
            for serial in self._units
            for start in range(len(serial) - TELLING + 1)
        )


def made_up(command: str, payload: bytes) -> bool:
    """Tell whether the serial number in a reply is a made-up one."""
    serial = serial_in(command, payload) or ""
    return len(serial) >= SHORTEST_WORD and serial == _made_up(serial[2:4], serial)


def _made_up(unit: str, serial: str) -> str:
    return f"98{unit}{_FILLING}"[: len(serial)]


def serial_in(command: str, payload: bytes) -> str | None:
    """Return the serial number in the reply to `command`.

    None for other commands, for NAK, and if a word is not surely a serial.
    """
    words = payload.decode("latin-1").split()
    match base_command(command):
        case "QID" if len(words) == 1 and payload not in (b"NAK", b"ACK"):
            return words[0]
        case "QSID" if len(words) == 1 and (length := words[0][:2]).isdecimal():
            return words[0][2 : 2 + int(length)]
        case "QPGS" | "QP2GS" if len(words) > 1 and len(words[1]) >= SHORTEST_WORD:
            return words[1]
    return None
