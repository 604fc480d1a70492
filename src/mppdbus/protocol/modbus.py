"""Modbus RTU, as far as it takes to recognise an inverter that speaks it; pure.

Only function 03 (read holding registers) is ever encoded: a question changes nothing.
"""

from typing import NamedTuple

from crcmod import mkCrcFun

READ = 0x03
REFUSED = READ | 0x80  # an exception: the station is there and lacks the register

_crc16 = mkCrcFun(0x18005, initCrc=0xFFFF, rev=True, xorOut=0)


class Question(NamedTuple):
    """A register that inverters of some make answer to."""

    baud: int
    station: int
    register: int


# The settings as new; most other Modbus devices are station 1 at 9600 baud, too.
QUESTIONS = (
    Question(9600, 1, 201),  # SMG II (EASUN, Anenji); also Deye, SRNE, Growatt
    Question(19200, 4, 25201),  # Must PV18, PH18
    Question(2400, 5, 4501),  # PowMr HVM
)


def encode_read(station: int, register: int) -> bytes:
    """Return the bytes that ask `station` for one holding register."""
    body = bytes((station, READ)) + register.to_bytes(2) + (1).to_bytes(2)
    return body + checksum(body)


def checksum(data: bytes) -> bytes:
    """Return the CRC-16/MODBUS of `data` as it goes on the wire, low byte first."""
    value: int = _crc16(data)
    return value.to_bytes(2, "little")


def answers(data: bytes, station: int) -> bool:
    """Tell whether `data` holds the reply of `station` to `encode_read`.

    Noise may surround it. An exception counts, too; an echo of the request does not.
    """
    return any(
        data[at] == station and _is_reply(data[at : at + 7]) for at in range(len(data))
    )


def _is_reply(frame: bytes) -> bool:
    """Tell whether a frame begins with one register, or with an exception."""
    if frame[1:3] == bytes((READ, 2)):
        return len(frame) == 7 and checksum(frame[:5]) == frame[5:]
    return frame[1:2] == bytes((REFUSED,)) and checksum(frame[:3]) == frame[3:5]
