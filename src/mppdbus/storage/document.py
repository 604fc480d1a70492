"""Values on disk as JSON, in one envelope, with a version and migrations.

    {"format": "mppdbus energy", "version": 1, "saved": "2026-…", "state": {…}}

A field that an older file lacks takes its default; an unknown field is ignored. The
version grows only if the meaning of a field changes; the step from the version before
is then a row in `migrations`. A file of a newer version is set aside.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from pydantic import TypeAdapter, ValidationError

from mppdbus.errors import StateError
from mppdbus.storage.atomic_file import AtomicFile
from mppdbus.storage.folder_log import FolderLog

T = TypeVar("T")
Migration = Callable[[Any], Any]
_NO_SENSE = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
log = logging.getLogger("mppdbus.state")


@dataclass(frozen=True, slots=True)
class DocumentFormat(Generic[T]):
    """How a value is written, and read from this version and all before.

    `dump` returns plain JSON values. `load` reverses that, and raises ValueError,
    TypeError or LookupError for invalid content. `migrations` has, for each older
    version, the function that brings its state to the next one. `unwrap` puts files
    from before this envelope into it.
    """

    name: str
    version: int
    dump: Callable[[T], Any]
    load: Callable[[Any], T]
    migrations: Mapping[int, Migration] = field(default_factory=dict)
    unwrap: Callable[[Any], Any] = lambda content: content

    @classmethod
    def of(
        cls,
        kind: Any,  # noqa: ANN401 - a type, or an Annotated one
        name: str,
        version: int,
        migrations: Mapping[int, Migration] | None = None,
    ) -> Self:
        """Return the format of a dataclass, which pydantic reads and writes."""

        @cache  # made at the first use: that takes a while
        def adapter() -> TypeAdapter[T]:
            return TypeAdapter(kind)

        return cls(
            name,
            version,
            lambda v: adapter().dump_python(v, mode="json", exclude_defaults=True),
            lambda state: adapter().validate_python(state),
            migrations or {},
        )

    def state(self, value: T) -> str:
        """Return a value as JSON; equal values give equal texts."""
        return json.dumps(self.dump(value), separators=(",", ":"))

    def encode(self, state: str, saved: float, about: Mapping[str, str]) -> bytes:
        """Return a file with a `state` as JSON that was saved at `saved`, s since 1970.

        `about` tells people who read the file to which device it belongs.
        """
        when = datetime.fromtimestamp(saved, UTC).isoformat(timespec="seconds")
        head = {"format": self.name, "version": self.version, "saved": when, **about}
        return f'{json.dumps(head)[:-1]}, "state": {state}}}\n'.encode()

    def decode(self, data: bytes) -> tuple[T, float]:
        """Return the value in a file and when it was saved, s since 1970.

        Raises `StateError` with what is wrong with the file.
        """
        try:
            content = self.unwrap(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise StateError(f"damaged: {error}") from error
        if not isinstance(content, dict) or content.get("format") != self.name:
            raise StateError(f"not a file of {self.name}")
        version = content.get("version")
        if not isinstance(version, int) or version < 1:
            raise StateError("damaged: no version in it")
        if version > self.version:
            versions = f"version {version}, this one reads {self.version}"
            raise StateError(f"written by a newer mppdbus ({versions})")
        try:
            state = content["state"]
            for each in range(version, self.version):
                state = self.migrations[each](state)
            saved = datetime.fromisoformat(content["saved"]).timestamp()
            return self.load(state), saved
        except _NO_SENSE as error:
            raise StateError(f"damaged: {_short(error)}") from error


class Document(Generic[T]):
    """One value in one file; reading and writing take place in a thread."""

    def __init__(
        self,
        path: Path,
        form: DocumentFormat[T],
        *,
        clock: Callable[[], float] = time.time,
        about: Mapping[str, str] | None = None,
        folder_log: FolderLog | None = None,
    ) -> None:
        self.path = path
        self.saved: float | None = None  # s since 1970, of what was loaded
        self._file, self._format = AtomicFile(path, folder_log), form
        self._clock, self._about = clock, about or {}
        self._stored = ""  # the state on disk, as JSON
        self._on_disk = False  # there was a file
        self._turn = asyncio.Lock()

    async def load(self, default: T) -> T:
        """Return the stored value, or `default` if there is none that can be read."""
        stored = await self.load_stored()
        if stored is None:
            self._stored = self._format.state(default)
        return default if stored is None else stored

    async def load_stored(self) -> T | None:
        """Return the stored value; None if there is none, or none that can be read."""
        found = await asyncio.to_thread(self._file.read, self._format.decode)
        if found is None:
            return None
        value, self.saved = found
        self._stored, self._on_disk = self._format.state(value), True
        return value

    async def save(self, value: T) -> bool:
        """Store a value as it is now; tell whether it is stored.

        A value equal to the one stored or loaded last is not written, unless somebody
        has removed the file. A save that has begun goes on when the caller is
        cancelled.
        """
        state = self._format.state(value)
        return await asyncio.shield(asyncio.create_task(self._save(state)))

    async def _save(self, state: str) -> bool:
        async with self._turn:
            there = await asyncio.to_thread(os.path.lexists, self.path)
            gone = self._on_disk and not there
            if state == self._stored and not gone:
                return True
            data = self._format.encode(state, self._clock(), self._about)
            stored = await asyncio.to_thread(self._file.keep, data)
            if stored:
                self._stored, self._on_disk = state, True
            if stored and gone:
                log.info("%s was gone: it is stored again", self.path)
            return stored


class PeriodicSave(Generic[T]):
    """Saves what `value` returns every `interval` s, when asked to, and at the end.

    None is not saved. Create it in a running event loop.
    """

    def __init__(
        self, document: Document[T], value: Callable[[], T | None], interval: float
    ) -> None:
        self._document, self._value, self._interval = document, value, interval
        self._wanted = asyncio.Event()
        name = f"save {document.path.name}"
        self._task = asyncio.create_task(self._run(), name=name)

    def save_soon(self) -> None:
        """Save now, before the interval ends."""
        self._wanted.set()

    async def save(self) -> None:
        """Save what has changed since the last time."""
        try:
            if (value := self._value()) is not None:
                await self._document.save(value)
        except Exception:  # a defect of ours now must not end all later saves
            log.exception("%s: not stored", self._document.path)

    async def close(self) -> None:
        """Save what has changed, and end."""
        self._task.cancel()  # a save under way goes on; the next one waits for it
        await asyncio.wait([self._task])
        await self.save()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wanted.wait()
            self._wanted.clear()
            await self.save()


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error) if isinstance(error, StateError) else repr(error)
