"""Every point on which mpp-solar and we disagree about a recorded reply."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from foreign_decoder import BITS, Foreign, Said, Word
from mppdbus.errors import MppdbusError, Refused
from mppdbus.protocol.dialects import DIALECTS, Dialect, explain, warnings_of
from mppdbus.protocol.framing import ResponseFramer, encode_reply
from mppdbus.protocol.queries import base_command, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import FLAGS, CurrentChoices
from mppsolar_verdicts import CODES, SAME, protocols_for

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from helpers.corpus import FOLDER, MAIN, Reply, units  # noqa: E402

NOTHING = "not decoded"
Names = Mapping[int, str | None]
STATUS: dict[int, str | None] = {  # QPIGS 17, what all families share
    6: "configuration_changed",
    5: "scc_firmware_updated",
    4: "load_on",
    2: "charging",
    1: "scc_charging",
    0: "ac_charging",
}
STATUS_2: Names = {2: "charging_to_float", 1: "switched_on"}  # QPIGS 21


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """What is disagreed upon: both sides of one place of a reply."""

    query: str
    place: str
    theirs: str
    ours: str


@dataclass(slots=True)
class Found:
    """Where it was seen."""

    protocols: set[str] = field(default_factory=set)
    ids: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """What was compared, and all points that came of it."""

    points: dict[Point, Found] = field(default_factory=lambda: defaultdict(Found))
    replies: int = 0
    words: int = 0

    def add(self, point: Point, protocol: str, name: str) -> None:
        """Note one disagreement."""
        self.points[point].protocols.add(protocol)
        self.points[point].ids[name] = None


# -- comparing ---------------------------------------------------------------------


def compare() -> Tally:
    """Decode everything both ways."""
    tally, foreign = Tally(), {}
    for unit in units():
        if unit.file != MAIN:
            continue  # what is sent in later waits for nobody's verdict
        dialect = DIALECTS[unit.family]
        for reply in unit.replies:
            tally.replies += 1
            for protocol in protocols_for(dialect.name):
                if protocol not in foreign:
                    foreign[protocol] = Foreign(protocol)
                for point in _differences(reply, dialect, foreign[protocol], tally):
                    tally.add(point, protocol, reply.id)
    for name, query, response in damaged():
        for point in _verdicts_on_damage(query, response, foreign["PI30"]):
            tally.add(point, "PI30", name)
    return tally


def _differences(
    reply: Reply, dialect: Dialect, foreign: Foreign, tally: Tally
) -> Iterator[Point]:
    query = base_command(reply.command)
    count = max(reply.words, 1)
    numberless = reply.command in ("QPGS", "QP2GS")  # so in some recordings
    command = f"{reply.command}0" if numberless else reply.command
    said = foreign.say(command, encode_reply(reply.payload), count)
    try:
        reading = decode(reply.command, reply.payload, dialect.queries)
    except Refused:
        if said.trouble != "refuses: NAK":
            yield Point(query, "reply", said.trouble or "values", "NAK")
        return
    if said.trouble is not None:
        yield Point(query, "reply", said.trouble, type(reading).__name__)
        return
    tally.words += count
    if isinstance(reading, CurrentChoices):
        yield from _choices(query, reading, said)
        return
    yield from _words(query, reading, dialect, said)
    yield from _bits(query, reply, dialect, said)
    for place in range(len(said.definition) + 1, count + 1):
        names = reading.wire_names()
        ours = names[place - 1] if place <= len(names) else NOTHING
        yield Point(query, str(place), NOTHING, ours)


def _choices(query: str, reading: CurrentChoices, said: Said) -> Iterator[Point]:
    theirs = [int(str(value)) for value in said.shown.values()]
    if tuple(theirs) != reading.amps:
        yield Point(query, "all", str(theirs), str(reading.amps))
    unknown = [name for name in said.shown if name.startswith("Unknown value")]
    if unknown:
        yield Point(query, "2 and on", "Unknown value in response", "amps")


def _words(
    query: str, reading: Reading, dialect: Dialect, said: Said
) -> Iterator[Point]:
    names, explained = reading.wire_names(), explain(reading, dialect)
    for word in said.words:
        if word.kind in BITS or word.place > len(names) or word.kind == "info":
            continue
        name = names[word.place - 1]
        value = getattr(reading, name)
        meaning = explained.get(f"{name}_name")
        if not _agree(word, name, value, meaning):
            yield _point(query, word, name, value, meaning)


def _agree(word: Word, name: str, value: object, meaning: object) -> bool:
    theirs = str(word.value).strip()
    if isinstance(value, datetime):
        return "".join(filter(str.isdigit, theirs)) == f"{value:%Y%m%d%H%M%S}"
    if (
        isinstance(value, str)
        and theirs.removeprefix("VERFW2:").removeprefix("VERFW:") == value
    ):
        return True
    if isinstance(value, (int, float)) and _number(theirs) == float(value):
        return True
    if meaning is not None:
        said = theirs.lower()
        return said == str(meaning).lower() or SAME.get(said) == meaning
    return CODES.get(name, {}).get(value) == theirs


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _point(query: str, word: Word, name: str, value: object, meaning: object) -> Point:
    """Name both sides; numbers that differ only because places do stay out."""
    theirs, ours = word.name, name
    if _number(str(word.value)) is None or value is None:
        theirs = f"{word.name}: {word.value}"
        ours = f"{name}: {'unknown' if value is None else value}"
        ours += f" ({meaning})" if meaning else ""
    return Point(query, str(word.place), theirs, ours)


# -- bits --------------------------------------------------------------------------


def _bits(query: str, reply: Reply, dialect: Dialect, said: Said) -> Iterator[Point]:
    words = reply.payload.decode("ascii").split()
    if query == "QPIWS":
        yield from _warnings(words[0], dialect, said)
    elif query == "QFLAG":
        yield from _flags(words[0], said)
    elif query == "QPIGS":
        ours = STATUS | {7: dialect.status_b7, 3: dialect.status_b3}
        yield from _status(words, 17, said, ours)
        yield from _status(words, 21, said, STATUS_2)
    elif query in ("QPGS", "QP2GS"):
        for word in said.words:
            if word.kind in BITS:
                yield Point(query, str(word.place), "bits by name", "status")


def _warnings(bits: str, dialect: Dialect, said: Said) -> Iterator[Point]:
    table = said.definition[0][2]
    for place, bit in enumerate(bits):
        if bit == "0":
            continue
        theirs = (table[place] if place < len(table) else "") or NOTHING
        alone = "".join("1" if n == place else "0" for n in range(len(bits)))
        found = warnings_of(dialect, alone)
        ours = found[0].name if found else "reserved"
        if SAME.get(theirs.lower()) != ours:
            yield Point("QPIWS", f"a{place}", theirs, ours)


def _flags(letters: str, said: Said) -> Iterator[Point]:
    table = said.definition[0][2]
    for letter in letters:
        if letter in "ED":
            continue
        theirs = table[letter]["name"] if letter in table else f"unknown_{letter}"
        ours = FLAGS.get(letter, f"flag_{letter}")
        if SAME.get(theirs.lower()) != ours and theirs != ours:
            yield Point("QFLAG", letter, theirs, ours)


def _status(words: list[str], place: int, said: Said, ours: Names) -> Iterator[Point]:
    """Compare the names of the bits that are set in a word."""
    if len(words) < place:
        return
    bits, table = words[place - 1], said.definition[place - 1][2]
    for number, bit in zip(range(len(bits) - 1, -1, -1), bits, strict=True):
        theirs, own = str(table[len(bits) - 1 - number]), ours.get(number)
        if bit == "1" and SAME.get(theirs.lower()) != own:
            yield Point("QPIGS", f"{place}, b{number}", theirs, own or NOTHING)


# -- damage ------------------------------------------------------------------------


def damaged() -> Iterator[tuple[str, str, bytes]]:
    """Yield id, command and bytes of what no inverter said, or not so."""
    for line in (FOLDER / MAIN).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["crc"] == "invalid-as-recorded" or row["quality"] == "echo":
            response = bytes.fromhex(row["response_hex"])
            yield row["id"].split("-")[0], row["command"], response


def _verdicts_on_damage(
    query: str, response: bytes, foreign: Foreign
) -> Iterator[Point]:
    said = foreign.say(query, response, 1)
    theirs = said.trouble or "takes it for a reply"
    frames = [frame for frame in ResponseFramer().feed(response) if frame.intact]
    try:
        ours = "takes it for a reply" if decode(query, frames[0].payload) else ""
    except IndexError:
        flaws = [str(frame.flaw) for frame in ResponseFramer().feed(response)]
        ours = f"refuses: {flaws[0] if flaws else 'no end'}"
    except MppdbusError as error:
        ours = f"refuses: {type(error).__name__}"
    if theirs.split(":")[0] != ours.split(":")[0]:
        yield Point("damaged", "reply", theirs, ours)
