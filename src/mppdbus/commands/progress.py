"""A line at the terminal that shows what a command is doing."""

import sys
from contextlib import AbstractContextManager

from mppdbus.commands.output import dumb_terminal

_CLEAR = "\r\x1b[K"


class Progress(AbstractContextManager["Progress"]):
    """Overwrites one line of stderr; nothing where stderr cannot."""

    def __init__(self) -> None:
        self._alive = sys.stderr.isatty() and not dumb_terminal()
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
