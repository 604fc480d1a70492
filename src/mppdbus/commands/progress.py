"""One line that says what is going on, for people who wait at a terminal."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

_CLEAR = "\r\x1b[K"


class Progress(AbstractContextManager["Progress"]):
    """A line on stderr that is overwritten; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._alive = sys.stderr.isatty()
        self._shown = False

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Say what is going on now."""
        if self._alive:
            sys.stderr.write(f"{_CLEAR}{text} …")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Take the line away, before something else is printed."""
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False
