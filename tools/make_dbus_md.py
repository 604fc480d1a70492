"""Writes docs/dbus.md from the tables of the services; with --check it compares."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mppdbus.venus.dbus.items import ItemType
from mppdbus.venus.tables.battery import BATTERY
from mppdbus.venus.tables.cards import (
    CHARGE_CONTROL,
    CORRECTION,
    READINGS,
    SWITCHES,
    switch_id,
)
from mppdbus.venus.tables.control import CONTROL
from mppdbus.venus.tables.energy import HISTORY
from mppdbus.venus.tables.gui_controls import NAMES, base_of
from mppdbus.venus.tables.row import INT, SELF_EVIDENT, TEXT, Row
from mppdbus.venus.tables.system import SYSTEM, SYSTEM_PHASE
from mppdbus.venus.unit_service import INVERTER, MULTI

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from helpers.paths import pattern, readers  # noqa: E402
from pages import write_or_check  # noqa: E402

PAGE = ROOT / "docs" / "dbus.md"
Rows = Iterable[Row[Any]]
CARDS = ("/GenericInput/", "/SwitchableOutput/")
FIRST_SWITCH = switch_id(next(iter(SWITCHES)))
TYPES = {
    ItemType.INT: "integer",
    ItemType.LONG: "integer",
    ItemType.DOUBLE: "number",
    ItemType.TEXT: "text",
    ItemType.TEXTS: "texts",
    ItemType.INTS: "integers",
}
INTRO = """\
# What is on D-Bus

Made by `tools/make_dbus_md.py` from the tables of `src/mppdbus/venus`; a test compares.
Change those, then run it. How the services belong together is in
[architecture.md](architecture.md).

An unknown value is invalid on the bus, and never 0. `{phase}` is L1, L2 or L3. A path
that can be *written* lists its bounds; a write to any other is refused. *Read by* names
the programs of Victron's in whose sources the path was found, for this service; VRM
gets its values through a program whose source is not public, so it is never named.
Names like `ac_output_voltage` are those that `mppdbus query` prints.
"""
ORIGINS = """\
## How sure a value is

`/Mppdbus/Origin/…` says *measured* (the inverter's own reading), *derived* (it follows
from readings), *estimated* (something had to be assumed) or *unknown*, one path a
quantity; that of `/Soc` is a sentence. What is in none of them is said by the unit
itself: settings, names, alarms.
"""
CARDS_TEXT = """\
## Cards of the GUI

On each `multi` and `inverter`, in the switch pane of gui-v2 and on the device's page:
readings that no path of Victron's has (gui-v2 from 1.3.0), and the state of charge
where it can be corrected. `/Mppdbus/Switches` has the flags of QFLAG in words.

Settings are controls while they can be written ([control.md](control.md)): a switch
is its `State`, the `Dimming` of a drop-down the place in its `Settings/Labels`, from 0;
the `Dimming` of a number is the number, which is written once it has been left alone
for 1.5 s. Without a name, the GUI shows no control. `Status` is 9.
"""
HISTORY_TEXT = """\
## History

On each `multi` and `inverter`. `{day}` is 0 for today to 30, by the site's calendar;
`{tracker}` counts from 0, and is there only on units with several. Updated once a
minute.
"""
CONTROL_TEXT = """\
## Control

On each `multi` and `inverter`. Which settings there are is what the unit shows; their
names are those of `mppdbus settings`. A value is a number: a code, whose name is its
text, or volts, amps and the like. A write is answered once the inverter has said ACK or
NAK and was read back: 0, or not. See [control.md](control.md).
"""
DEVICES: tuple[Row[Any], ...] = (
    Row("/Devices/{n}/Service", TEXT, lambda _: None, "", "name of a multi"),
    Row("/Devices/{n}/Instance", INT, lambda _: None, "", "its DeviceInstance"),
)


def page() -> str:
    """Return the whole page."""
    first = (f"/GenericInput/{READINGS[0].id}/", f"/SwitchableOutput/{FIRST_SWITCH}/")
    cards = [row for row in MULTI if row.path.startswith(first)]
    cards += CHARGE_CONTROL
    parts = [
        INTRO,
        ORIGINS,
        _service("multi", "one for each inverter, profile `hybrid`", MULTI),
        _service("inverter", "one for each inverter, profile `inverter`", INVERTER),
        _service(
            "acsystem",
            "all inverters of the profile `hybrid` together",
            (*SYSTEM, *SYSTEM_PHASE, *DEVICES),
        ),
        _service(
            "battery",
            "only with several inverters and without a battery monitor",
            BATTERY,
        ),
        f"{CONTROL_TEXT}\n{_table('multi', CONTROL)}",
        f"{CARDS_TEXT}\n{_cards()}\n{_table('multi', cards)}",
        f"{HISTORY_TEXT}\n{_table('multi', HISTORY)}",
    ]
    return "\n".join(parts)


def _service(name: str, what: str, rows: Rows) -> str:
    own = [row for row in rows if not row.path.startswith(CARDS)]
    return f"## com.victronenergy.{name}\n\n{_sentence(what)}\n\n{_table(name, own)}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _cards() -> str:
    """Return which cards there are; the leaves of all of a kind are alike."""
    rows: list[tuple[str, ...]] = [
        (f"/GenericInput/{card.id}", card.name, f"QPIGS `{card.field}`")
        for card in READINGS
    ]
    rows += [
        (f"/SwitchableOutput/{switch_id(letter)}/State", name, f"QFLAG `{letter}`")
        for letter, name in SWITCHES.items()
    ]
    rows += [
        (base_of(setting), name, f"`{setting}`") for setting, name in NAMES.items()
    ]
    what = "our estimate; on the battery's service where units share it"
    rows.append((CORRECTION.rpartition("/")[0], "State of charge", what))
    return _lines([("card", "name", "where from"), ("---",) * 3, *rows])


def _table(service: str, rows: Rows) -> str:
    head = ("path", "type", "unit", "written", "where from", "read by")
    lines = [head, ("---",) * len(head)]
    lines += [_line(service, row) for row in rows]
    return _lines(lines)


def _lines(lines: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _line(service: str, row: Row[Any]) -> tuple[str, ...]:
    cells = (
        f"`{pattern(row.path)}`",
        TYPES[row.kind],
        unit(row),
        _written(row),
        _about(row),
        readers(service, row.path),
    )
    return tuple(cell.replace("|", "\\|") for cell in cells)


def _about(row: Row[Any]) -> str:
    """Return where a value comes from; of one that never changes, what it is."""
    if row.path.startswith(CARDS) and row.about.startswith("Q"):
        return "see above"
    if not row.fixed or row.write or row.path.startswith(CARDS):
        return row.about
    value = row.get(None)
    if value is None or row.path == "/Mgmt/ProcessVersion":
        return row.about
    said = value if isinstance(row.text, str) else row.item(1).formatter()(value)
    return f"`{said}`: {row.about}" if row.about != SELF_EVIDENT else f"`{said}`"


def unit(row: Row[Any]) -> str:
    """Return the unit that stands behind the number in the text of a value."""
    return row.text.rpartition("}")[2].strip() if isinstance(row.text, str) else ""


def _written(row: Row[Any]) -> str:
    if row.write is None:
        return ""
    bounds = (row.minimum, row.maximum)
    return "yes" if None in bounds else "{:g} to {:g}".format(*bounds)


def main(words: list[str]) -> int:
    """Write the page, or with --check tell whether it is current."""
    return write_or_check(PAGE, page(), words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
