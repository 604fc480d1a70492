"""Asks a person at the terminal; each question has a proposal."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from mppdbus.errors import ConfigError

T = TypeVar("T")
TRIES = 3


class Questions:
    """Asks, or takes every proposal where the user has said --yes."""

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def choice(self, question: str, choices: Sequence[str], proposal: str) -> str:
        """Return one of the choices, which may be given by their beginning."""

        def read(text: str) -> str:
            fits = [one for one in choices if one.startswith(text)]
            if len(fits) != 1:
                raise ValueError(f"use one of {', '.join(choices)}")
            return fits[0]

        return self._ask(f"{question} ({', '.join(choices)})", proposal, read)

    def number(
        self, question: str, proposal: float, *, least: float, most: float
    ) -> float:
        """Return a number within bounds."""

        def read(text: str) -> float:
            try:
                value = float(text.replace(",", "."))
            except ValueError:
                value = float("nan")
            if not least <= value <= most:
                raise ValueError(f"use {least:g} to {most:g}")
            return value

        return self._ask(question, f"{proposal:g}", read)

    def yes(self, question: str, *, proposal: bool) -> bool:
        """Return whether the answer is yes."""

        def read(text: str) -> bool:
            if text.lower()[:1] not in ("y", "n"):
                raise ValueError("use y or n")
            return text.lower().startswith("y")

        return self._ask(question, "y" if proposal else "n", read)

    def _ask(self, question: str, proposal: str, read: Callable[[str], T]) -> T:
        if self._yes:
            return read(proposal)
        for _ in range(TRIES):
            try:
                text = input(f"{question} [{proposal}]: ").strip()
            except EOFError:
                print()  # noqa: T201 - the question has no end of line
                raise ConfigError(
                    "there is nobody to answer; say --yes to take all proposals"
                ) from None
            try:
                return read(text or proposal)
            except ValueError as error:
                print(f"  {text}: {error}")  # noqa: T201 - a dialogue
        raise ConfigError(f"{question}: no answer that can be used")
