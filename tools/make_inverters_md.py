"""Writes docs/inverters.md from tables and recordings; with --check it compares."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from mppdbus.protocol.codes import Names
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.dialects import DIALECTS, FAMILIES
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.identification import identify
from mppdbus.protocol.optional_queries import CAPABILITIES
from mppdbus.protocol.queries import QUERIES, base_command
from mppdbus.protocol.replies import parallel as p
from mppdbus.protocol.replies import settings as s
from mppdbus.protocol.replies import status as m
from mppdbus.protocol.replies.fields import Reading

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from helpers.corpus import Reply, Unit, by_family, units  # noqa: E402
from pages import write_or_check  # noqa: E402

PAGE = ROOT / "docs" / "inverters.md"
YES, NO, PAPER, UNKNOWN = "●", "–", "○", "?"
DOCUMENTS = {
    "A": "PI30 HS, MS, MSX, 2014",
    "B": "PI30 KS, MKS, Plus Duo and Tri, 2015",
    "C": "PIP-GK and PIP-MK",
    "D": "VM III, King and MKS III, 2022",
    "E": "MKS II, III and IV, 2020",
    "F": "Axpert MAX, 2021",
    "G": "MAX II, VM IV and MKS IV, 2021",
    "H": "LV5048 (PI41), 2019",
    "I": "REVO (SOROTEC), 2020",
}
# Column → query whose answer it stands on; the first column is the live values.
FEATURES = {
    "live": "QPIGS",
    "PV2": "QPIGS2",
    "energy": "QET",
    "equalization": "QBEQI",
    "warnings": "QPIWS",
    "charge stage": "Q1",
}
# Column for users → the queries that give it.
SEEN = {
    "live values": "QPIGS",
    "second PV input": "QPIGS2",
    "energy meter": "QET",
    "ratings and settings": "QPIRI",
    "warnings": "QPIWS",
    "units in parallel": "QPGS",
}
COMMON = frozenset(("QPIGS", "QPIWS"))  # in every paper
IDS = 8  # shown of a longer list
GUESSED = 0.25  # sure of nothing but that it speaks PI30
_VERSION = re.compile(r"\b\d{5}\.\d\d\b")
_COUNT = re.compile(r"heat sink \d+")
# Clues that may be in no recording; what they tell is asked of `identify`.
PROBES = (
    Evidence(),
    Evidence(protocol="PI41"),
    Evidence(firmware="00040.00"),
    Evidence(ratings=s.RatingsRevo()),
    Evidence(second_tracker=m.SecondTrackerDuo()),
    Evidence(second_tracker=m.SecondPhase()),
    Evidence(warnings=m.Warnings(bits=38 * "0")),
    Evidence(status=m.GeneralStatus(grid_input_current=0)),
    Evidence(others=(p.FeedInParallel(),)),
    Evidence(model_number="044", ratings=s.Ratings(battery_rating_voltage=24.0)),
    Evidence(model_number="044", ratings=s.Ratings(ac_output_rating_voltage=120.0)),
)
COMMON_MODELS = {layout.model for layouts in QUERIES.values() for layout in layouts}
VARIANTS = ("pi30lv", "pi30max24")  # of the MAX, told by its voltages, said last
INTRO = """\
# Supported inverters

Made by `tools/make_inverters_md.py` from the tables of `src/mppdbus/protocol` and the
recordings of `tests/frames`; a test compares. Change those, then run it.

## Does mine work?

If your inverter speaks PI30, it works. The inverter itself gives the quickest answer:
`mppdbus detect` asks on each port, and only reads. The name on the case says less: the
same inverter is sold under many names, and the same name with other firmware.

The table lists the inverters whose replies somebody has recorded and published. A test
reads each of these replies. *yes* means that the reply is in the recording, *no* that
this inverter refused the question. An empty field means that nobody has recorded it.
*Replies* counts how many different questions are answered in the recording.
Nothing was tried by hand on an inverter of ours.

Is yours not in the table? Connect it all the same. mppdbus shows as much of an unknown
reply as it understands, and names the reply in the log. Please send a recording
([how to](adding-an-inverter.md)): it becomes a test, and your inverter stays supported.

An inverter that speaks another protocol (PI16, PI17, PI18, Modbus) does not work.
`mppdbus detect` says so.
"""
MAINTAINERS = """\
## For maintainers

What a family can do stands on recorded replies, which are named (`f0123` is a line of
`tests/frames/frames.jsonl`), or else on a document of the manufacturer. How to add an
inverter is in [adding-an-inverter.md](adding-an-inverter.md).
"""
LEGEND = f"""\
{YES} recorded, {PAPER} only on paper, {NO} refused on record, {UNKNOWN} neither; \
{YES}{NO} some units answer it and others do not.
*Inverters*: recorded ones; *queries*: how many different ones they answered.
*Priorities*: names where their codes are proven for the family, else codes.
"""


def page() -> str:
    """Return the whole page."""
    known = units()
    families = by_family(known)
    parts = [INTRO, _by_name(known), MAINTAINERS, _documents(), _overview(families)]
    parts += [_family(DIALECTS[name], families.get(name, [])) for name in DIALECTS]
    return "\n".join([*parts, _queries()])


def _documents() -> str:
    rows = ((letter, text) for letter, text in DOCUMENTS.items())
    return table(("document", "for"), rows)


# -- by name -----------------------------------------------------------------------


def _by_name(known: Iterable[Unit]) -> str:
    """Return what each named inverter was seen to answer, by its name."""
    head = (
        "inverter, as its owner calls it",
        "firmware seen",
        *SEEN,
        "replies",
        "family",
    )
    rows: list[tuple[str, ...]] = []
    for unit in known:
        if unit.model and unit.replies:
            seen = [_answer(unit, query.split()) for query in SEEN.values()]
            link = f"[{DIALECTS[unit.family].title}](#{unit.family})"
            firmware = ", ".join(_firmware(unit))
            rows.append(
                (unit.model, firmware, *seen, str(_answered(unit.replies)), link)
            )
    rows.sort(key=lambda row: row[0].casefold())
    return table(head, rows)


def _answer(unit: Unit, queries: list[str]) -> str:
    own = [r for r in unit.replies if base_command(r.command) in queries]
    if any(not reply.refused for reply in own):
        return "yes"
    return "no" if own else ""


def _firmware(unit: Unit) -> list[str]:
    """Return the versions of a unit: as it says, else as its owner wrote them."""
    found = set(_VERSION.findall(unit.model or ""))
    for reply in unit.replies:
        if reply.command == "QVFW" and not reply.refused:
            found |= set(_VERSION.findall(reply.payload.decode("latin-1")))
    return sorted(found)


# -- all families ------------------------------------------------------------------


def _overview(families: dict[str, list[Unit]]) -> str:
    head = ("dialect", "family", "inverters", "queries", *FEATURES, "priorities")
    rows = []
    for name, dialect in DIALECTS.items():
        own = families.get(name, [])
        marks = [_mark(dialect, own, query) for query in FEATURES.values()]
        proven = "names" if dialect.priorities_proven else "codes"
        link = f"[{name}](#{name})"
        answered = _answered(_replies(own))
        rows.append((link, dialect.title, len(own), answered, *marks, proven))
    return "## At a glance\n\n" + table(head, rows) + "\n" + LEGEND


def _mark(dialect: Dialect, own: list[Unit], query: str) -> str:
    """Say whether a family has a query."""
    replies = [r for r in _replies(own) if base_command(r.command) == query]
    row = CAPABILITIES.get(query)
    family = FAMILIES[dialect.name]
    seen = any(r.reading(dialect.name) for r in replies)
    seen = seen or query in family.answers.split()
    refused = any(r.refused for r in replies) or query in family.refuses.split()
    if seen or refused:
        return YES * seen + NO * refused
    on_paper = query in COMMON
    if row:
        on_paper = bool({*row.documents.split()} & {*dialect.documents.split()})
    return PAPER if on_paper and dialect.documents else UNKNOWN


# -- one family --------------------------------------------------------------------


def _family(dialect: Dialect, own: list[Unit]) -> str:
    parts = [
        f"## {dialect.name}\n\n{dialect.title}. {_papers(dialect)}\n",
        _paragraph("Recognised by", _recognised(dialect, own)),
        _seen(own),
        _layouts(own),
        _paragraph("Refused on record", _refused(own)),
        _paragraph("Warnings on record", [", ".join(_warnings(dialect, own))]),
        _paragraph("What is its own", [*_quirks(dialect), *_own(dialect, own)]),
        _codes(dialect),
    ]
    return "\n".join(part for part in parts if part)


def _papers(dialect: Dialect) -> str:
    letters = dialect.documents.split()
    if not letters:
        return "No document of the manufacturer is known."
    return f"Document{'s' * (len(letters) > 1)} {', '.join(letters)}."


def _recognised(dialect: Dialect, own: list[Unit]) -> Iterable[str]:
    family = FAMILIES[dialect.name]
    if family.numbers:
        yield f"QGMN {', '.join(family.numbers)}"
    if family.names:
        yield f"QMN that begins with {', '.join(f'`{name}`' for name in family.names)}"
    for probe in PROBES:
        found = identify(probe)
        if found.dialect is dialect:
            yield found.reasons[-1] if dialect.name in VARIANTS else found.reasons[0]
    counts: dict[str, int] = defaultdict(int)
    for unit in own:
        taken = unit.taken_for
        if taken.dialect is dialect and taken.confidence > GUESSED:
            for reason in taken.reasons:
                counts[_COUNT.sub("heat sink N", reason)] += 1
    for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if not reason.startswith(("QMN", "QGMN")):
            yield f"{reason} ({count} of {len(own)} recorded)"


def _seen(own: list[Unit]) -> str:
    if not own:
        return "No recording yet: every word of it comes from paper.\n"
    head = ("recorded inverter", "queries", "alone taken for", "sure", "frames")
    rows = []
    for unit in own:
        taken = unit.taken_for
        ids = [reply.id for reply in unit.replies]
        sure = f"{taken.confidence:.0%}"
        name = unit.model or f"not named, {unit.replies[0].source}"
        answered = _answered(unit.replies)
        rows.append((name, answered, taken.dialect.name, sure, _ids(ids)))
    return table(head, rows)


def _layouts(own: list[Unit]) -> str:
    """Return which shapes the replies of a family have, for what has several."""
    shapes: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for reply in _replies(own):
        base = base_command(reply.command)
        if not reply.refused and len(_counts(base)) > 1:
            count = len(reply.payload) if base == "QPIWS" else reply.words
            shapes[base][count].append(reply.id)
    rows = [
        (query, count, _ids(ids))
        for query, counts in sorted(shapes.items())
        for count, ids in sorted(counts.items())
    ]
    if not rows:
        return ""
    return table(("layout", "words (QPIWS: characters)", "frames"), rows)


def _counts(query: str) -> frozenset[int]:
    """Return how many words a reply may have; lists of amps do not count."""
    if query == "QPIWS":
        return frozenset((31, 32, 36, 38))  # more than one, and that is all it tells
    layouts = QUERIES.get(query, ())
    counts = frozenset(count for layout in layouts for count in layout.counts)
    return counts if len(counts) < 10 else frozenset()


def _refused(own: list[Unit]) -> Iterable[str]:
    """Return what was refused by whom; where the same refuse much, that in a line."""
    refused: dict[str, list[str]] = defaultdict(list)
    for reply in _replies(own):
        if reply.refused:
            refused[base_command(reply.command)].append(reply.id)
    by_whom: dict[str, list[str]] = defaultdict(list)
    for query, ids in sorted(refused.items()):
        by_whom[_ids(ids)].append(query)
    alone = [
        query for queries in by_whom.values() if not queries[1:] for query in queries
    ]
    for whom, queries in by_whom.items():
        if queries[1:]:
            yield f"{', '.join(queries)} ({whom})"
    if alone:
        yield ", ".join(f"{query} ({_ids(refused[query], most=1)})" for query in alone)


def _warnings(dialect: Dialect, own: list[Unit]) -> Iterable[str]:
    """Return the bits that were set, by the names that the family has for them."""
    found: dict[int, list[str]] = defaultdict(list)
    for reply in _replies(own):
        reading = reply.reading(dialect.name)
        if isinstance(reading, m.Warnings):
            for place in reading.set_bits:
                found[place].append(reply.id)
    for place, ids in sorted(found.items()):
        bit = dialect.warnings.get(place)
        yield f"a{place} {bit.name if bit else 'unknown'} ({_ids(ids, most=1)})"


def _quirks(dialect: Dialect) -> Iterable[str]:
    if dialect.phases > 1:
        yield f"{dialect.phases} phases; QPIGS shows the first, QPIGS2 the second"
    if dialect.raw_temperature:
        yield "QPIGS 12 is a count of the A/D converter, and no temperature"
    side = dialect.pv_current_is_battery_side
    if side is None:
        yield "QPIGS 13 is the PV current of some units, the battery's share on others"
    if not dialect.priorities_proven:
        yield "codes of the priorities are not proven: numbers are shown"
    if dialect.status_b7 is not None:
        words = dialect.status_b7.replace("_", " ")
        yield f"QPIGS status bit b7: {words}"
    digits = [n for n, bit in dialect.warnings.items() if bit.kind == "code_digit"]
    if digits:
        places = " and ".join(f"a{n}" for n in digits)
        yield f"QPIWS {places} are the digits of a fault code"


def _own(dialect: Dialect, own: list[Unit]) -> Iterable[str]:
    """Return the layouts that extend a common one, and the bits nobody else has."""
    counts: dict[tuple[str, type[Reading]], set[int]] = defaultdict(set)
    for query, layouts in dialect.queries.items():
        for layout in layouts:
            if layout not in QUERIES.get(query, ()):
                counts[query, layout.model] |= layout.counts
    for reply in _replies(own):
        reading = reply.reading(dialect.name)
        if reading is not None and type(reading).__mro__[1] in COMMON_MODELS:
            counts[base_command(reply.command), type(reading)].add(reply.words)
    for (query, model), numbers in counts.items():
        words = " or ".join(map(str, sorted(numbers)))
        fields = ", ".join(n for n in model.__annotations__ if n in model.wire_names())
        if fields:
            yield f"{query} of {words} words is a `{model.__name__}`: {fields}"
    others = [row.warnings for row in DIALECTS.values() if row is not dialect]
    bits = [
        f"a{place} {bit.name}"
        for place, bit in dialect.warnings.items()
        if bit.kind not in ("reserved", "code_digit")
        and bit.name not in {o[place].name for o in others if place in o}
    ]
    if bits:
        yield f"QPIWS {', '.join(bits)}"


def _codes(dialect: Dialect) -> str:
    priorities: list[tuple[str, Names]] = []
    if dialect.priorities_proven:
        priorities = [
            ("output source priority", dialect.output_priorities),
            ("charger source priority", dialect.charger_priorities),
        ]
    rows = [
        (title, ", ".join(f"{code} {name}" for code, name in names.items()))
        for title, names in (
            *priorities,
            ("battery type", dialect.battery_types),
            ("output mode", dialect.output_modes),
        )
    ]
    return table(("code", "means"), rows)


# -- all queries -------------------------------------------------------------------


def _queries() -> str:
    rows = (
        (
            f"{row.query}{'…' * bool(row.date)}",
            row.answers,
            row.documents or NO,
            _names(n for n, f in FAMILIES.items() if row.query in f.answers.split()),
            _names(n for n, f in FAMILIES.items() if row.query in f.refuses.split()),
        )
        for row in CAPABILITIES.values()
    )
    head = ("query", "answers", "documents", "answered by", "refused by")
    text = (
        "## Queries that may be absent\n\n"
        "Nearly all units answer QPI, QID, QVFW, QPIRI, QFLAG, QPIGS, QMOD and\n"
        "QPIWS. The others are asked once; NAK and silence mean the same.\n\n"
    )
    return text + table(head, rows)


def _names(families: Iterable[str]) -> str:
    return ", ".join(families) or NO


# -- text --------------------------------------------------------------------------


def _replies(own: list[Unit]) -> Iterable[Reply]:
    return (reply for unit in own for reply in unit.replies)


def _answered(replies: Iterable[Reply]) -> int:
    """Return how many different queries were answered."""
    return len({base_command(r.command) for r in replies if not r.refused})


def _ids(names: Iterable[str], most: int = IDS) -> str:
    """Return the first ids; of a journal that was sent in, its name alone."""
    ids = list(dict.fromkeys(name.split(":")[0] for name in names))
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return " ".join(ids[:most]) + more


def _paragraph(title: str, lines: Iterable[str]) -> str:
    shown = [f"- {line}" for line in lines if line]
    return "\n".join([f"{title}:\n", *shown, ""]) if shown else ""


def table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a table in Markdown."""
    lines = [list(head)]
    lines += [["---"] * len(lines[0])]
    lines += [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def main(words: list[str]) -> int:
    """Write the page, or with --check tell whether it is current."""
    return write_or_check(PAGE, page(), words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
