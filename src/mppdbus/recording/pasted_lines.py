"""What a pasted line holds: replies that a checksum proves, requests, names. Pure."""

import re
from collections.abc import Iterator

from mppdbus.errors import CorruptReply, EchoedRequest, MppdbusError, Truncated
from mppdbus.protocol.framing import (
    MAX_FRAME,
    Flaw,
    Frame,
    ResponseFramer,
    checksum_fits,
)
from mppdbus.protocol.other_protocols import foreign
from mppdbus.protocol.queries import QUERIES, base_command
from mppdbus.recording.pasted_bytes import Numbers, to_bytes

_REQUEST = re.compile(rb"[A-Z][A-Z0-9:.]{1,15}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9.]*")
# Words that are commands where they alone stand before a reply; all else are labels.
_COMMAND = re.compile(
    r"Q[A-Z0-9]+|[PMFBLS][A-Z]{0,6}[0-9.]+|PF"
    r"|H(?:STS|GRID|OP|BAT|PVB?|TEMP|GEN|EEP|BMS|IMSG)[0-9]?"
)
# ESPHome: <<< "(B"; strace: read(3, "(B", 8)
_RECEIVED = re.compile(r"(?:<<<\s*|\bread\(\d+, )(?:\"(.*)\")?")
_AFTER_REPLY = b"\r\n\"'`,;)]}>|<\\ "
_DIGITS = b"0123456789. -"


def intact_replies(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield start, end and payload of each reply whose checksum fits."""
    start = data.find(b"(")
    while start >= 0:
        end = _end_of(data, start)
        if end is not None:
            yield start, end, data[start + 1 : end - 2]
        start = data.find(b"(", end or start + 1)


def _end_of(data: bytes, start: int) -> int | None:
    """Return where a reply ends behind its checksum, if one fits."""
    stop = start + 1
    last = min(len(data), start + MAX_FRAME)
    while stop < last and 32 <= data[stop] < 127 and data[stop] != ord("("):
        stop += 1
    for end in range(min(stop + 2, len(data)), start + 3, -1):
        crc, behind = data[end - 2 : end], data[end : end + 1]
        if behind not in _AFTER_REPLY or (behind == b" " and not crc.strip(_DIGITS)):
            continue
        if checksum_fits(data[start : end - 2], crc):
            return end
    return None


def requests(data: bytes) -> Iterator[tuple[str, int]]:
    """Yield each command with a good checksum, and where it ends."""
    for word in _REQUEST.finditer(data):
        for end in range(word.end(), word.start() + 1, -1):
            crc = data[end : end + 2]
            body = data[word.start() : end]
            if len(crc) == 2 and checksum_fits(body, crc):
                command = body.decode("ascii")
                if base_command(command) in QUERIES or data[end + 2 :] == b"\r":
                    yield command, end + 2
                    break


def names(text: str) -> list[tuple[str, int]]:
    """Return the known queries in a text, and where each ends, the last one first."""
    found = []
    for word in _WORD.finditer(text):
        name = word[0].upper()
        if base_command(name) in QUERIES:
            found.append((name, word.end()))
    for name, end in requests(to_bytes(text)):
        if base_command(name) in QUERIES:
            found.append((name, end))
    return sorted(found, key=lambda one: one[1], reverse=True)


def named_query(text: str) -> str | None:
    """Return the last known query in a text."""
    return next((name for name, _ in names(text)), None)


def lone_command(text: str) -> str | None:
    """Return the only word of a text, if it is a command; a label is none."""
    words: list[str] = _WORD.findall(text)
    return words[0] if len(words) == 1 and _COMMAND.fullmatch(words[0]) else None


def received(text: str) -> str | None:
    """Return the received text that a log line quotes; "" if it quotes none."""
    match = _RECEIVED.search(text)
    return None if match is None else match[1] or ""


def is_reply(text: str, numbers: Numbers) -> bool:
    """Tell whether hex bytes are bytes of a line: all of it, or from a "(" on."""
    rest = text[numbers.end :].strip()
    alone = not rest and not text[: numbers.start].strip()
    return (
        alone
        or (not rest and numbers.data.startswith(b"("))
        or (not rest and lone_command(text[: numbers.start]) is not None)
    )


def foreign_in(data: bytes) -> MppdbusError | None:
    """Return the error of a reply of another protocol."""
    frames = ResponseFramer().feed(data + b"\r")
    return next((error for frame in frames if (error := foreign(frame))), None)


def problem_of(data: bytes) -> MppdbusError:
    """Return the error of bytes without an intact reply."""
    for frame in ResponseFramer().feed(data):
        if error := foreign(frame) or _error_of(frame):
            return error
    if not data:
        return Truncated("nothing came")
    if b"(" not in data:
        return CorruptReply(f"{len(data)} bytes, but no reply among them")
    if data.rstrip(b"\0").endswith((b"\r", b"\n")):
        return CorruptReply("the checksum does not fit")
    return Truncated(f"no end of the reply within its {len(data)} bytes")


def _error_of(frame: Frame) -> MppdbusError | None:
    """Return the error of a damaged or echoed frame; None for any other."""
    if frame.flaw is Flaw.CHECKSUM:
        return CorruptReply(f"bad checksum in …{frame.payload[-12:].hex(' ')}")
    if frame.flaw is not Flaw.ECHO:
        return None
    request = frame.payload.decode("ascii", "replace")
    return EchoedRequest(f"only the request {request} itself came back")
