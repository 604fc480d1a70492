"""Reads replies as people paste them: a line of text → bytes → payload. Pure.

A line is a JSON object of a journal, hexadecimal bytes, or text with or without its
checksum; before hex and text the command may stand.
"""

import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from mppdbus.errors import CorruptReply, EchoedRequest, MppdbusError, Truncated
from mppdbus.protocol.framing import Flaw, Frame, ResponseFramer
from mppdbus.protocol.other_protocols import foreign
from mppdbus.protocol.queries import QUERIES, base_command
from mppdbus.recording.lost_byte import longer

_ESCAPE = re.compile(
    r"\\x(?P<hex>[0-9A-Fa-f]{2})|\\(?P<one>[rnt0\\'\"])"
    r"|<(?:0x)?(?P<angle>[0-9A-Fa-f]{2})>|<(?P<name>crc|cr|lf|nul)>",
    re.IGNORECASE,
)
_ONE = {"r": "\r", "n": "\n", "t": "\t", "0": "\0"}
_NAME = {"cr": "\r", "lf": "\n", "nul": "\0", "crc": ""}
_BETWEEN_HEX = re.compile(r"[\s,:;-]+")
_HEX = re.compile(r"(?:0[xX])?((?:[0-9A-Fa-f]{2})+)")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9.]*")
_QUOTE = re.compile(r"\bb?(['\"])$")


class Notation(Enum):
    """The notation of a reply, which tells which bytes may be missing."""

    JOURNAL = auto()  # all bytes as they came
    HEX = auto()  # the CR may be missing
    TEXT = auto()  # checksum and CR may be missing


@dataclass(frozen=True, slots=True)
class PastedReply:
    """One reply; `device` tells the inverters of a journal apart."""

    id: str
    command: str | None
    data: bytes
    notation: Notation
    device: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """The payload of a reply; `checked` is False if there was no checksum.

    `longer` is the payload if a NUL of the checksum was lost, see `lost_byte`.
    """

    data: bytes
    checked: bool = True
    longer: bytes | None = None


def parse_line(number: int, text: str) -> PastedReply | None:
    """Read a line; None if it is blank or a comment, `ValueError` if it is no reply.

    The one-based `number` names replies that have no id of their own.
    """
    text = text.strip("\n")
    bare = text.strip()
    if not bare or bare.startswith("#"):
        return None
    name = f"line {number}"
    if bare.startswith("{"):
        return _journal(name, bare)
    if (found := _hexadecimal(bare)) is not None:
        return PastedReply(name, *found, Notation.HEX)
    if any(mark in text for mark in ("(", "^", "\\x", "\\r")):
        return _text(name, text)
    raise ValueError("neither hex bytes, nor text that begins with (, nor JSON")


def _journal(name: str, text: str) -> PastedReply:
    try:
        line: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not the JSON of a journal: {error}") from error
    try:
        data = bytes.fromhex(line["response_hex"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError('its "response_hex" is missing or not hexadecimal') from error
    device = (_string(line, "model"), _string(line, "source"))
    return PastedReply(
        id=_string(line, "id") or name,
        command=_string(line, "command") or None,
        data=data,
        notation=Notation.JOURNAL,
        device=device if any(device) else None,
    )


def _string(line: dict[str, Any], key: str) -> str:
    value = line.get(key)
    return value if isinstance(value, str) else ""


def _hexadecimal(text: str) -> tuple[str | None, bytes] | None:
    """Read `28 50`, `2850`, `0x28,0x50`, and a command before them."""
    if (data := _bytes(text)) is not None:
        return None, data
    command, _, rest = text.partition(" ")
    command = command.rstrip(":=>")
    if _WORD.fullmatch(command) and (data := _bytes(rest)) is not None:
        return command.upper(), data
    return None


def _bytes(text: str) -> bytes | None:
    groups = [group for group in _BETWEEN_HEX.split(text) if group]
    matches = [_HEX.fullmatch(group) for group in groups]
    if not groups or None in matches:
        return None
    return bytes.fromhex("".join(match[1] for match in matches if match))


def _text(name: str, text: str) -> PastedReply:
    start = min((at for mark in "(^" if (at := text.find(mark)) >= 0), default=-1)
    if start < 0:  # no reply at all, but perhaps an echo
        return PastedReply(name, None, _unescape(text.strip()), Notation.TEXT)
    before, reply = text[:start].rstrip(" "), text[start:]
    if quote := _QUOTE.search(before):
        before, reply = before[: quote.start()], reply.rstrip().removesuffix(quote[1])
    return PastedReply(name, _command(before), _unescape(reply), Notation.TEXT)


def _command(before: str) -> str | None:
    """Return the last known command in the text before a reply."""
    words: list[str] = _WORD.findall(before)
    known = [word.upper() for word in words if base_command(word.upper()) in QUERIES]
    if known:
        return known[-1]
    return words[0] if len(words) == 1 and words[0].isupper() else None


def _unescape(text: str) -> bytes:
    """Return the bytes of a text, whose unprintable ones are as in `_ESCAPE`."""

    def character(match: re.Match[str]) -> str:
        if code := match["hex"] or match["angle"]:
            return chr(int(code, 16))
        if one := match["one"]:
            return _ONE.get(one, one)
        return _NAME[match["name"].lower()]

    return _ESCAPE.sub(character, text).encode("latin-1", "replace")


def payload_of(reply: PastedReply) -> Payload:
    """Return the payload of a reply.

    Raises `CorruptReply`, `Truncated`, `EchoedRequest` or what `foreign` returns.
    """
    body, tries = reply.data, [reply.data]
    if reply.notation is Notation.HEX and not _ended(body):
        tries.append(body + b"\r")
    elif reply.notation is Notation.TEXT:
        body = body.rstrip(b"\r\n")
        # The checksum of ACK ends in a blank, which an editor may have cut off; that of
        # others begins with a NUL, which many a log has lost.
        lost = body[:-1] + b"\0" + body[-1:]
        tries = [body + b"\r", body + b" \r", lost + b"\r"]
    for data in tries:
        for frame in ResponseFramer().feed(data):
            if frame.intact:
                as_text = reply.notation is Notation.TEXT and data is tries[0]
                more = longer(body, frame.payload) if as_text else None
                return Payload(frame.payload, longer=more)
    frames = ResponseFramer().feed(tries[0])
    if reply.notation is Notation.TEXT and not any(map(foreign, frames)):
        text = body.removeprefix(b"(").strip(b" ")
        if body.startswith(b"(") and text.isascii() and text.decode().isprintable():
            return Payload(text, checked=False)
    raise _problem(tries[0], frames)


def _ended(data: bytes) -> bool:
    return data.rstrip(b"\0").endswith((b"\r", b"\n"))


def _problem(data: bytes, frames: list[Frame]) -> MppdbusError:
    """Return the error of bytes without an intact frame."""
    for frame in frames:
        if error := foreign(frame) or _error_of(frame):
            return error
    if not data:
        return Truncated("nothing came")
    if b"(" not in data:
        return CorruptReply(f"{len(data)} bytes, but no reply among them")
    if _ended(data):
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
