"""The recorded replies of tests/frames, inverter by inverter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from helpers.places import TESTS
from mppdbus.errors import MppdbusError
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.evidence import Clue, Evidence
from mppdbus.protocol.identification import DECISIVE, Identification, clues_of, identify
from mppdbus.protocol.queries import base_command, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.serial_numbers import bogus_serial
from mppdbus.recording.journal import Entry, read
from mppdbus.recording.masking import made_up, serial_in
from mppdbus.recording.reply_quality import judge_reply

FOLDER = TESTS / "frames"
MAIN = "frames.jsonl"  # its ids stand alone, those of others behind the file's name
SURE = 0.5  # of the family, when all replies of an inverter speak
FALLBACK = "pi30"  # where nothing tells more, nothing is sure
LAYOUT = (
    "If its words mean what they mean elsewhere, add their number to QUERIES in "
    "src/mppdbus/protocol/queries.py; else add a layout to the file of its family in "
    "src/mppdbus/protocol/dialects: step 6 of docs/adding-an-inverter.md"
)
BITS = (
    "name it in the file of its family in src/mppdbus/protocol/dialects, RESERVED if "
    "nobody knows it: step 6 of docs/adding-an-inverter.md"
)
FILE = "src/mppdbus/protocol/dialects/{}.py"
SEEN = ("good", "nak")  # the qualities that prove what an inverter says

# What people wrote of recordings that are older than the names of our dialects.
FAMILIES = {
    "PI30 (SP)": "pi30",
    "PI30 (MKS)": "pi30",
    "PI30 (VM 3K plus)": "pi30",
    "PI30 (fw history)": "pi30",
    "PI30 (MS 3K 24V)": "pi30ms",
    "PI30 (MS/MSX 3K 24V)": "pi30ms",
    "PI30 (GK class)": "pi30vm3",
    "PI30 (GK-style status)": "pi30vm3",
    "PI30 (VM III)": "pi30vm3",
    "PI30 (King)": "pi30king",
    "PI30 (VM IV, 25-field QPIGS)": "pi30vm4",
    "PI30 (VMII-NXPW clone)": "pi30clone",
    "PI30 (clone)": "pi30clone",
    "PI30 clone": "pi30clone",
    "PI30 (VMII new fw, menu-position enums)": "pi30vmii",
    "PI30MAX": "pi30max",
    "PI30MAX (Phocos)": "pi30max",
    "PI30MAX 24 fields": "pi30max",
    "PI30MAX (LV)": "pi30lv",
    "PI30MAX (LV6548 class)": "pi30lv",
    "PI30MAX (LV, QGMN 045)": "pi30lv",
    "PI41/LV5048": "pi41",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """One recorded reply that counts, NAK included; `id` names it in all of them."""

    id: str
    command: str
    payload: bytes
    source: str

    @property
    def refused(self) -> bool:
        """Whether it is a NAK."""
        return self.payload == b"NAK"

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.payload.split())

    def reading(self, dialect: str = FALLBACK) -> Reading | None:
        """Return what it says in a family, None if that is not known."""
        try:
            return decode(self.command, self.payload, DIALECTS[dialect].queries)
        except MppdbusError:
            return None


@dataclass(slots=True)
class Unit:
    """An inverter of the corpus; `model` is None where nobody said what it is.

    `file` is the first that it is in.
    """

    model: str | None
    file: str
    variants: set[str] = field(default_factory=set)
    replies: list[Reply] = field(default_factory=list)

    @property
    def family(self) -> str:
        """The dialect: as people said, else as its replies tell."""
        for variant in sorted(self.variants):
            if (name := FAMILIES.get(variant, variant)) in DIALECTS:
                return name
        return self.taken_for.dialect.name

    @property
    def taken_for(self) -> Identification:
        """What the replies alone tell of it."""
        return identify(self.evidence())

    def evidence(self) -> Evidence:
        """Return what its replies tell."""
        readings: dict[str, Reading] = {}
        status = None
        for reply in self.replies:  # the last one to a query counts
            if (reading := _read(reply.command, reply.payload)) is None:
                continue
            readings[base_command(reply.command)] = reading
            if reply.command == "QPIGS":
                status = reply.payload
        return Evidence.gather(readings, status)


def _read(command: str, payload: bytes) -> Reading | None:
    """Return what a reply says to one who does not know the family yet."""
    try:
        return decode(command, payload)
    except MppdbusError:
        return None


def units(folder: Path = FOLDER) -> list[Unit]:
    """Return the inverters of all journals, in their order.

    Replies without a model make one inverter a source. Journals with the same model,
    source and serial number are of one inverter, recorded several times.
    """
    return _units(sorted(folder.glob("*.jsonl")))


def _units(paths: Iterable[Path]) -> list[Unit]:
    found: dict[tuple[str, ...], Unit] = {}
    for path in paths:
        entries = read(path)
        serial = _serial(entries)
        for entry in entries:
            if (reply := _reply(entry, path)) is None:
                continue
            key = _key(entry, path, serial)
            unit = found.setdefault(key, Unit(entry.model, path.name))
            unit.replies.append(reply)
            unit.variants.add(entry.variant or "")
    return list(found.values())


def _key(entry: Entry, path: Path, serial: str) -> tuple[str, ...]:
    """Return what is the same for all replies of one inverter."""
    if path.name == MAIN or not entry.model:
        return path.name, entry.model or f"source {entry.source}"
    return entry.model, entry.source or "", serial


def _serial(entries: Iterable[Entry]) -> str:
    """Return the serial number of a journal, mostly a made-up one; "" without."""
    for entry in entries:
        payload = judge_reply(entry.command, entry.response).payload
        if entry.command == "QID" and payload:
            return serial_in("QID", payload) or ""
    return ""


def by_family(some: Iterable[Unit]) -> dict[str, list[Unit]]:
    """Return dialect → its inverters, in the order of the dialects."""
    found: dict[str, list[Unit]] = defaultdict(list)
    for unit in some:
        found[unit.family].append(unit)
    return {name: found[name] for name in DIALECTS if name in found}


def problems(path: Path) -> list[str]:
    """Return what is wrong with a journal, and what to do about it."""
    entries = read(path)
    found = [f"{path.name}, {one}" for one in _of_lines(entries, path)]
    if path.name == MAIN:  # it is older than `mppdbus record` and our names
        return found
    return found + [f"{path.name}: {one}" for one in _of_units(path)]


def _of_lines(entries: list[Entry], path: Path) -> Iterator[str]:
    seen: set[str] = set()
    strange: set[tuple[str, str]] = set()
    for entry in entries:
        verdict = judge_reply(entry.command, entry.response, entry.variant)
        if entry.id in seen:
            yield f"{entry.id}: two replies have this id"
        seen.add(entry.id)
        odd = entry.command, verdict.note or ""
        if entry.quality == "good" and verdict.note and odd not in strange:
            strange.add(odd)
            yield f"{entry.id}: {verdict.note}. {LAYOUT}"
        if path.name == MAIN:
            continue
        if entry.quality not in (verdict.quality, "superseded"):
            yield f"{entry.id}: {entry.quality} is said of it, {verdict.quality} it is"
        payload = verdict.payload or b""
        serial = serial_in(entry.command, payload)
        hidden = entry.masked or made_up(entry.command, payload)
        if not (hidden or serial is None or bogus_serial(serial)):
            yield f"{entry.id}: a serial number: record again without --no-mask"
        for text in _of_warnings(entry, verdict.payload):
            if ("QPIWS", text) not in strange:
                strange.add(("QPIWS", text))
                yield f"{entry.id}: {text}"


def _of_warnings(entry: Entry, payload: bytes | None) -> Iterator[str]:
    """Tell of bits that were set and that the family has no name for."""
    dialect = DIALECTS.get(entry.variant or "")
    if entry.command != "QPIWS" or dialect is None or not payload:
        return
    for place, bit in enumerate(payload.decode("latin-1")):
        if bit != "0" and place not in dialect.warnings:
            yield f"QPIWS a{place} is set, which has no name on {dialect.name}: {BITS}"


def _of_units(path: Path) -> Iterator[str]:
    for unit in _units([path]):
        taken = unit.taken_for
        name = taken.dialect.name
        if unit.variants != {name}:
            said = ", ".join(sorted(unit.variants))
            clues = clues_of(unit.evidence())
            own = _weights(clues, unit.variants)
            why = _weights(clues, clues.keys() - unit.variants)
            yield (
                f"{unit.model} is {said}, but is taken for {name}: {why}. "
                f"{_todo(said, own)}"
            )
        elif taken.confidence < SURE and name != FALLBACK:
            sure = f"{taken.confidence:.0%}"
            yield (
                f"{unit.model} is {name}, but only {sure} sure. "
                f"Add a clue to {FILE.format(name)}"
            )


def _todo(said: str, own: str) -> str:
    """Return what to do for a family that is not recognised."""
    file = FILE.format(said)
    if said not in DIALECTS:
        return f"Add a clue: its family has no file {file} yet"
    if not own:
        return f"Add a clue to {file}"
    return (
        f"For {said} speaks only {own}. Make its clues heavier in {file}; a name of "
        f"{DECISIVE} decides alone"
    )


def _weights(clues: Mapping[str, list[Clue]], families: Iterable[str]) -> str:
    """Return the clues to some families with their weights, the heaviest first."""
    some = [(name, clue) for name in families for clue in clues.get(name, ())]
    ranked = sorted(some, key=lambda one: (-one[1].weight, one[0]))
    return "; ".join(f"{clue.reason} ({name} {clue.weight})" for name, clue in ranked)


def _reply(entry: Entry, path: Path) -> Reply | None:
    if entry.quality not in SEEN or entry.command.startswith("("):
        return None
    payload = judge_reply(entry.command, entry.response, entry.variant).payload
    if payload is None:
        return None
    short = entry.id.split("-")[0]
    name = short if path.name == MAIN else f"{path.stem}:{short}"
    return Reply(name, entry.command, payload, entry.source or "")
