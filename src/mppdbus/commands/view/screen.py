"""Displays for pictures: redrawn in place on a terminal, else line by line."""

import os
import shutil
import sys
import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Self, TextIO

from mppdbus.commands.output import as_json, dumb_terminal
from mppdbus.commands.view.live_values import Picture
from mppdbus.commands.view.render import render_all, summary

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
TO_END_OF_LINE, TO_END, HOME = "\x1b[K", "\x1b[J", "\x1b[H"


class Display(AbstractContextManager["Display"]):
    """Shows pictures while its context lasts."""

    @abstractmethod
    def show(self, pictures: Sequence[Picture], *, news: bool) -> None:
        """Show; `news` is False when only time has passed."""

    def __exit__(self, *_: object) -> None:
        """End the display; what was shown stays."""


def display(*, as_json: bool, once: bool = False) -> Display:
    """Return the display that suits stdout and the options of the user."""
    if as_json:
        return JsonLines()
    if sys.stdout.isatty() and not dumb_terminal() and not once:
        return Screen(sys.stdout)
    return Block() if once else PlainLines()


class JsonLines(Display):
    """One object a picture, with the time of day."""

    def show(self, pictures: Sequence[Picture], *, news: bool) -> None:
        """Print what is new."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        for picture in pictures if news else ():
            _print(as_json({"time": now, **picture.record()}))


class PlainLines(Display):
    """One line a picture, with the time of day."""

    def __init__(self) -> None:
        self._said: list[str] = []

    def show(self, pictures: Sequence[Picture], *, news: bool) -> None:
        """Print the lines that have changed."""
        if news:
            before, self._said = self._said, [summary(one) for one in pictures]
            now = time.strftime("%H:%M:%S")
            for line in self._said:
                if line not in before:
                    _print(f"{now} {line}")


class Block(Display):
    """The whole picture, once."""

    def show(self, pictures: Sequence[Picture], *, news: bool) -> None:
        """Print the picture."""
        del news
        columns = shutil.get_terminal_size().columns
        for line in render_all(pictures, columns, colour=_colour(sys.stdout)):
            _print(line)


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the command line speaks


def _colour(out: TextIO) -> bool:
    return out.isatty() and "NO_COLOR" not in os.environ and not dumb_terminal()


class Screen(Display):
    """The lower part of a terminal, redrawn in place; the cursor is back afterwards."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._rows, self._size = 0, shutil.get_terminal_size()

    def __enter__(self) -> Self:
        self._out.write(HIDE)
        return self

    def __exit__(self, *_: object) -> None:
        self._out.write(SHOW)
        self._out.flush()

    def show(self, pictures: Sequence[Picture], *, news: bool) -> None:
        """Draw over what was drawn before."""
        del news  # time has passed, and ages have changed
        size = shutil.get_terminal_size()
        lines = render_all(pictures, size.columns, colour=_colour(self._out))
        lines = lines[: max(size.lines - 1, 1)]
        back = f"\x1b[{self._rows}A\r" if self._rows else "\r"
        if size != self._size:  # lines may have been wrapped: begin on a clean screen
            back = f"{HOME}{TO_END}"
        body = "".join(f"{line}{TO_END_OF_LINE}\n" for line in lines)
        self._out.write(f"{back}{body}{TO_END}")
        self._out.flush()
        self._rows, self._size = len(lines), size
