"""Faults of the line, on demand: a table of damages. Pure except random numbers."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mppdbus.errors import ConfigError
from mppdbus.protocol.framing import checksum, encode_reply
from mppdbus.simulator.scene.arguments import number

SLOW_S = 2.0  # how much longer a slow unit thinks, by default
GONE_S = 0.5  # how long a port stays away after a disconnect, by default
REPORT = 8  # bytes of a HID report


class FaultKind(StrEnum):
    """One way in which an exchange goes wrong."""

    SILENCE = "silence"  # the request is not heard, nothing is done
    LOST = "lost"  # obeyed, but the reply never arrives
    NAK = "nak"  # refused, nothing is done
    CORRUPT = "corrupt"  # one bit of the reply flips
    CUT = "cut"  # the reply stops half way
    HALF = "half"  # half a reply, and garbage instead of the rest
    NOISE = "noise"  # garbage before the reply
    EXTRA = "extra"  # garbage behind the reply
    ECHO = "echo"  # the request comes back before the reply
    LOOPBACK = "loopback"  # only the request comes back: TX wired to RX
    WRONG = "wrong"  # the intact reply to another query
    LOSTREPORT = "lostreport"  # 8 bytes in the middle are missing
    ZEROED = "zeroed"  # intact, but every digit is 0
    SPIKE = "spike"  # intact, but QPIGS shows a battery at 6.70 V
    SLOW = "slow"  # the unit thinks for 2 s more
    LF = "lf"  # the reply ends in LF
    DISCONNECT = "disconnect"  # the port goes away for half a second


UNHEARD = (FaultKind.SILENCE, FaultKind.NAK, FaultKind.LOOPBACK, FaultKind.DISCONNECT)


@dataclass(slots=True)
class Fault:
    """A kind of fault for `left` exchanges (None: always), each with `chance`."""

    kind: FaultKind
    left: int | None = 1
    chance: float = 1.0
    command: str | None = None  # only this one
    seconds: float | None = None  # for slow and disconnect


class Faults:
    """The armed faults, oldest first; at most one acts on an exchange."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self.rng = rng or random.Random(0)  # noqa: S311 - damage, not secrets
        self.armed: list[Fault] = []
        self.struck = 0

    def arm(
        self,
        kind: FaultKind | str,
        count: int | None = 1,
        *,
        chance: float = 1.0,
        command: str | None = None,
        seconds: float | None = None,
    ) -> None:
        """Apply `kind` to the next `count` replies; None means until `clear`."""
        self.armed.append(Fault(FaultKind(kind), count, chance, command, seconds))

    def clear(self) -> None:
        """Remove all faults."""
        self.armed.clear()

    def take(self, command: str) -> Fault | None:
        """Return the fault of this exchange, and count it down."""
        for fault in self.armed:
            if fault.command not in (None, command):
                continue
            if fault.chance < 1.0 and self.rng.random() >= fault.chance:
                continue
            if fault.left is not None:
                fault.left -= 1
            if fault.left == 0:
                self.armed.remove(fault)
            self.struck += 1
            return fault
        return None

    def damage(self, kind: FaultKind, request: bytes, reply: bytes) -> bytes:
        """Return the bytes that arrive instead of `reply`."""
        act = _DAMAGES.get(kind)
        return act(request, reply, self.rng) if act else reply


def arm(faults: Faults, kind: FaultKind, words: list[str]) -> str:
    """Arm `kind` as the words of a control line say; `ConfigError` if they do not."""
    count: int | None = 1
    chance, command, seconds = 1.0, None, None
    for word in words:
        if word == "forever":
            count = None
        elif word.isdigit():
            count = int(number(word, 1, 1e9))
        elif word.endswith("%"):
            count, chance = None, number(word[:-1], 0, 100) / 100
        elif word.endswith("s") and word[0].isdigit():
            seconds = number(word[:-1], 0, 1e6)
        elif word[0].isupper():
            command = word
        else:
            raise ConfigError(f"{word} is not known")
    faults.arm(kind, count, chance=chance, command=command, seconds=seconds)
    return " ".join(["fault", kind, *words])


def _garbage(rng: random.Random, count: int) -> bytes:
    """Return bytes that neither begin nor end a frame."""
    plain = [byte for byte in range(256) if byte not in b"(\r\n"]
    return bytes(rng.choice(plain) for _ in range(count))


def _flip_bit(reply: bytes, rng: random.Random) -> bytes:
    """Flip a bit of the payload or the checksum, leaving both ends alone."""
    at, bit = rng.randrange(1, len(reply) - 1), 1 << rng.randrange(8)
    return reply[:at] + bytes((reply[at] ^ bit,)) + reply[at + 1 :]


def _zeroed(reply: bytes) -> bytes:
    digits = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in reply[1:-3])
    return encode_reply(digits)


def _spike(request: bytes, reply: bytes) -> bytes:
    if not request.startswith(b"QPIGS" + checksum(b"QPIGS")):
        return reply
    words = reply[1:-3].split(b" ")
    words[8] = b"06.70"
    return encode_reply(b" ".join(words))


_Damage = Callable[[bytes, bytes, random.Random], bytes]
_DAMAGES: dict[FaultKind, _Damage] = {
    FaultKind.LOOPBACK: lambda request, _reply, _rng: request,
    FaultKind.NAK: lambda _request, _reply, _rng: encode_reply("NAK"),
    FaultKind.CORRUPT: lambda _request, reply, rng: _flip_bit(reply, rng),
    FaultKind.CUT: lambda _request, reply, _rng: reply[: len(reply) // 2],
    FaultKind.HALF: lambda _request, reply, rng: (
        reply[: len(reply) // 2] + _garbage(rng, 12)
    ),
    FaultKind.NOISE: lambda _request, reply, rng: (
        b"\xff\x00" + _garbage(rng, 6) + reply
    ),
    FaultKind.EXTRA: lambda _request, reply, rng: reply + b"\n\x00" + _garbage(rng, 6),
    FaultKind.ECHO: lambda request, reply, _rng: request + reply,
    FaultKind.LOSTREPORT: lambda _request, reply, rng: _without_report(reply, rng),
    FaultKind.ZEROED: lambda _request, reply, _rng: _zeroed(reply),
    FaultKind.SPIKE: lambda request, reply, _rng: _spike(request, reply),
    FaultKind.LF: lambda _request, reply, _rng: reply[:-1] + b"\n",
}


def _without_report(reply: bytes, rng: random.Random) -> bytes:
    at = REPORT * rng.randrange(max(len(reply) // REPORT, 1))
    return reply[:at] + reply[at + REPORT :]
