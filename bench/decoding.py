"""How fast a reply becomes values: ours against that of mppsolar, on the same bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from mppsolar.protocols.pi30 import pi30

from mppdbus.protocol.framing import ResponseFramer, encode_reply
from mppdbus.protocol.queries import decode
from stats import median

REPLIES = {
    "QPIGS": "230.1 50.0 230.1 50.0 0345 0297 006 358 51.94 010 060 0035 02.0 120.0 "
    "51.90 00000 00010110 00 00 00240 010",
    "QPIRI": "230.0 21.7 230.0 50.0 21.7 5000 5000 48.0 46.0 42.0 56.4 54.0 0 30 060 "
    "0 1 2 9 01 0 0 54.0 0 1",
    "QPIWS": "00000000000000000000001000000000",
}
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Speed:
    """Replies a second."""

    ours: float
    theirs: float


def speeds(frames: int) -> dict[str, Speed]:
    """Return the speeds per query; both take turns, `frames` at a time."""
    theirs = pi30()
    result = {}
    for command, payload in REPLIES.items():
        reply = encode_reply(payload)

        def read(command: str = command, reply: bytes = reply) -> None:
            (frame,) = ResponseFramer().feed(reply)
            decode(command, frame.payload)

        def read_theirs(command: str = command, reply: bytes = reply) -> None:
            theirs.decode(reply, command)

        rounds = [
            (_rate(read, frames), _rate(read_theirs, max(frames // 20, 1)))
            for _ in range(ROUNDS)
        ]
        ours, others = zip(*rounds, strict=True)
        result[command] = Speed(median(ours), median(others))
    return result


def _rate(read: Callable[[], None], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        read()
    return count / (time.perf_counter() - began)
