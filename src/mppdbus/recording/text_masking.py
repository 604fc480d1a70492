"""Replaces what identifies a person or a device in texts: logs, configs, trees. Pure.

The same thing is always replaced by the same word, so that a reader can follow it.
Serial numbers become those of `masking`, as in a recording.
"""

import re
from collections.abc import Iterable

from mppdbus.recording.masking import Masker

# Names that say nothing about anybody.
COMMON = {
    *("root", "pi", "user", "mppdbus", "admin", "nobody", "localhost", "home"),
    *("debian", "ubuntu", "raspberrypi", "venus", "einstein", "nanopi", "ccgx"),
    *("beaglebone", "ekrano", "tmp", "usr", "var", "dev"),
}
SHORTEST = 2  # characters of a name that is replaced
# A number as long as a serial; bits of QPIWS and stamps of multilog are none.
_NUMBER = re.compile(
    r"(?<![0-9A-Za-z@.])\d{12,22}(?![0-9A-Za-z])|(?<=_)\d{12,22}(?!\d)"
)
_BITS = re.compile(r"[01]+")
_IP = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_LOCAL = ("127.", "0.0.0.0", "255.")
_MAC = re.compile(r"\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b")
_IP6 = re.compile(
    r"\b(?:[0-9A-Fa-f]{1,4}:){4,7}[0-9A-Fa-f]{1,4}\b|\bfe80::[0-9A-Fa-f:]+"
)
_ADAPTER = re.compile(r"(usb-[^/\s\"]*_)([0-9A-Za-z]{4,})(-if\d\d)")
_HEX_DIGITS = re.compile(r"\b3[0-9](?: 3[0-9]){7,}\b")


class TextMasker:
    """Masks texts; `serials` and `names` are known beforehand, whatever they look like.

    `names` are host and user names, and other words that identify somebody.
    """

    def __init__(
        self, masker: Masker, serials: Iterable[str] = (), names: Iterable[str] = ()
    ) -> None:
        self._masker = masker
        self._serials = sorted(filter(None, set(serials)), key=len, reverse=True)
        usable = {n for n in names if len(n) >= SHORTEST and n.lower() not in COMMON}
        self._names = sorted(usable, key=len, reverse=True)
        self._made: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Return the text without serials, names, addresses and ids."""
        for serial in self._serials:
            text = text.replace(serial, self._masker.number(serial))
        text = _NUMBER.sub(lambda m: self._number(m[0]), text)
        for name in self._names:
            pattern = rf"(?<![0-9A-Za-z]){re.escape(name)}(?![0-9A-Za-z])"
            text = re.sub(pattern, self._word("name", name), text)
        text = _MAC.sub(lambda m: self._word("mac", m[0]), text)
        text = _IP6.sub(lambda m: self._word("ip6", m[0]), text)
        text = _IP.sub(lambda m: self._address(m[0]), text)
        text = _ADAPTER.sub(
            lambda m: f"{m[1]}{self._word('adapter', m[2])}{m[3]}", text
        )
        return _HEX_DIGITS.sub(lambda m: re.sub("3[0-9]", "30", m[0]), text)

    def _number(self, number: str) -> str:
        made_up = number.startswith("98") and number[4:8] == "0246"
        if made_up or _BITS.fullmatch(number):
            return number
        return self._masker.number(number)

    def _address(self, address: str) -> str:
        if address.startswith(_LOCAL) or any(int(x) > 255 for x in address.split(".")):
            return address
        number = self._word("192.0.2.", address)
        return number.replace("-", "")

    def _word(self, kind: str, secret: str) -> str:
        key = f"{kind}-{secret}"
        if key not in self._made:
            count = sum(each.startswith(kind) for each in self._made) + 1
            self._made[key] = f"{kind}-{count}"
        return self._made[key]
