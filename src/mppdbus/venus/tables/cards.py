"""TABLES: cards of the GUI beyond Victron's own paths: readings and switches.

Cards of readings (gui-v2 from 1.3.0) would show an unknown value as 0, so they are
hidden with it. The switches of flags have a name only while they can be written: see
`gui_controls`. A locked switch would read "Disabled", whether the flag is on or off.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from mppdbus.model.battery.state_of_charge import Charge
from mppdbus.model.views import UnitView
from mppdbus.protocol.replies.settings import FLAGS, Flags
from mppdbus.venus.dbus.items import Text
from mppdbus.venus.tables.row import (
    CELSIUS,
    INT,
    NUM,
    ON_OFF,
    PERCENT,
    TEXT,
    VOLT,
    Row,
    ToControl,
    fixed,
)
from mppdbus.venus.tables.unit import CHARGE_OF, QPIGS, correction

# -- readings ------------------------------------------------------------------------

PLAIN, RANGED, TEMPERATURE = 1, 2, 3  # /Settings/Type of a GenericInput
SHOWN, HIDDEN = 1, 0  # /Settings/ShowUIInput
_SHOWN = "1 while it is known: the GUI shows the unknown as 0"


@dataclass(frozen=True, slots=True)
class ReadingCard:
    """A field of QPIGS as a card: `most` is the end of its scale."""

    id: str
    name: str
    field: str
    type: int
    unit: str  # behind the number, or the path of a setting of the GX
    text: Text
    most: float = 100.0


READINGS = (
    ReadingCard(
        "HeatSink",
        "Heat sink",
        "heatsink_temperature",
        TEMPERATURE,
        "/Temperature",
        CELSIUS,
    ),
    ReadingCard("Load", "Load", "load_percent", RANGED, "%", PERCENT),
    ReadingCard("BusVoltage", "DC bus", "bus_voltage", PLAIN, "V", VOLT, 600.0),
)


def _card(card: ReadingCard) -> tuple[Row[UnitView], ...]:
    base, field = f"/GenericInput/{card.id}", card.field
    shown = f"{base}/Settings/ShowUIInput"
    return (
        Row(f"{base}/Value", NUM, field, card.text, f"QPIGS `{field}`", QPIGS),
        Row(f"{base}/Status", INT, field, "", "0 while it is known", QPIGS, known=0),
        Row(shown, INT, field, "", _SHOWN, QPIGS, known=SHOWN, unknown=HIDDEN),
        fixed(f"{base}/Name", TEXT, card.name),
        fixed(f"{base}/Settings/Type", INT, card.type),
        fixed(f"{base}/Settings/ValidTypes", INT, 1 << card.type),
        fixed(f"{base}/Settings/PrimaryLabel", TEXT, card.name),
        fixed(f"{base}/Settings/RangeMin", NUM, 0.0),
        fixed(f"{base}/Settings/RangeMax", NUM, card.most),
        fixed(f"{base}/Settings/Unit", TEXT, card.unit),
        fixed(f"{base}/Settings/Decimals", INT, 0),
    )


# -- switches ------------------------------------------------------------------------

# The letter of a flag and its name for people.
SWITCHES = {
    "a": "Buzzer",
    "b": "Overload bypass",
    "j": "Power saving",
    "u": "Restart after overload",
    "v": "Restart after over-temperature",
    "x": "Display backlight",
    "y": "Alarm when the source is lost",
    "z": "Record fault codes",
}
_FLAGS: Callable[[UnitView], Any] = attrgetter("snapshot.flags")
_IN_WORDS = "QFLAG, in words"


def switch_id(letter: str) -> str:
    """Return the id of a flag's switch: OverloadBypass."""
    return "".join(word.capitalize() for word in FLAGS[letter].split("_"))


def _switch(letter: str) -> Row[UnitView]:
    """Return the state of a flag; the GUI shows its switch only with a name."""

    def state(flags: Flags) -> bool | None:
        return flags.state(letter)

    path, about = f"/SwitchableOutput/{switch_id(letter)}/State", f"QFLAG `{letter}`"
    write = ToControl(FLAGS[letter])
    return Row(
        *(path, INT, state, ON_OFF, about, _FLAGS), write=write, minimum=0, maximum=1
    )


def _switches(flags: Flags) -> str:
    """Return one line of text: "on: Buzzer, Power saving; off: Display backlight"."""
    states = {letter: flags.state(letter) for letter in SWITCHES}
    parts = []
    for word, wanted in (("on", True), ("off", False)):
        names = [SWITCHES[each] for each, state in states.items() if state is wanted]
        parts += [f"{word}: {', '.join(names)}"] if names else []
    return "; ".join(parts)


# -- the state of charge, to be corrected by the user --------------------------------

NUMERIC, MANUAL = 8, 2  # /Settings/Type: a number to type; /Settings/Function
READY = 0x09  # /Status of a control that can be used
_CHARGE = "/SwitchableOutput/StateOfCharge"
CORRECTION = f"{_CHARGE}/Dimming"
_WRITTEN = "`/Soc` where it is our estimate; what is written corrects it"
_READY = "9 while it can be corrected"
CERTAIN = 30.0  # %: a greater margin is said in words
_NAMED = "while it can be corrected: the GUI hides what has no name"


def _estimate(charge: Charge) -> float | None:
    """Return the estimated charge; only an estimate can be corrected."""
    return charge.percent if charge.margin is not None else None


def _called(charge: Charge) -> str | None:
    """Return the name of the card; it says when the charge is only a guess."""
    if charge.margin is None:
        return None
    if charge.margin <= CERTAIN:
        return "State of charge"
    margin = min(10 * math.ceil(charge.margin / 10), 100)
    return f"State of charge (a guess, ±{margin} %)"


def _output(base: str, kind: int) -> tuple[Row[Any], ...]:
    """Return the rows of every SwitchableOutput; the GUI hides one without a name."""
    return (
        Row(f"{base}/Name", TEXT, _called, "", _NAMED, CHARGE_OF),
        fixed(f"{base}/Settings/Type", INT, kind),
        fixed(f"{base}/Settings/ValidTypes", INT, 1 << kind),
        fixed(f"{base}/Settings/Function", INT, MANUAL),
        fixed(f"{base}/Settings/ValidFunctions", INT, 1 << MANUAL),
    )


CHARGE_CONTROL: tuple[Row[Any], ...] = (
    correction(CORRECTION, _estimate, _WRITTEN, 0),
    Row(f"{_CHARGE}/Status", INT, _estimate, "", _READY, CHARGE_OF, known=READY),
    *_output(_CHARGE, NUMERIC),
    fixed(f"{_CHARGE}/Settings/DimmingMin", NUM, 0.0),
    fixed(f"{_CHARGE}/Settings/DimmingMax", NUM, 100.0),
    fixed(f"{_CHARGE}/Settings/StepSize", NUM, 1.0),
    fixed(f"{_CHARGE}/Settings/Unit", TEXT, "%"),
    fixed(f"{_CHARGE}/Settings/Decimals", INT, 0),
)

EXTRAS: tuple[Row[UnitView], ...] = (
    *CHARGE_CONTROL,
    *(row for card in READINGS for row in _card(card)),
    *(_switch(letter) for letter in SWITCHES),
    Row("/Mppdbus/Switches", TEXT, _switches, "", _IN_WORDS, _FLAGS),
)
