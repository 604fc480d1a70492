"""Recognises a reply without a usable checksum by its words. Pure.

What follows the words, such as a quote, a comment, or what is left of a checksum, is
cut off as far as the layout of a query tells where they end.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mppdbus.errors import CorruptReply, MppdbusError, OtherProtocol, UnknownLayout
from mppdbus.protocol.framing import checksum_fits
from mppdbus.protocol.queries import QUERIES, base_command, decode
from mppdbus.recording.pasted_bytes import UNSHOWN, is_byte, to_bytes
from mppdbus.recording.query_guess import guess_query

_AFTER = re.compile(r"[\r\n\"'`|<>\\\[\](){},;]")  # none of them is in a reply
# A checksum that is written out behind a reply.
_CRC = re.compile(
    r" +(?:(?:crc|checksum)\b.*|(?:0x)?[0-9a-f]{2} (?:0x)?[0-9a-f]{2} (?:0x)?0d$)",
    re.IGNORECASE,
)
# What stands for a checksum that its writer left out, or that a monitor cannot show.
_NO_CHECKSUM = re.compile(r"(?<=[^ ])(?:[xX]{2}|\.\.|[?\u2e2e\ufffd\u25a1]+)$")
_HALF = re.compile(f"(.*?)(?:(.)[{UNSHOWN}]|[{UNSHOWN}](.))", re.DOTALL)
_PRINTABLE = re.compile(r"[ -~]*")
_NUMBER = re.compile(r"[0-9][0-9.]*|-")
_WORDS = re.compile(rb" [a-z]{2}")  # in no reply
_PROSE = re.compile(r"[a-z]{3}|^$|^[^0-9A-Z-]")
_LABEL = re.compile(
    r"[\s:=>\"'\[\](|*_?\u2e2e\ufffd-]*(?:(?:raw|response|reply|result|answer|data|is|got|received|"
    r"value|payload|ascii|text)\b[\s:=>\"'\[\](|*_-]*)*",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"[\s\d:.,\[\]/TZ+-]*(?:->|=>|[>|\]]|:(?!\d))\s*|\s*"
)  # time, arrow
LONG = 10  # numbers in a row that are a reply wherever they stand


@dataclass(frozen=True, slots=True)
class Shape:
    """A reply by its words: its query if that is known, and its payload or error."""

    command: str | None
    payload: bytes
    error: MppdbusError | None = None

    @property
    def is_long(self) -> bool:
        """Tell whether it is a reply wherever it stands."""
        return len(self.payload.split()) >= LONG


def fits(command: str | None, payload: bytes) -> bool:
    """Tell whether a payload answers `command`; None: exactly one query of all."""
    if payload in (b"ACK", b"NAK"):
        return True
    if command is None:
        return len(guess_query(payload)) == 1
    try:
        decode(command, payload)
    except OtherProtocol:
        return payload != b""
    except UnknownLayout as error:  # a reply of unknown length is one, too
        return error.report is not None and not error.report.odd_end
    except MppdbusError:
        return False
    return True


def shape_of(text: str, commands: Sequence[str | None]) -> Shape | None:
    """Return the reply at the beginning of `text`, which stands behind the "(".

    `commands` are the queries that it may answer, None for any. Returns None if it
    fits none of them.
    """
    body = body_of(text)
    for payload, bad in _endings(body):
        for command in commands:
            if (
                payload
                and payload.decode("latin-1") not in QUERIES
                and not _WORDS.search(payload)
                and fits(command, payload)
            ):
                error = _bad_checksum(bad) if bad else None
                return Shape(command, payload, error)
    return None


def _bad_checksum(end: str) -> CorruptReply:
    return CorruptReply(f"bad checksum {to_bytes(end).hex(' ')}")


def body_of(text: str) -> str:
    """Return the part of a text that may be a reply, with the rest of its checksum."""
    if end := _AFTER.search(text):
        text = text[: end.start()]
    text = _CRC.sub("", text)
    text = text[: next((n for n, c in enumerate(text) if not is_byte(c)), None)]
    if (half := _HALF.fullmatch(text)) and _half_fits(half):
        return half[1]
    return _NO_CHECKSUM.sub("", text.strip(" "))


def _half_fits(text: re.Match[str]) -> bool:
    """Tell whether the one byte of a checksum that is shown is the right one."""
    framed = to_bytes(f"({text[1]}")
    high, low = (to_bytes(byte or "") for byte in text.group(2, 3))
    return any(
        checksum_fits(framed, (high or other) + (low or other))
        for other in map(int.to_bytes, range(256))
    )


def _endings(body: str) -> Iterator[tuple[bytes, str]]:
    """Yield what the payload may be, with the bad checksum that is cut off for it."""
    data = to_bytes(body)
    framed, last = b"(" + data[:-1], data[-1:]
    if last and any(checksum_fits(framed, crc) for crc in (last + b"\0", b"\0" + last)):
        yield data[:-1], ""  # a NUL of the checksum was lost
    words = data[: _PRINTABLE.match(body).end()]  # type: ignore[union-attr]
    rest = len(data) - len(words)
    if rest < 2:
        yield words, ""
    if rest == 0:
        yield words[:-1], ""
    if rest < 3:
        yield data[:-2], body[-2:]
    numbers = _numbers(body)
    if len(numbers) > 2:
        yield " ".join(numbers).encode(), ""


def _numbers(text: str) -> list[str]:
    """Return the words at the beginning of a text that are numbers."""
    words = text.split()
    count = next((n for n, w in enumerate(words) if not _NUMBER.fullmatch(w)), None)
    return words[:count]


def unshaped(text: str, command: str | None) -> Shape | None:
    """Return a reply that fits no query, for its error; None if it is prose."""
    body = body_of(text)
    closed = text.lstrip()[len(body) :].startswith(")")
    if closed or _PROSE.search(body) or body in QUERIES:
        return None
    printable = _PRINTABLE.match(body)
    if printable is not None and printable.end() == len(body):
        return Shape(command, to_bytes(body))
    end = to_bytes(body)[-12:].hex(" ")
    return Shape(command, b"", CorruptReply(f"bad checksum in …{end}"))


def is_call(before: str) -> bool:
    """Tell whether a "(" behind this text is that of a call in a program: read(3)."""
    word = re.search(r"[A-Za-z_][A-Za-z_0-9]*$", before)
    return word is not None and base_command(word[0].upper()) not in QUERIES


def in_brackets(text: str) -> bool:
    """Tell whether the text behind a "(" is one word and then a ")", as in prose."""
    return re.match(r"[^() ]*\)", text) is not None


def bare_shape(
    text: str, named: Sequence[tuple[str, int]], asked: str | None
) -> tuple[Shape, str] | None:
    """Return a reply without its "(", and the text from its beginning on.

    It stands behind the name of its query, where `named` says that each ends, or is all
    of the line, or is a long row of numbers.
    """
    for start, commands in _beginnings(text, named, asked):
        rest = text[start:]
        if _AFTER.match(rest) is None and (found := shape_of(rest, commands)):
            return found, rest
    return None


def _beginnings(
    text: str, named: Sequence[tuple[str, int]], asked: str | None
) -> Iterator[tuple[int, tuple[str | None, ...]]]:
    for command, end in named:
        label = _LABEL.match(text, end)
        yield end if label is None else label.end(), (command,)
    before = _BEFORE.match(text)
    start = 0 if before is None else before.end()
    for at in {start, 0}:
        if asked is not None and len(text[at:].split()) == 1:
            yield at, (asked,)
        if _is_row(_numbers(body_of(text[at:]))):
            yield at, (asked, None) if asked else (None,)
    row = re.search(rf"(?<![\w.])[0-9][0-9.]*(?: +[0-9][0-9.]*){{{LONG},}}", text)
    if row is not None and "." in row[0]:
        yield row.start(), (asked, None) if asked else (None,)


def _is_row(words: list[str]) -> bool:
    """Tell whether words look like a reply: three or more, and a decimal point."""
    return len(words) > 2 and any("." in word for word in words)
