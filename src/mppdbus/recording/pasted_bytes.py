"""The bytes that a pasted line may stand for. Pure.

A reply is written in many ways: as it came, with escapes of C, Python, ESPHome or
strace, as `cat -v` shows it, as hexadecimal or decimal numbers, within HTML, Markdown
or typographic quotes. Each way is tried; the checksum tells which one is right.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_ESCAPE = re.compile(
    r"\\x(?P<hex>[0-9A-Fa-f]{2})|\\u(?P<unicode>[0-9A-Fa-f]{4})"
    r"|\\(?P<octal>[0-7]{1,3})|\\(?P<one>[abtnvfre\\'\"])"
    r"|[<\[{](?:0x|\$)?(?P<angle>[0-9A-Fa-f]{2})[>\]}]"
    r"|[<\[{](?P<name>crc|cr|lf|nul)[>\]}]",
    re.IGNORECASE,
)
SHORTEST, MOSTLY = 3, 0.9  # characters of a text in UTF-16, and how many are ASCII
UNSHOWN = "?\u2e2e\ufffd\u25a1"  # stands for a byte that a monitor cannot show
_ONE = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "e": 27}
_NAME = {"cr": "\r", "lf": "\n", "nul": "\0", "crc": ""}
_CARET = re.compile(r"(M-)?(?:\^([?-_])|(.))", re.DOTALL)
_COLOUR = re.compile(r"(?:\x1b|\\033|\\e|\\x1b)\[[0-9;]*m", re.IGNORECASE)
_TAG = re.compile(r"</?(?!crc|cr|lf|nul|0x|[0-9a-f]{2}>)[a-z][^<>]*>", re.IGNORECASE)
_LISTED = re.compile(
    r"(?:(?<=[0-9-])|(?<=\W[A-Z]))['\"], ?b?['\"](?=[0-9-]|[A-Z]['\"])"
)
_MARKUP = re.compile(r"\*\*|__|~~|`")
# Typographic characters and what was typed; a mark without width is left out.
_TYPED = str.maketrans(
    {
        **dict.fromkeys("“”„«»″", '"'), **dict.fromkeys("‘’‚′", "'"),
        **dict.fromkeys("\xa0\u2002\u2003\u2007\u2009\u202f\t", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff"), "␍": "\r", "␊": "\n",
        **dict.fromkeys("‐‑‒–—−", "-"),
    }
)  # fmt: skip

_SEPARATOR = r"[ \t]*[\s,:;-][ \t]?"
_HEX_RUN = re.compile(
    rf"(?<![\w.])(?:0x)?(?:[0-9A-F]{{2}})+h?"
    rf"(?:{_SEPARATOR}(?:0x)?(?:[0-9A-F]{{2}})+h?)*"
    r"(?!\w)",
    re.IGNORECASE,
)
_DUMP = re.compile(  # a line of hexdump -C, xxd or od: offset, bytes, text
    r"^\s*(?:(?:0x)?[0-9a-f]{4,8}:[ \t]*|[0-9a-f]{6,8}[ \t]+)"
    r"([0-9a-f]{4}(?: [0-9a-f]{4}){0,7}(?: [0-9a-f]{2})?(?![0-9a-f])"
    r"|[0-9a-f]{2}(?:[ \t]{1,2}[0-9a-f]{2}){0,15}(?![0-9a-f]))",
    re.IGNORECASE,
)
_BESIDE = re.compile(  # a line of a dump without offset: bytes, and text beside them
    r"^\s*([0-9a-f]{2}(?: {1,2}[0-9a-f]{2}){0,31}) {2,}\|?(.+?)\|?\s*$", re.IGNORECASE
)
_OFFSET = re.compile(r"\s*[0-9a-f]{6,8}\s*", re.IGNORECASE)  # the last line of a dump
_LOOSE_HEX_RUN = re.compile(  # also 28.42.D, 28/42/0D, 28|42|0D, $28 $42 $0D
    r"(?<![\w.])(?:0x|\$)?[0-9A-F]{1,2}h?"
    r"(?:[\s.,:;_/|-]{1,3}(?:0x|\$)?[0-9A-F]{1,2}h?){3,}(?!\w)",
    re.IGNORECASE,
)
_GLUED = re.compile(r"(?:0x[0-9A-F]{2}){4,}", re.IGNORECASE)  # 0x280x420xe7
_BINARY_RUN = re.compile(
    r"(?<![\w.])(?:0b)?[01]{8}(?:[\s,]+(?:0b)?[01]{8}){3,}(?![\w.])"
)
_USBMON = re.compile(  # URB, time, kind, address, status, length, and the bytes
    r"\s*[0-9a-f]{8,16} \d+ [SCE] \w+:\d+:\d+:\d+ .*?(?:= ([0-9a-f ]+)|[<>])?\s*"
)
_PERCENT = re.compile(r"%[0-9A-F]{2}", re.IGNORECASE)
_DECIMAL_RUN = re.compile(r"(?<![\w.-])-?\d{1,3}(?:[\s,]{1,3}-?\d{1,3}){2,}(?![\w.])")


def as_text(line: bytes) -> str:
    """Decode UTF-8; other bytes stay as they came off the wire. No colours."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    return _COLOUR.sub("", text)


def from_utf_16(data: bytes) -> bytes:
    """Return a text in UTF-8, if Windows has written it in UTF-16; others as it is.

    Without a mark at its beginning, every second byte tells it.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").encode()
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        high = data[offset::2]
        if len(high) > SHORTEST and high.count(0) > MOSTLY * len(high):
            return data.decode(encoding, "replace").encode()
    return data


def to_bytes(text: str) -> bytes:
    """Return the bytes that a terminal shows as this text; "?" for other characters."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return b"".join(map(_byte_of, text))


def is_byte(character: str) -> bool:
    """Tell whether a character may stand for a byte, shown or not."""
    return character in UNSHOWN or _byte_of(character) != b"?"


def _byte_of(character: str) -> bytes:
    for encoding in ("latin-1", "cp1252", "cp437"):
        try:
            return character.encode(encoding)
        except UnicodeEncodeError:
            continue
    return b"?"


def unescape(text: str) -> str:
    """Return a text whose unprintable characters were written as in `_ESCAPE`."""

    def character(match: re.Match[str]) -> str:
        if code := match["hex"] or match["unicode"] or match["angle"]:
            return chr(int(code, 16))
        if octal := match["octal"]:
            return chr(int(octal, 8) & 0xFF)
        if one := match["one"]:
            return chr(_ONE[one]) if one in _ONE else one
        return _NAME[match["name"].lower()]

    return _ESCAPE.sub(character, text)


def unescape_all(text: str) -> str:
    """Return a text without escapes, also where a log stands within a log."""
    shown = unescape(text)
    return unescape(shown) if "\\" in shown else shown


def plain(text: str) -> str:
    """Return a text without HTML, Markdown and typographic characters."""
    text = html.unescape(_TAG.sub(" ", text))
    text = _MARKUP.sub("", text).translate(_TYPED)
    return _LISTED.sub(" ", text)


def _as_cat_shows(text: str) -> str:
    """Return the text behind the output of `cat -v`: M-gM-I^M."""

    def character(match: re.Match[str]) -> str:
        code = ord(match[2]) ^ 64 if match[2] else ord(match[3])
        return chr(code | 128) if match[1] and code < 128 else chr(code)

    return _CARET.sub(character, text.removesuffix("$"))


@dataclass(frozen=True, slots=True)
class Numbers:
    """Bytes that were written as numbers: from where to where in the line."""

    data: bytes
    start: int
    end: int


def hexadecimal(text: str) -> list[Numbers]:
    """Return the runs of hexadecimal bytes in a line, in all ways to read them."""
    found = []
    if dump := _DUMP.match(text):
        found.append(Numbers(_from_hex(dump[1]), dump.start(), len(text)))
    runs = _HEX_RUN.finditer(text)
    return [*found, *(Numbers(_from_hex(run[0]), *run.span()) for run in runs)]


def dumped(text: str) -> bytes | None:
    """Return the bytes of a line of a dump, none of its end; None for other lines.

    Of usbmon as well, where a line without bytes is one of the dump.
    """
    if urb := _USBMON.fullmatch(text):
        return _from_hex(urb[1] or "")
    if dump := _DUMP.match(text):
        return _from_hex(dump[1])
    if beside := _BESIDE.match(text):
        data = _from_hex(beside[1])
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
        return data if beside[2].strip() == shown.strip() else None
    return b"" if _OFFSET.fullmatch(text) else None


def _from_hex(text: str) -> bytes:
    digits = re.sub(r"0x|[^0-9a-f]", "", text.lower())
    return bytes.fromhex(digits)


def decimal(text: str) -> list[Numbers]:
    """Return the lists of decimal bytes in a line; Java writes 231 as -25."""
    found = []
    for run in _DECIMAL_RUN.finditer(text):
        numbers = [int(word) for word in re.findall(r"-?\d+", run[0])]
        if min(numbers) > -129 and max(numbers) < 256:
            data = bytes(number & 0xFF for number in numbers)
            found.append(Numbers(data, *run.span()))
    return found


def loose_hexadecimal(text: str) -> list[Numbers]:
    """Return the runs of hexadecimal bytes with any separator, and of one digit."""
    found = []
    for run in _LOOSE_HEX_RUN.finditer(text):
        digits = re.findall(r"[0-9a-f]{1,2}", run[0].lower().replace("0x", ""))
        data = bytes(int(word, 16) for word in digits)
        found.append(Numbers(data, *run.span()))
    return found


@dataclass(frozen=True, slots=True)
class Way:
    """One way to read a line: its bytes, and the text before them if they lack it.

    `exact` says that every byte is written in it, so that none was lost.
    """

    data: bytes
    before: str = ""
    exact: bool = True


def ways_to_read(line: bytes, text: str) -> Iterator[Way]:
    """Yield the bytes that a line may stand for, in the order to try them."""
    written = unescape(text)
    yield Way(to_bytes(written), exact=written != text)
    yield Way(line, exact=b"\0" in line)
    if "\\" in written:  # a log within JSON
        yield Way(to_bytes(unescape_all(text)))
    yield Way(to_bytes(unescape(plain(text))), exact=written != text)
    for numbers in (*hexadecimal(text), *decimal(text), *loose_hexadecimal(text)):
        yield Way(numbers.data, text[: numbers.start])
    for run in _GLUED.finditer(text):
        yield Way(_from_hex(run[0]), text[: run.start()])
    for run in _BINARY_RUN.finditer(text):
        data = bytes(int(word, 2) for word in re.findall(r"[01]{8}", run[0]))
        yield Way(data, text[: run.start()])
    if "^" in text or "M-" in text:
        yield Way(to_bytes(_as_cat_shows(text)))
    if _PERCENT.search(text):  # of an address; JavaScript makes UTF-8 of the bytes
        data = unquote_to_bytes(text)
        yield Way(data)
        yield Way(to_bytes(data.decode("utf-8", "replace")))
