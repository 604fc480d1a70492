"""The speed of the line, and how it cuts bytes into requests. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mppdbus.protocol.framing import checksum

MAX_REQUEST = 64  # bytes that an inverter's receive buffer holds
BITS = 10  # of a byte on the wire: start, eight, stop


class Overrun(StrEnum):
    """The treatment of bytes that arrive while the unit thinks or answers."""

    LOST = "lost"
    CORRUPT = "corrupt"  # lost, and the reply is damaged
    QUEUED = "queued"  # no real unit does this


@dataclass(slots=True)
class Pace:
    """Speeds of one line.

    Without `paced`, a whole reply comes at once, `think` seconds after the request.
    """

    baud: float = 2400.0
    think: float = 0.06  # s between the request's end and the reply's beginning
    jitter: float = 0.0  # s by which `think` varies either way
    paced: bool = True
    chunk: int = 1  # bytes that an adapter hands over at a time
    overrun: Overrun = Overrun.LOST

    @classmethod
    def instant(cls) -> Pace:
        """Return the pace of a unit that answers without delay."""
        return cls(think=0.0, paced=False)

    @property
    def byte_s(self) -> float:
        """Seconds that one byte takes on the wire; 0 unpaced."""
        return BITS / self.baud if self.paced else 0.0

    def __str__(self) -> str:
        speed = f"{self.baud:g} baud" if self.paced else "unpaced"
        return f"{speed}, think {self.think * 1000:g} ms"


class RequestCutter:
    """Cuts a byte stream into requests as a unit does: CR or LF ends one.

    `cut` returns requests without their end; empty ones are dropped.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __len__(self) -> int:
        return len(self._buffer)

    def take(self, byte: int) -> bytes | None:
        """Take one byte; return the request that it ends."""
        if byte in b"\r\n":
            request = bytes(self._buffer)
            self._buffer.clear()
            return request or None
        if byte == 0 and not self._buffer:
            return None  # padding of the HID report before
        self._buffer.append(byte)
        del self._buffer[:-MAX_REQUEST]
        return None


def verified(request: bytes, *, zero: str = "both") -> str | None:
    """Return the command of a request without its end; None if the CRC is not right.

    Only the escaped form is right, as on a real unit. `zero` says in which form a CRC
    byte 00 is understood: "raw", "one" (as 01), or "both".
    """
    command, crc = request[:-2], request[-2:]
    if len(request) < 3 or not command.isascii():
        return None
    want = checksum(command)
    as_one = want.replace(b"\x00", b"\x01")
    right = {"raw": (want,), "one": (as_one,), "both": (want, as_one)}[zero]
    return command.decode("ascii") if crc in right else None
