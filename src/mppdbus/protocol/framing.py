"""PI30 framing, sans-IO: bytes in, frames out; no clock, no port, no logging.

A request is ``command CRC CR``, a reply ``( payload CRC CR``; the CRC is
CRC-16/XMODEM over all bytes before it. A CRC byte that equals a delimiter (``(``, CR,
LF) is sent as its successor, in both directions.
"""

import re
from enum import StrEnum
from functools import lru_cache
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
_END = re.compile(rb"[\r\n]")
# The bytes that inverters send for each byte of a checksum: the documents want the
# successor of a delimiter, some units send it raw, and some send 01 for 00.
_SENT_FOR = [
    bytes((n, n + 1)) if n in _RESERVED or n == 0 else bytes((n,)) for n in range(256)
]
_NAK_WITHOUT_CRC = b"(NAK"  # seen after a request that an LF had cut in two
# Some boards of clones answer this query only without a checksum, and without one.
BARE = frozenset(("QPRTL",))
_BARE_REPLY = re.compile(rb"\([HL]PVINV[0-9]{2}")
_NAK_WITH_SUM = b"(NAK\x03"  # of the REVO


class Flaw(StrEnum):
    """Why a chunk that ended in CR is not a reply."""

    CHECKSUM = "checksum"  # begins like a reply, but its checksum does not fit
    ECHO = "echo"  # a request with a good checksum: our own, looped back
    SUM = "sum"  # a reply of the REVO with its one-byte sum instead of the CRC
    FOREIGN = "foreign"  # begins like a PI17/PI18 reply ("^")
    NOISE = "noise"  # none of these


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


@lru_cache(maxsize=64)  # the same few are sent again and again
def encode_request(
    command: str, *, zero_as_one: bool = False, bare: bool = False
) -> bytes:
    """Return the bytes that ask `command`.

    `zero_as_one` sends a CRC byte 00 as 01: some firmwares, and every USB-HID report,
    take 00 for padding. `bare` leaves the CRC out. Raises `ValueError` for a command
    that is not printable ASCII.
    """
    if not command.isascii() or not command.isprintable():
        raise ValueError(f"{command!r} cannot be a PI30 command: not printable ASCII")
    data = command.encode("ascii")
    if bare:
        return data + b"\r"
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
    """Tell whether `crc` (two bytes) belongs to `data` in any form of `_SENT_FOR`."""
    high, low = divmod(_crc16(data), 256)
    return crc[0] in _SENT_FOR[high] and crc[1] in _SENT_FOR[low]


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

    @property
    def begun(self) -> bool:
        """Tell whether a reply has begun whose end is missing."""
        return START in self._buffer

    def feed(self, data: bytes) -> list[Frame]:
        """Take what arrived and return the frames that it completes, oldest first."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        while found := _END.search(buffer, self._searched):
            end = self._searched = found.end()
            chunk = bytes(buffer[: end - 1])
            if (payload := _payload(chunk)) is not None:
                frames.append(Frame(payload))
            elif buffer[end - 1] == LF:
                continue  # LF ends a reply on one known unit; elsewhere it is data
            elif flawed := _flawed(chunk):
                frames.append(flawed)
            del buffer[:end]
            self._searched = 0
        del buffer[:-MAX_FRAME]
        self._searched = len(buffer)
        return frames

    def reset(self) -> None:
        """Forget a half-read reply, before the next request."""
        self._buffer.clear()
        self._searched = 0


def _flawed(chunk: bytes) -> Frame | None:
    """Return the frame of a chunk whose checksum does not fit; None for padding.

    A NAK is taken without its checksum. The REVO ends QALL in a sum of one byte.
    """
    stripped = chunk.strip(b"\x00\n")
    if not stripped:
        return None
    if stripped.endswith((_NAK_WITHOUT_CRC, _NAK_WITH_SUM)):
        return Frame(b"NAK")
    if _BARE_REPLY.fullmatch(stripped):
        return Frame(stripped[1:])
    if (start := stripped.rfind(START)) >= 0:
        body = stripped[start:-1]
        if (sum(body) + 1) & 0xFF == stripped[-1] and body.isascii():
            return Frame(body[1:], Flaw.SUM)
        return Frame(stripped[start + 1 :], Flaw.CHECKSUM)
    if (foreign := _FOREIGN.search(stripped)) is not None:
        return Frame(stripped[foreign.start() :], Flaw.FOREIGN)
    if len(stripped) > 2 and checksum_fits(stripped[:-2], stripped[-2:]):
        return Frame(stripped[:-2], Flaw.ECHO)
    return Frame(stripped, Flaw.NOISE)


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
