"""Writes a first config.toml, with comments for the person who opens it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mppdbus.config.toml_writer import toml_value

CONTROL = {
    "read-only": "nothing is written",
    "safe": "priorities, charge currents, switches",
    "full": "voltages too",
}


@dataclass(frozen=True, slots=True)
class NewUnit:
    """An inverter that was found; `about` is its model, for the comment."""

    name: str
    port: str
    serial: str = ""
    baud: int = 2400
    about: str = ""


@dataclass(frozen=True, slots=True)
class NewBattery:
    """The battery as its owner says; "auto" and 0 mean: found out by mppdbus."""

    chemistry: str = "auto"
    capacity_ah: float = 0.0
    cells: int = 0


def config_text(
    units: Sequence[NewUnit],
    battery: NewBattery,
    *,
    control: str = "read-only",
    bus: str = "system",
    by: str = "",
) -> str:
    """Return the text of the file; `by` is who wrote it, for the first line."""
    return "\n".join((*_head(bus, by), *_rest(units, battery, control))) + "\n"


def _head(bus: str, by: str) -> Iterator[str]:
    if by:
        yield f"# Written by {by}. Change what you like, then: mppdbus check-config"
    if bus != "system":
        yield "\n[dbus]"
        yield f"bus = {toml_value(bus)}"


def _rest(units: Sequence[NewUnit], battery: NewBattery, control: str) -> Iterator[str]:
    yield "\n[battery]"
    yield "# auto: by the settings of the inverter; 0: not known."
    yield f"chemistry = {toml_value(battery.chemistry)}"
    yield "# Ah of the whole bank"
    yield f"capacity_ah = {toml_value(battery.capacity_ah)}"
    if battery.cells:
        yield "# in series"
        yield f"cells = {battery.cells}"
    yield "\n[control]"
    yield f"# {'; '.join(f'{level}: {what}' for level, what in CONTROL.items())}"
    yield f"level = {toml_value(control)}"
    for unit in units:
        yield "\n[[inverter]]"
        if unit.about:
            yield f"# {unit.about}"
        yield f"name = {toml_value(unit.name)}"
        yield f"port = {toml_value(unit.port)}"
        if unit.baud != 2400:
            yield f"baud = {unit.baud}"
        if unit.serial:
            yield "# This inverter is meant, wherever it is plugged in."
            yield f"serial = {toml_value(unit.serial)}"
