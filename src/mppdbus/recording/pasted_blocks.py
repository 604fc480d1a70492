"""Replies that are written as numbers over several lines: dumps and arrays. Pure.

The lines of a block are read together, because a reply may begin anywhere in them, and
what a dump shows as text beside its bytes is no reply.
"""

import re
from collections.abc import Callable, Iterator

from mppdbus.recording.pasted_bytes import dumped, to_bytes, unescape

_LIST = re.compile(  # 0x28, 0x42,  28 42 e7  40, 66, 231,  one or more on a line
    r"[\s{\[(]*((?:0x)?[0-9A-F]{1,3}(?:[\s,]+(?:0x)?[0-9A-F]{1,3})*)[\s,;)\]}]*",
    re.IGNORECASE,
)


def is_line(text: str) -> bool:
    """Tell whether a line may be one of a block."""
    return any(way(text) is not None for way in _WAYS)


def readings(texts: list[str]) -> Iterator[bytes]:
    """Yield the bytes of a block in each way in which all of its lines can be read."""
    for way in _WAYS:
        pieces = [way(text) for text in texts]
        if all(piece is not None for piece in pieces):
            yield b"".join(piece for piece in pieces if piece is not None)


def without_text(text: str) -> str:
    """Return a line of a dump as its bytes alone; other lines as they are."""
    for way in (_swapped, dumped, _characters):
        if data := way(text):
            return data.hex(" ")
    return text


def _swapped(text: str) -> bytes | None:
    """Return the bytes of a line of `hexdump` or `od -x`: words, the low byte first."""
    words = re.fullmatch(r"[0-9a-f]{7}((?:\s+[0-9a-f]{4})*)\s*", text)
    if words is None:
        return None
    return b"".join(bytes.fromhex(word)[::-1] for word in words[1].split())


def _characters(text: str) -> bytes | None:
    """Return the bytes of a line of `od -c` or `hexdump -c`: four columns a byte."""
    cells = re.fullmatch(r"[0-9a-f]{7}((?:  ? ?[^ ]{1,3}|    )*)", text.rstrip("\r"))
    if cells is None:
        return None
    shown = [cells[1][at : at + 4].strip() or " " for at in range(0, len(cells[1]), 4)]
    return to_bytes(
        "".join(unescape(f"\\{c}") if len(c) == 3 else unescape(c) for c in shown)
    )


def _numbers(text: str, base: int) -> bytes | None:
    listed = _LIST.fullmatch(text)
    try:
        words = re.findall(r"[^\s,]+", listed[1]) if listed else []
        return bytes(int(word, base) for word in words) or None
    except ValueError:  # no number, or none of a byte
        return None


_WAYS: tuple[Callable[[str], bytes | None], ...] = (
    dumped,
    _swapped,
    _characters,
    lambda text: _numbers(text, 16),
    lambda text: _numbers(text, 10),
)
