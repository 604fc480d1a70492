"""A line at the terminal that shows what a command is doing."""

import sys
from contextlib import AbstractContextManager

_CLEAR = "\r\x1b[K"


class Progress(AbstractContextManager["Progress"]):
    """Overwrites one line of stderr; prints nothing if stderr is no terminal."""

    def __init__(self) -> None:
        self._alive = sys.stderr.isatty()
        self._shown = False

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Show what the command is doing now."""
        if self._alive:
            sys.stderr.write(f"{_CLEAR}{text} …")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Remove the line, before something else is printed."""
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False
