"""Reads and writes journals; an entry is a line of one."""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from mppdbus.errors import ConfigError
from mppdbus.recording.reply_quality import Crc, Quality
from mppdbus.storage.atomic_file import write_file

_ALWAYS = frozenset(("model", "variant", "source"))  # null says "not known"


NO_JSON = 'no recorded reply; such a line is JSON: {"command": …, "response_hex": …}'


def _hexadecimal(value: str) -> str:
    try:
        bytes.fromhex(value)
    except ValueError:
        raise ValueError("is not hexadecimal") from None
    return value


class Entry(BaseModel):
    """One request and its reply, a line of a journal. Unknown keys are kept.

    `quality` and `crc` are words of `Quality` and `Crc`, or others written by hand.
    `ms` is the duration of the reply, `t_ms` the time of the request.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    id: str = ""
    model: str | None = None
    variant: str | None = None
    command: Annotated[str, Field(min_length=1)]
    response_hex: Annotated[str, AfterValidator(_hexadecimal)]
    crc: str = Crc.RECORDED.value
    source: str | None = None
    quality: str = Quality.GOOD.value
    fields: int | None = None
    ascii: str | None = None
    note: str | None = None
    masked: bool | None = None
    request_hex: str | None = None  # if it differs from the usual request
    ms: int | None = None
    t_ms: int | None = None

    @property
    def response(self) -> bytes:
        """The received bytes."""
        return bytes.fromhex(self.response_hex)

    def as_line(self) -> str:
        """Return the entry as a line of JSON; most keys that are None are left out."""
        keys = self.model_dump().items()
        shown = {key: x for key, x in keys if x is not None or key in _ALWAYS}
        return json.dumps(shown, ensure_ascii=False)


def read(path: Path) -> list[Entry]:
    """Read a journal; `ConfigError` names the file, the line and what is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no journal: not UTF-8") from error
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path} cannot be read: {reason}") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> list[Entry]:
    """Return the lines of a journal; blank ones are left out. `name` is for errors."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                found.append(_entry(line))
            except ValueError as error:
                raise ConfigError(f"{name}:{number}: {error}") from error
    if not found:
        raise ConfigError(f"{name}: no recorded replies in it")
    return found


def _entry(line: str) -> Entry:
    try:
        keys = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(NO_JSON) from error
    if not isinstance(keys, dict):
        raise ValueError("not a JSON object, as a recorded reply is")  # noqa: TRY004
    try:
        return Entry.model_validate(keys)
    except ValidationError as error:
        raise ValueError("; ".join(map(_problem, error.errors()))) from None


def _problem(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f'"{key}" is missing; a line needs command and response_hex'
    text = error["msg"].removeprefix("Value error, ")
    return f'"{key}" {text[:1].lower()}{text[1:]}'


def write(path: Path, entries: Iterable[Entry]) -> None:
    """Write a journal, whole or not at all; raises `ConfigError`."""
    text = "".join(f"{entry.as_line()}\n" for entry in entries)
    aside = path.with_name(f".mppdbus.{os.getpid()}")  # a name may be too long already
    try:
        write_file(aside, text.encode())
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        reason = error.strerror or error
        raise ConfigError(f"{path} cannot be written: {reason}") from error
