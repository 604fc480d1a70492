"""An inverter of another make that speaks Modbus RTU, and is silent to PI30. Pure."""

from collections import Counter
from dataclasses import dataclass, field

GAP = 0.03  # s of silence that end a frame; longer than the standard's, for a pty
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2
# The blocks that the makes have: SMG II, PowMr HVM, Must.
BLOCKS = (range(100, 400), range(4501, 4562), range(25201, 25280))
REQUEST = 8  # bytes of a request of one of the plain functions


@dataclass(slots=True)
class ModbusStation:
    """One station; `requests` counts its requests by function code."""

    number: int
    requests: Counter[int] = field(default_factory=Counter)
    _buffer: bytearray = field(default_factory=bytearray)
    _last: float = 0.0

    def take(self, byte: int, now: float) -> bytes | None:
        """Take a byte that came at `now`; return the reply if it ends a request."""
        if now - self._last > GAP:
            self._buffer.clear()
        self._last = now
        self._buffer.append(byte)
        if len(self._buffer) != REQUEST:
            return None
        frame = bytes(self._buffer)
        right = frame[0] == self.number and crc(frame[:-2]) == frame[-2:]
        return self._answer(frame) if right else None

    def _answer(self, frame: bytes) -> bytes:
        function, start = frame[1], int.from_bytes(frame[2:4])
        count = int.from_bytes(frame[4:6])
        self.requests[function] += 1
        if function != 3:
            return self._framed(function | 0x80, bytes((ILLEGAL_FUNCTION,)))
        asked = range(start, start + count)
        if not any(asked[0] in block and asked[-1] in block for block in BLOCKS):
            return self._framed(function | 0x80, bytes((ILLEGAL_ADDRESS,)))
        words = b"".join(register.to_bytes(2) for register in asked)
        return self._framed(function, bytes((len(words),)) + words)

    def _framed(self, function: int, body: bytes) -> bytes:
        data = bytes((self.number, function)) + body
        return data + crc(data)


def crc(data: bytes) -> bytes:
    """Return the CRC-16 of Modbus; the driver's own code is not used."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")
