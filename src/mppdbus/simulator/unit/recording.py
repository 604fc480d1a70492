"""Plays back the replies of a real inverter, byte for byte."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mppdbus.errors import ConfigError
from mppdbus.protocol.framing import encode_reply

_DATED = re.compile(r"(Q[EL][YMD])\d*")
_NUMBERED = re.compile(r"(QPGS|QP2GS)(\d|n)?")
_NAK, _SILENCE = encode_reply("NAK"), b""
_NAMELESS = "unknown"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of a recording."""

    model: str
    command: str
    response: bytes
    quality: str


@dataclass(slots=True)
class Recording:
    """The replies of one model, in turn where a command has several."""

    model: str
    replies: dict[str, list[bytes]]
    unrecorded: bytes | None = _NAK
    _turns: Counter[str] = field(default_factory=Counter)

    def reply(self, command: str) -> bytes | None:
        """Return the next recorded bytes for `command`; None is silence."""
        key = self._key(command)
        if key is None:
            return None if self._keeps_silent(command) else self.unrecorded
        said = self.replies[key]
        turn = self._turns[key] % len(said)
        self._turns[key] += 1
        return said[turn]

    def _key(self, command: str) -> str | None:
        """Find the recorded command: its date may differ, its argument may be missing.

        The number of a unit must match: another unit's reply would be wrong.
        """
        if command in self.replies:
            return command
        if slot := _NUMBERED.fullmatch(command):
            # Without a number the command was most likely for the unit itself: 0.
            alike = [slot[1], f"{slot[1]}n"] if slot[2] in ("0", None) else []
            return next((key for key in alike if key in self.replies), None)
        if not _DATED.fullmatch(command):
            return None
        base = base_of(command)
        return next((key for key in self.replies if base_of(key) == base), None)

    def _keeps_silent(self, command: str) -> bool:
        """Whether the unit is silent about numbers that do not exist."""
        if not _NUMBERED.fullmatch(command):
            return False
        said = {reply for replies in self.replies.values() for reply in replies}
        return _SILENCE in said and _NAK not in said


def base_of(command: str) -> str:
    """Return the command without its date or its parallel number."""
    for pattern in (_DATED, _NUMBERED):
        if words := pattern.fullmatch(command):
            return words[1]
    return command


def load(path: Path, model: str | None = None, *, quality: str = "good") -> Recording:
    """Read a recording (JSON lines: model, command, response_hex, quality).

    `quality` "all" takes damaged replies, too. Raises `ConfigError` for what cannot
    be read, and lists the models when `model` does not name one of them.
    """
    rows = [
        row for row in read(path) if quality in ("all", row.quality) and row.command
    ]
    if not rows:
        raise ConfigError(f"{path}: no replies of quality {quality!r} in it")
    name = _choose(path, Counter(row.model for row in rows), model)
    replies: dict[str, list[bytes]] = {}
    for row in rows:
        if row.model == name:
            replies.setdefault(row.command, []).append(row.response)
    return Recording(name, replies)


def read(path: Path) -> list[Recorded]:
    """Read every line; raise `ConfigError` with the number of one that is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return list(_parse(path, lines))


def _parse(path: Path, lines: Iterable[str]) -> Iterable[Recorded]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield Recorded(
                row.get("model") or _NAMELESS,
                row["command"],
                bytes.fromhex(row["response_hex"]),
                row.get("quality", "good"),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path}:{number}: not a recorded reply ({error}); a line needs "
                "command and response_hex"
            ) from error


def _choose(path: Path, models: Counter[str], wanted: str | None) -> str:
    if wanted is None and len(models) == 1:
        return next(iter(models))
    if wanted in models:
        return str(wanted)
    close = [name for name in models if wanted and wanted.lower() in name.lower()]
    if len(close) == 1:
        return close[0]
    problem = "several models" if wanted is None else f"no single model {wanted!r}"
    listed = "; ".join(f"{name} ({count})" for name, count in models.most_common())
    raise ConfigError(f"{path}: {problem} in it, choose one with --model: {listed}")
