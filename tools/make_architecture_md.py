"""Draws the rooms and their imports into docs/architecture.md; --check only looks.

An arrow leads to what is imported. Where a room is reached over another one anyway, its
own arrow is left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pages import write_or_check
from rooms import FLOORS, rooms_imported

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
PICTURE = re.compile(r"(?<=<!-- rooms -->\n).*?(?=<!-- end -->)", re.DOTALL)


def needed(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the edges without those that follow from others."""

    def reach(room: str) -> set[str]:
        return edges[room].union(*map(reach, edges[room]))

    return {
        room: used - set[str]().union(*map(reach, used)) for room, used in edges.items()
    }


def picture() -> str:
    """Return the rooms as a mermaid flowchart, a subgraph a floor."""
    edges = rooms_imported()
    lines = ["```mermaid", "flowchart TB"]
    for number, rooms in reversed([*enumerate(FLOORS)]):
        here = [room for room in rooms if room in edges]
        lines.append(f'  subgraph floor{number}[" "]')
        lines += [f"    {_id(room)}[{room}]" for room in here]
        lines.append("  end")
    for room, used in sorted(needed(edges).items()):
        lines += [f"  {_id(room)} --> {_id(other)}" for other in sorted(used)]
    return "\n".join([*lines, "```", ""])


def _id(room: str) -> str:
    return room.replace(".", "_")


def main(words: list[str]) -> int:
    """Write the page, or compare it."""
    page = PICTURE.sub(lambda _: picture(), PAGE.read_text(encoding="utf-8"))
    return write_or_check(PAGE, page, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
