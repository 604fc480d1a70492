"""Pieces of a picture in text: bars, boxes, columns. Pure.

Widths are columns of a terminal; escape sequences take none.
"""

import re
from enum import StrEnum
from itertools import zip_longest

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_EIGHTHS = " ▏▎▍▌▋▊▉"
FULL, EMPTY = "█", "░"


class Style(StrEnum):
    """Colours and weights of text, as SGR codes of the terminal."""

    PLAIN = ""
    DIM = "2"
    BOLD = "1"
    SUN = "33"
    GRID = "35"
    LOAD = "36"
    BATTERY = "32"
    GOOD = "32"
    BAD = "1;31"


def paint(text: str, style: Style) -> str:
    """Return the text in a style."""
    return f"\x1b[{style.value}m{text}\x1b[0m" if style and text.strip() else text


def bare(text: str) -> str:
    """Return the text without styles."""
    return _ESCAPES.sub("", text)


def width_of(text: str) -> int:
    """Return how many columns a text takes."""
    return len(bare(text))


def fit(text: str, width: int) -> str:
    """Return the text in exactly `width` columns; what is too long is cut with …."""
    plain = bare(text)
    if len(plain) <= width:
        return text + " " * (width - len(plain))
    return plain[: max(width - 1, 0)] + "…" if width > 0 else ""


def spread(left: str, right: str, width: int) -> str:
    """Return two texts at the two ends of `width` columns; the left one is cut."""
    room = width - width_of(right)
    if room < 1:
        return fit(right, width)
    return fit(left, room) + right


def centre(text: str, width: int) -> str:
    """Return the text in the middle of `width` columns."""
    space = max(width - width_of(text), 0)
    return fit(" " * (space // 2) + text, width)


def bar(share: float | None, width: int) -> str:
    """Return a bar filled by `share` (0 to 1, held between); None is an empty one."""
    if share is None:
        return "·" * width
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if share > 0 and eighths == 0:
        eighths = 1  # show the least value above 0
    full, rest = divmod(eighths, 8)
    part = _EIGHTHS[rest] if rest else ""
    return FULL * full + part + EMPTY * (width - full - len(part))


def box(
    title: str, lines: list[str], width: int, style: Style, height: int
) -> list[str]:
    """Return `height` lines in a frame of `width` columns, the title in its edge."""
    inner = width - 4
    head = f" {fit(title, min(width_of(title), inner))} " if title else ""
    top = "┌─" + head + "─" * (width - 3 - width_of(head)) + "┐"
    side = paint("│", style)
    filled = [*lines, *[""] * (height - len(lines))]
    body = [f"{side} {fit(line, inner)} {side}" for line in filled]
    return [paint(top, style), *body, paint("└" + "─" * (width - 2) + "┘", style)]


def beside(*columns: list[str]) -> list[str]:
    """Return blocks of text side by side; shorter ones are filled up below."""
    widths = [max(map(width_of, column), default=0) for column in columns]
    rows = zip_longest(*columns, fillvalue="")
    return ["".join(map(fit, row, widths)) for row in rows]
