"""Every disagreement between mpp-solar and us over the recorded replies, and why.

python bench/compare_mppsolar.py            writes docs/mpp-solar-corpus.md
python bench/compare_mppsolar.py --check    tells whether its tables are current
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from foreign_decoder import VERSION, Foreign
from helpers.corpus import units
from mppdbus.protocol.framing import ResponseFramer, encode_reply
from mppdbus.protocol.queries import decode
from mppsolar_points import ROOT, Found, Point, Tally, compare
from mppsolar_verdicts import VERDICTS, Right, Verdict

PAGE = ROOT / "docs" / "mpp-solar-corpus.md"
SPEED = "## Speed"
ROUNDS = 25
SPOKEN_MOST = (("QPIGS", 21), ("QPIRI", 25))  # queries with their number of words
INTRO = """\
# mpp-solar and mppdbus on the same replies

Made by `python bench/compare_mppsolar.py`; a test runs it with `--check`. `mppsolar`
{version} from PyPI, through its library, decodes the {replies} good replies of
`tests/frames` with the protocol that its user would choose for the family, and mppdbus
decodes them, too: {words} words in all, word by word, bit by bit, code by code. What is
damaged is given to both as well.

Below is every disagreement: {points} points, those with one reason in one row. By the
documents, right are: {rights}.
Where both mean the same in other words they agree (`bench/mppsolar_verdicts.py` says
where). The letters of the documents are those of `docs/inverters.md`.
"""


# -- speed -------------------------------------------------------------------------


def speeds() -> list[tuple[str, int, float, float]]:
    """Return query, replies, and replies a second of ours and theirs."""
    foreign = Foreign("PI30")
    framer = ResponseFramer()  # one for all replies, as a link has one
    rows = []
    for query, words in (*SPOKEN_MOST, ("QPIGS", 0), ("QPIRI", 0), ("QPIWS", 0)):
        replies = [
            encode_reply(reply.payload)
            for unit in units()
            for reply in unit.replies
            if reply.command == query
            and words in (0, len(reply.payload.split()))
            and foreign.say(query, encode_reply(reply.payload), 1).trouble is None
        ]

        def ours(query: str = query, replies: list[bytes] = replies) -> None:
            for reply in replies:
                decode(query, framer.feed(reply)[0].payload)

        def theirs(query: str = query, replies: list[bytes] = replies) -> None:
            for reply in replies:
                foreign.decode(query, reply)

        rounds = [
            (_rate(ours, len(replies), 40), _rate(theirs, len(replies), 4))
            for _ in range(ROUNDS)
        ]
        own, other = (max(rates) for rates in zip(*rounds, strict=True))
        name = f"{query} of {words} words" if words else query
        rows.append((name, len(replies), own, other))
    return rows


def _rate(work: Callable[[], None], replies: int, times: int) -> float:
    """Return the replies a second of processor time."""
    began = time.process_time()
    for _ in range(times):
        work()
    return times * replies / (time.process_time() - began)


# -- the page ----------------------------------------------------------------------


def without_verdict(tally: Tally) -> list[Point]:
    """Return what nobody has looked up yet."""
    return [point for point in tally.points if _verdict(point) is None]


def stale(tally: Tally) -> list[Verdict]:
    """Return the verdicts that are about nothing any more."""
    used = {_verdict(point) for point in tally.points}
    return [verdict for verdict in VERDICTS if verdict not in used]


def _verdict(point: Point) -> Verdict | None:
    words = (point.query, point.place, point.theirs, point.ours)
    return next((verdict for verdict in VERDICTS if verdict.fits(*words)), None)


def tables(tally: Tally) -> str:
    """Return the part of the page that does not change from run to run."""
    rows: dict[tuple[str, Right, str], list[Point]] = defaultdict(list)
    rights: Counter[Right] = Counter()
    for point in sorted(tally.points, key=_in_order):
        if (verdict := _verdict(point)) is not None:
            rows[point.query, verdict.right, verdict.why].append(point)
            rights[verdict.right] += 1
    intro = INTRO.format(
        version=VERSION,
        replies=tally.replies,
        words=tally.words,
        points=len(tally.points),
        rights=", ".join(f"{right} {rights[right]}" for right in Right),
    )
    head = ("query", "place: mpp-solar / mppdbus", "protocols", "replies")
    lines = [intro, _line((*head, "right", "because")), _line(("---",) * 6)]
    for (query, right, why), points in rows.items():
        found = [tally.points[point] for point in points]
        said = (f"{p.place}: {p.theirs.strip(': ')} / {p.ours}" for p in points)
        cells = (
            query,
            "<br>".join(said),
            " ".join(sorted(set().union(*(one.protocols for one in found)))),
            _ids(found),
            right,
            why,
        )
        lines.append(_line(cells))
    return "\n".join([*lines, "", ""])


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _in_order(point: Point) -> tuple[str, int, Point]:
    digits = "".join(filter(str.isdigit, point.place.split(",")[0]))
    return point.query, int(digits or 0), point


def _ids(found: list[Found]) -> str:
    ids = list(dict.fromkeys(name for one in found for name in one.ids))
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return " ".join(ids[:3]) + more


def speed_table() -> str:
    """Measure, and return the last part of the page."""
    python = ".".join(map(str, sys.version_info[:2]))
    lines = [
        SPEED,
        "",
        f"Replies a second on one core with Python {python}, from the bytes of a frame",
        "to values, checksum included: the good replies of the corpus, over and over,",
        f"by turns; the best of {ROUNDS} rounds each, in processor time. A reply with",
        "a word `-` (one of the QPIRI of 25 words) takes us a third as long again.",
        "",
        "| query | replies | mpp-solar | mppdbus | ratio |",
        "|---|---|---|---|---|",
    ]
    for query, replies, ours, theirs in speeds():
        ratio = f"{ours / theirs:.0f}"
        lines.append(f"| {query} | {replies} | {theirs:,.0f} | {ours:,.0f} | {ratio} |")
    return "\n".join([*lines, ""])


def main(words: list[str]) -> int:
    """Compare; 1 if a verdict is missing or, with --check, the page is old."""
    tally = compare()
    for point in without_verdict(tally):
        print(f"no verdict in mppsolar_verdicts.py: {point}")
    for verdict in stale(tally):
        print(f"about nothing any more: {verdict}")
    if without_verdict(tally) or stale(tally):
        return 1
    text = tables(tally)
    if "--check" not in words:
        PAGE.write_text(text + speed_table(), encoding="utf-8")
        return 0
    old = PAGE.read_text(encoding="utf-8").split(SPEED)[0] if PAGE.is_file() else ""
    if old != text:
        print(f"{PAGE.name} is not current: run python bench/{Path(__file__).name}")
    return int(old != text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
