"""PI30 framing, sans-IO: bytes in, frames out; no clock, no port, no logging.

A request is ``command CRC CR``, a reply ``( payload CRC CR``; the CRC is
CRC-16/XMODEM over all that precedes it, and a CRC byte that would be mistaken for a
delimiter (``(``, CR, LF) is sent as its successor, in both directions.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from crcmod import mkCrcFun

START = 0x28  # "("
CR = 0x0D
LF = 0x0A
MAX_FRAME = 512  # bytes kept at most; the longest known reply has 143
MAX_STARTS = 8  # how many "(" of one chunk are tried as its beginning

# ^Dnnn… answers a query of PI17 or PI18, ^1 and ^0 a setter; a bare ^ is noise.
_FOREIGN = re.compile(rb"\^(?:D\d{3}|[01])")
_crc16 = mkCrcFun(0x11021, initCrc=0, rev=False)
_RESERVED = frozenset((START, CR, LF))
_NAK_WITHOUT_CRC = b"(NAK"  # seen after a request that an LF had cut in two
_NAK_WITH_SUM = b"(NAK\x03"  # of the REVO


class Flaw(StrEnum):
    """Why a chunk that ended in CR is not a reply."""

    CHECKSUM = "checksum"  # begins like a reply, but its checksum does not fit
    ECHO = "echo"  # a request with a good checksum: our own, looped back
    SUM = "sum"  # a reply of the REVO with its one-byte sum instead of the CRC
    FOREIGN = "foreign"  # begins like a PI17/PI18 reply ("^")
    NOISE = "noise"  # nothing of the above


class Frame(NamedTuple):
    """The bytes between two ends of line: a payload, and what is wrong with it."""

    payload: bytes
    flaw: Flaw | None = None

    @property
    def intact(self) -> bool:
        """True when start, checksum and end all fit."""
        return self.flaw is None


def checksum(data: bytes) -> bytes:
    """Return the two CRC bytes of `data` as they go on the wire (escaped)."""
    high, low = divmod(_crc16(data), 256)
    return bytes(
        (high + 1 if high in _RESERVED else high, low + 1 if low in _RESERVED else low)
    )


def encode_request(command: str, *, zero_as_one: bool = False) -> bytes:
    """Return the bytes that ask `command`.

    `zero_as_one` sends a CRC byte 00 as 01: some firmwares, and every USB-HID report,
    take 00 for padding. Raises `ValueError` for a command that is not printable ASCII.
    """
    if not command.isascii() or not command.isprintable():
        raise ValueError(f"{command!r} cannot be a PI30 command: not printable ASCII")
    data = command.encode("ascii")
    crc = checksum(data)
    if zero_as_one:
        crc = crc.replace(b"\x00", b"\x01")
    return data + crc + b"\r"


def encode_reply(payload: str | bytes) -> bytes:
    """Return the bytes with which an inverter answers `payload`."""
    data = payload.encode("ascii") if isinstance(payload, str) else payload
    data = b"(" + data
    return data + checksum(data) + b"\r"


def checksum_fits(data: bytes, crc: bytes) -> bool:
    """Tell whether `crc` (two bytes) belongs to `data` in any form that inverters send.

    Escaped as documented, left raw, or with 00 written as 01.
    """
    high, low = divmod(_crc16(data), 256)
    # A raw delimiter cannot be confused here: the reader found the true end.
    return _stands_for(crc[0], high) and _stands_for(crc[1], low)


def _stands_for(got: int, want: int) -> bool:
    return (
        got == want
        or (want in _RESERVED and got == want + 1)
        or (want == 0 and got == 1)
    )


def sum_fits(data: bytes, check: int) -> bool:
    """Tell whether `check` is the one-byte sum that the REVO puts behind `data`."""
    return (sum(data) + 1) & 0xFF == check


class ResponseFramer:
    """Cuts a byte stream into frames.

    `feed` returns frames or nothing; it never raises and never keeps more than
    `MAX_FRAME` bytes, whatever arrives.
    """

    __slots__ = ("_buffer", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Take what arrived and return the frames that it completes, oldest first."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        while (end := self._next_end()) >= 0:
            chunk = bytes(buffer[:end])
            if buffer[end] == LF and not _is_reply(chunk):
                # LF ends a reply on one known unit; elsewhere it is part of the data.
                self._searched = end + 1
                continue
            del buffer[: end + 1]
            self._searched = 0
            if (frame := _judge(chunk)) is not None:
                frames.append(frame)
        if len(buffer) > MAX_FRAME:
            del buffer[:-MAX_FRAME]
            self._searched = min(self._searched, MAX_FRAME)
        return frames

    def reset(self) -> None:
        """Forget a half-read reply, before the next request."""
        self._buffer.clear()
        self._searched = 0

    def _next_end(self) -> int:
        buffer, start = self._buffer, self._searched
        carriage = buffer.find(CR, start)
        line = buffer.find(LF, start, carriage if carriage >= 0 else None)
        end = line if line >= 0 else carriage
        if end < 0:
            self._searched = len(buffer)
        return end


def _judge(chunk: bytes) -> Frame | None:
    """Return the frame that a whole chunk is; None for padding between frames."""
    if (payload := _payload(chunk)) is not None:
        return Frame(payload)
    stripped = chunk.strip(b"\x00\n")
    if not stripped:
        return None
    if stripped.endswith((_NAK_WITHOUT_CRC, _NAK_WITH_SUM)):
        return Frame(b"NAK")
    if (start := stripped.rfind(START)) >= 0:
        body = stripped[start:-1]
        if sum_fits(body, stripped[-1]) and body.isascii():
            return Frame(body[1:], Flaw.SUM)
        return Frame(stripped[start + 1 :], Flaw.CHECKSUM)
    if (foreign := _FOREIGN.search(stripped)) is not None:
        return Frame(stripped[foreign.start() :], Flaw.FOREIGN)
    if len(stripped) > 2 and checksum_fits(stripped[:-2], stripped[-2:]):
        return Frame(stripped[:-2], Flaw.ECHO)
    return Frame(stripped, Flaw.NOISE)


def _is_reply(chunk: bytes) -> bool:
    return _payload(chunk) is not None


def _payload(chunk: bytes) -> bytes | None:
    """Return the payload of the last reply in `chunk` whose checksum fits."""
    start = len(chunk) - 2
    for _ in range(MAX_STARTS):
        start = chunk.rfind(START, 0, start)
        if start < 0:
            return None
        if checksum_fits(chunk[start:-2], chunk[-2:]):
            return chunk[start + 1 : -2]
    return None
