"""The settings of an inverter as items of its service, with what may be written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mppdbus.control.settings import ShownSetting
from mppdbus.protocol.settings.meanings import SETTINGS
from mppdbus.venus.dbus.items import Item, Value
from mppdbus.venus.tables.control import (
    HEAD,
    LAST_WRITE,
    LEVEL,
    LOCKED,
    REQUEST,
    SETTING,
)
from mppdbus.venus.tables.row import NUM, TEXT, ToControl, ToRequest


@dataclass(frozen=True, slots=True)
class ControlView:
    """What is shown of the control of one inverter.

    `settings` are those whose values are known now. `locked` says by name why one
    cannot be written over D-Bus, "" where it can. `mode`: the switch "Mode" of the GUI
    may set priorities.
    """

    level: str | None = None  # None: not controlled from here
    last_write: str = ""  # in a sentence; "" for none since the start
    settings: Sequence[ShownSetting] = ()
    locked: Mapping[str, str] = field(default_factory=dict)
    mode: bool = False


HEAD_ITEMS = tuple(row.item(1) for row in HEAD)
PATHS = {each.name: SETTING + each.name for each in SETTINGS}


class ControlPaths:
    """Makes the items of the settings that a unit has shown, and their values."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[object, ...]] = {}  # by name, what an item shows
        self.writes: dict[str, ToControl | ToRequest] = {
            REQUEST: ToRequest()
        }  # by path

    def items(self, view: ControlView) -> list[Item]:
        """Return the items that are new, or show something else than before."""
        items = list[Item]()
        for shown in view.settings:
            made = (shown.unit, shown.names, shown.allowed, shown.default)
            if self._made.get(shown.name) == made:
                continue
            if shown.name not in self._made:
                items.append(Item(LOCKED + shown.name, TEXT))
            self._made[shown.name] = made
            path = PATHS[shown.name]
            self.writes[path] = ToControl(shown.name)
            items.append(_item(path, shown))
        return items

    def values(self, view: ControlView) -> dict[str, Value]:
        """Return the values of all paths; of what is not known now, None."""
        values: dict[str, Value] = {PATHS[name]: None for name in self._made}
        values |= {LOCKED + name: view.locked.get(name) for name in self._made}
        values |= {
            PATHS[shown.name]: None if shown.value is None else float(shown.value)
            for shown in view.settings
        }
        return values | {LEVEL: view.level, LAST_WRITE: view.last_write}


def _item(path: str, shown: ShownSetting) -> Item:
    """Return the item of a setting; its bounds take in all legal values of a range."""
    legal, least, most = shown.allowed, None, None
    if legal is not None and legal.least is not None and legal.most is not None:
        least = min((legal.least, *legal.values))
        most = max((legal.most, *legal.values))
    return Item(
        path,
        NUM,
        shown.text,
        writable=True,
        minimum=least,
        maximum=most,
        default=shown.default,
    )
