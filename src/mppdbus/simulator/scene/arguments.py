"""Reads the arguments of control lines. Pure."""

import math

from mppdbus.errors import ConfigError


def number(text: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Read a number within bounds; raises `ConfigError` beyond them."""
    value = float(text)
    if not low <= value <= high:  # False for a NaN, too
        raise ConfigError(f"{text} is not within {low:g} to {high:g}")
    return value


def switch(text: str) -> bool:
    """Read "on" or "off"; raises `ConfigError` for anything else."""
    if text not in ("on", "off"):
        raise ConfigError(f"{text} is neither on nor off")
    return text == "on"
