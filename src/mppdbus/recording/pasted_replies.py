"""Reads replies as people paste them, line by line, into payloads. Pure.

Wherever a line holds a reply whose checksum fits, that is the reply, whatever stands
around it. Where none fits, the shape decides: the words that the layout of a query has.
Such a reply counts as one without a checksum. A line that only names a query is the
question of the reply after it, and a begun reply goes on in the lines below.
"""

import re
from dataclasses import dataclass, field
from itertools import groupby
from typing import Self

from mppdbus.errors import EchoedRequest, MppdbusError, Truncated
from mppdbus.protocol.framing import MAX_FRAME
from mppdbus.recording.lost_byte import longer
from mppdbus.recording.pasted_blocks import is_line, readings, without_text
from mppdbus.recording.pasted_bytes import (
    as_text,
    from_utf_16,
    hexadecimal,
    plain,
    to_bytes,
    unescape,
    unescape_all,
    ways_to_read,
)
from mppdbus.recording.pasted_lines import (
    foreign_in,
    intact_replies,
    is_reply,
    lone_command,
    named_query,
    names,
    problem_of,
    received,
    requests,
)
from mppdbus.recording.pasted_reply import PastedReply, Payload, of_journal
from mppdbus.recording.pasted_shapes import (
    Shape,
    bare_shape,
    fits,
    in_brackets,
    is_call,
    shape_of,
    unshaped,
)

NO_REPLY = "no reply in it: neither hex bytes, nor text that begins with (, nor JSON"

_ASKS = re.compile(
    r">>>|^\s*>\s|\b(?:tx|send|sent|sending|write|wrote|written|request|command|cmd)\b",
    re.IGNORECASE,
)
_LOG = re.compile(r"\[[A-Z]{1,2}\]\[[a-z_0-9.]+(?::\d+)?\]")  # of ESPHome: [D][uart:1]
_COMMENT = re.compile(r"(?<!:)//|/\*|^\s*\*")  # of a program: what follows is prose
_GOES_ON = re.compile(r"[0-9. -]*[0-9.](?:[^0-9a-z ].*|\S{0,2})$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A reply that has no end yet: the text from its "(" on, or bytes in `data`."""

    line: int
    asked: str | None
    text: str
    kind: str  # "text"; "log" or "hex", which show all bytes, so that a CR must come
    shape: Shape | None = None  # what it is if nothing follows


@dataclass(slots=True)
class PastedReplies:
    """All replies of a text, and the lines without any, with the reason."""

    replies: list[PastedReply] = field(default_factory=list)
    others: list[tuple[int, str]] = field(default_factory=list)
    _asked: str | None = None
    _begun: _Begun | None = None
    _binary: bool = False

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read a text; in one with NUL bytes only checksums prove a reply."""
        data = from_utf_16(data)
        found = cls(_binary=b"\0" in data)
        lines = enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
        for alike, block in groupby(lines, lambda one: is_line(as_text(one[1]))):
            numbered = list(block)
            if not (alike and found._block(numbered)):
                for number, line in numbered:
                    alone = without_text(as_text(line)).encode() if alike else line
                    found.add(number, alone)
        found.end()
        return found

    def add(self, number: int, line: bytes) -> None:
        """Read the line with this number, from 1 on."""
        text = as_text(line)
        bare = text.strip()
        if bare.startswith("#") or not any(map(str.isalnum, bare)):
            return
        if bare.startswith("{") and '"response_hex"' in bare:
            self._journal(number, bare)
        elif self._goes_on(text) or self._proven(number, line, text):
            pass
        elif self._binary or not self._unproven(number, text):
            self.others.append((number, NO_REPLY))

    def end(self) -> None:
        """Take a begun reply as it is."""
        begun, self._begun = self._begun, None
        if begun is None:
            return
        if begun.kind == "text" and begun.shape is not None:
            self._take(begun.line, begun.shape)
        else:
            size = len(begun.text)
            error = Truncated(f"no end of the reply within its {size} bytes")
            self._reply(begun.line, begun.asked, error=error)

    # -- what is found --------------------------------------------------------------

    def _reply(
        self,
        line: int,
        command: str | None,
        payload: Payload | None = None,
        error: MppdbusError | None = None,
    ) -> None:
        name = f"line {line}"
        alike = sum(one.id.partition(" (")[0] == name for one in self.replies[-9:])
        name += f" ({alike + 1})" if alike else ""
        self.replies.append(PastedReply(name, command, payload, error))
        self._asked = None

    def _take(self, line: int, shape: Shape) -> None:
        payload = None if shape.error else Payload(shape.payload, checked=False)
        self._reply(line, shape.command, payload, shape.error)

    def _take_intact(
        self, line: int, proven: Payload, named: str | None, asked: str | None
    ) -> None:
        """Take a reply with a good checksum; its shape tells its query, or the log."""
        if named is None and asked is not None:
            odd = not fits(asked, proven.data) and fits(None, proven.data)
            named = None if odd else asked
        self._reply(line, named, proven)

    def _journal(self, number: int, text: str) -> None:
        self.end()
        try:
            self.replies.append(of_journal(f"line {number}", text))
        except ValueError as error:
            self.others.append((number, str(error)))

    # -- replies with a checksum ----------------------------------------------------

    def _proven(self, number: int, line: bytes, text: str) -> bool:
        """Take all intact replies of a line, in the first way to read it that has any.

        A lost "(" is put back where the line begins with the rest of a reply.
        """
        for way in ways_to_read(line, text):
            data, before = way.data, way.before
            found = list(intact_replies(data))
            if not found:
                continue
            self.end()
            at = 0
            for start, end, payload in found:
                words = before + data[at:start].decode("latin-1")
                named = named_query(words) or lone_command(words)
                more = None if way.exact else longer(data[start:end], payload)
                proven = Payload(payload, longer=more)
                self._take_intact(number, proven, named, self._asked)
                at = end
            return True
        return False

    def _block(self, lines: list[tuple[int, bytes]]) -> bool:
        """Take all intact replies of lines of numbers; False if there are none."""
        for data in readings([as_text(line) for _, line in lines]):
            if found := list(intact_replies(data)):
                self.end()
                for _, _, payload in found:
                    self._take_intact(lines[0][0], Payload(payload), None, self._asked)
                return True
        return False

    # -- replies that go on below -----------------------------------------------------

    def _goes_on(self, text: str) -> bool:
        """Add a line to the begun reply; False if it is none of its lines."""
        begun = self._begun
        if begun is None:
            return False
        more = _continuation(begun, text)
        if more is None:
            if begun.kind == "text" or received(text) is not None:
                self.end()
            return False
        for glue in ("",) if begun.kind != "text" else ("", " "):
            joined = to_bytes(begun.text + glue + more)
            if found := list(intact_replies(joined)):
                self._begun = None
                for _, _, payload in found:
                    self._take_intact(begun.line, Payload(payload), None, begun.asked)
                return True
        if "\r" in more and begun.kind != "text":
            self._begun = None
            error = problem_of(to_bytes(begun.text + more))
            self._reply(begun.line, begun.asked, error=error)
            return True
        return self._grow(begun, more)

    def _grow(self, begun: _Begun, more: str) -> bool:
        """Keep the begun reply with another line."""
        if len(begun.text) + len(more) > MAX_FRAME:
            self.end()
            return False
        if begun.kind != "text":
            self._begun = _Begun(begun.line, begun.asked, begun.text + more, begun.kind)
            return True
        commands = _possible(begun.shape.command if begun.shape else None, begun.asked)
        for glue in (" ", ""):
            text = begun.text + glue + more
            if shape := shape_of(text[1:], commands):
                self._begun = _Begun(begun.line, begun.asked, text, "text", shape)
                return True
        alone = begun.shape and fits(begun.shape.command, begun.shape.payload)
        if alone or shape_of(more, (None,)):
            self.end()
            return False
        text = f"{begun.text} {more}"
        self._begun = _Begun(begun.line, begun.asked, text, "text", begun.shape)
        return True

    # -- replies without a checksum -----------------------------------------------

    def _unproven(self, number: int, text: str) -> bool:
        """Take what a line holds without a good checksum; False if that is nothing."""
        shown = unescape_all(text)
        written_as_hex = hexadecimal(text)
        numbers = next((n for n in written_as_hex if is_reply(text, n)), None)
        for data in (to_bytes(shown), *(n.data for n in written_as_hex)):
            if self._request(number, text, data):
                return True
        if (logged := received(text)) is not None:
            data = numbers.data if numbers else to_bytes(unescape(logged))
            return self._bytes(number, "log", data, None)
        if numbers is not None and numbers.data.startswith(b"("):
            before = text[: numbers.start]
            named = named_query(before) or lone_command(before)
            return self._bytes(number, "hex", numbers.data, named)
        if error := foreign_in(to_bytes(shown)):
            self._reply(number, named_query(shown), error=error)
            return True
        written = unescape_all(plain(text))
        if "(" in written and self._bracketed(number, written):
            return True
        if "(" not in written and self._bare(number, written):
            return True
        if numbers is not None:
            return self._bytes(number, "hex", numbers.data, None)
        if named := named_query(written):
            self._asked = named
            return True
        return _LOG.search(text) is not None

    def _request(self, number: int, text: str, data: bytes) -> bool:
        """Take a line that holds a request: as the question, or else as an echo."""
        found = next(requests(data), None)
        if found is None:
            return False
        command, end = found
        if self._begun and self._begun.kind == "text":
            self.end()
        if data[end : end + 1] in b"\r" and data[end:] and not _ASKS.search(text):
            error = EchoedRequest(f"only the request {command} itself came back")
            self._reply(number, command, error=error)
        self._asked = command
        return True

    def _bytes(self, number: int, kind: str, data: bytes, named: str | None) -> bool:
        """Take bytes as a device sent them, which may go on in the lines below."""
        command, start = named or self._asked, data.rfind(b"(")
        if start >= 0 and not data.rstrip(b"\0").endswith((b"\r", b"\n")):
            self.end()
            self._begun = _Begun(number, command, data[start:].decode("latin-1"), kind)
            return True
        self._reply(number, command, error=problem_of(data))
        return True

    def _bracketed(self, number: int, text: str) -> bool:
        """Take the replies of a line that begin with "(" and fit a query."""
        starts = [at.end() for at in re.finditer(r"\(", text)]
        found, at = [], 0
        for start in starts:
            named = named_query(text[at:start]) or lone_command(text[at:start])
            shape = shape_of(text[start:], _possible(named, self._asked))
            if _in_program(text[: start - 1]) and not (shape and shape.is_long):
                continue
            if shape and (named or not in_brackets(text[start:])):
                found.append((start, shape))
                at = start
        if not found and _in_program(text[: starts[-1] - 1]):
            return False
        if not found:
            named = named_query(text[: starts[-1]]) or lone_command(text[: starts[-1]])
            if error := foreign_in(to_bytes(text[starts[-1] - 1 :])):
                self._reply(number, named, error=error)
                return True
            shape = unshaped(text[starts[-1] :], named)
            if shape is None:
                return False
            found = [(starts[-1], shape)]
        for start, shape in found:
            self.end()
            rest = text[start - 1 :]
            if shape.error is None and "\r" not in rest:
                self._begun = _Begun(number, self._asked, rest, "text", shape)
            else:
                self._take(number, shape)
        return True

    def _bare(self, number: int, text: str) -> bool:
        """Take a reply that has lost its "("."""
        for written in (text, re.sub(r"[,;] ?", " ", text)):  # or a table with commas
            found = bare_shape(written, names(written), self._asked)
            if found is not None:
                break
        else:
            return False
        shape, rest = found
        if proven := list(intact_replies(b"(" + to_bytes(rest))):
            self._take_intact(number, Payload(proven[0][2]), shape.command, None)
        else:
            self.end()
            rest = f"({rest}"
            self._begun = _Begun(number, self._asked, rest, "text", shape)
        return True


def _in_program(before: str) -> bool:
    """Tell whether a "(" behind this text is that of a call, or within a comment."""
    return is_call(before) or _COMMENT.search(before) is not None


def _possible(named: str | None, asked: str | None) -> tuple[str | None, ...]:
    """Return the queries that a reply may answer; None for any."""
    if named is not None:
        return (named,)
    return (None,) if asked is None else (asked, None)


def _continuation(begun: _Begun, text: str) -> str | None:
    """Return what a line adds to a begun reply; None if it is another line."""
    if begun.kind == "log":
        logged = received(text)
        if logged == "" and (runs := hexadecimal(text)):
            logged = runs[-1].data.decode("latin-1")
        if logged is None or unescape(logged).startswith("("):
            return None
        return unescape(logged)
    if begun.kind == "hex":
        numbers = next(iter(hexadecimal(text)), None)
        if numbers is None or not is_reply(text, numbers):
            return None
        return None if numbers.data.startswith(b"(") else numbers.data.decode("latin-1")
    more = unescape(plain(text)).strip(" \r\n>|\"',")
    return more if "(" not in more and _GOES_ON.match(more) else None
