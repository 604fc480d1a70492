"""The recorded replies, and the three ways to feed bytes to a framer."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from helpers.places import TESTS
from mppdbus.errors import MppdbusError
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.framing import Frame, ResponseFramer
from mppdbus.protocol.queries import QUERIES, base_command, decode
from mppdbus.protocol.replies.fields import Reading

PATH = TESTS / "frames" / "frames.jsonl"

Feed = Callable[[bytes], list[Frame]]


@dataclass(frozen=True)
class Recorded:
    """A line of the file: what came, and what is known about it."""

    id: str
    model: str | None
    variant: str
    command: str
    response: bytes
    crc: str
    quality: str
    expected: dict[str, Any]

    @property
    def is_good(self) -> bool:
        return self.quality == "good"

    @property
    def payload(self) -> bytes:
        """What stands between `(` and the checksum; raises for a damaged reply."""
        (frame,) = feed_whole(self.response)
        assert frame.intact, self.id
        return frame.payload

    @property
    def is_nak(self) -> bool:
        return self.response.startswith(b"(NAK")

    def decode(self) -> Reading:
        return decode(self.command, self.payload)


def _load() -> tuple[Recorded, ...]:
    lines = map(json.loads, PATH.read_text("utf-8").splitlines())
    return tuple(
        Recorded(
            id=line["id"].split("-")[0],
            model=line.get("model"),
            variant=line.get("variant") or "",
            command=line["command"],
            response=bytes.fromhex(line["response_hex"]),
            crc=line["crc"],
            quality=line["quality"],
            expected=line.get("expected") or {},
        )
        for line in lines
    )


FRAMES = _load()
BY_ID = {frame.id: frame for frame in FRAMES}
GOOD = tuple(frame for frame in FRAMES if frame.is_good)
READABLE = tuple(frame for frame in GOOD if not frame.is_nak)


def ids(frames: Iterable[Recorded]) -> list[str]:
    return [f"{frame.id}-{frame.command}" for frame in frames]


def counts(query: str) -> list[int]:
    """Return how many words the replies to a query are known to have."""
    return sorted({count for layout in QUERIES[query] for count in layout.counts})


def known_counts(query: str) -> str:
    """Return what an error says of a reply with another number of words."""
    return f"{', '.join(map(str, counts(query)))} are known"


def devices() -> dict[str, list[Recorded]]:
    """Return the good replies of each inverter that is named."""
    found = defaultdict(list)
    for frame in GOOD:
        if frame.model:
            found[frame.model].append(frame)
    return dict(found)


def evidence(frames: Iterable[Recorded]) -> Evidence:
    """Return what the replies of one inverter tell of it."""
    readings, status = {}, None
    for frame in frames:
        try:
            readings[base_command(frame.command)] = frame.decode()
        except MppdbusError:
            continue
        if frame.command == "QPIGS":
            status = frame.payload
    return Evidence.gather(readings, status)


def feed_whole(data: bytes) -> list[Frame]:
    return ResponseFramer().feed(data)


def feed_bytewise(data: bytes) -> list[Frame]:
    framer = ResponseFramer()
    return [frame for byte in data for frame in framer.feed(bytes([byte]))]


def feed_after_noise(data: bytes) -> list[Frame]:
    return ResponseFramer().feed(b"\x00\xff(cut" + data)


FEEDS = (feed_whole, feed_bytewise, feed_after_noise)
