"""TABLE: the settings of an inverter that gui-v2 can change: its native controls.

They stand in the switch pane, one card a device (gui-v2 from 1.2.14), and in the list
"Outputs" of the device's page. A control is there only while its setting may be written
to this inverter; the GUI hides one without a name. Which path a control uses is the
GUI's choice: a toggle has `State`; the `Dimming` of a drop-down is the place in its
`Labels`, the one of a number is the number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mppdbus.protocol.replies.settings import FLAGS
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.tables.cards import MANUAL, NUMERIC, READY, SWITCHES, switch_id

TOGGLE, DROP_DOWN = 1, 6  # /Settings/Type; a number is `NUMERIC`
# s after the last write: minus and plus write eight times a second while held.
QUIET = 1.5
_ROOT = "/SwitchableOutput"

# By the name of a setting: what the card calls it. The first is the uppermost.
NAMES: Mapping[str, str] = {
    "output_source_priority": "Output priority",
    "charger_source_priority": "Charger priority",
    "max_charging_current": "Max charging current",
    "max_ac_charging_current": "Max charging current from mains",
    "input_voltage_range": "Mains voltage range",
    "battery_type": "Battery type",
    "battery_bulk_voltage": "Bulk voltage",
    "battery_float_voltage": "Float voltage",
    "battery_redischarge_voltage": "Back to battery at",
    "battery_recharge_voltage": "Back to mains at",
    "battery_under_voltage": "Cut-off voltage",
    "redischarge_capacity": "Back to battery at charge",
    "recharge_capacity": "Back to mains at charge",
    "cut_off_capacity": "Cut-off charge",
}
# The switches of flags by their setting: its id, and what the card calls it.
FLAG_SWITCHES = {FLAGS[each]: (switch_id(each), SWITCHES[each]) for each in SWITCHES}


@dataclass(frozen=True, slots=True)
class GuiControl:
    """One setting as a control: `choices` of a drop-down, or a range of numbers."""

    setting: str
    value: float | None
    kind: int
    choices: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    step: float | None = None
    unit: str = ""

    @property
    def path(self) -> str:
        """The path that a client writes."""
        leaf = "State" if self.kind == TOGGLE else "Dimming"
        return f"{base_of(self.setting)}/{leaf}"

    @property
    def position(self) -> Value:
        """The value that `path` shows."""
        if self.value is None:
            return None
        if self.kind == DROP_DOWN:
            return float(self.choices.index(self.value))
        return float(self.value)

    def wanted(self, written: Value) -> float | None:
        """Return the value of the setting that a client means; None for none."""
        if not isinstance(written, int | float):
            return None
        if self.kind != DROP_DOWN:
            return written
        place = int(written)
        there = place == written and 0 <= place < len(self.choices)
        return self.choices[place] if there else None

    def values(self) -> dict[str, Value]:
        """Return what the paths of the control show; a flag's state has its own row."""
        settings: dict[str, Value] = {
            "Type": self.kind,
            "ValidTypes": 1 << self.kind,
            "Function": MANUAL,
            "ValidFunctions": 1 << MANUAL,
            "ShowUIControl": 1,
        }
        if self.kind == DROP_DOWN:
            settings["Labels"] = list(self.labels)
        elif self.kind == NUMERIC:
            settings |= {
                "DimmingMin": self.least,
                "DimmingMax": self.most,
                "StepSize": self.step,
                "Unit": self.unit,
                "Decimals": len(f"{self.step or 1:g}".partition(".")[2]),
            }
        base = base_of(self.setting)
        values = {f"{base}/Settings/{leaf}": each for leaf, each in settings.items()}
        values |= {f"{base}/Name": name_of(self.setting), f"{base}/Status": READY}
        return values if self.kind == TOGGLE else {**values, self.path: self.position}


def base_of(setting: str) -> str:
    """Return /SwitchableOutput/MaxChargingCurrent."""
    if setting in FLAG_SWITCHES:
        return f"{_ROOT}/{FLAG_SWITCHES[setting][0]}"
    return f"{_ROOT}/{''.join(word.capitalize() for word in setting.split('_'))}"


def name_of(setting: str) -> str:
    """Return what the card calls a setting."""
    flag = FLAG_SWITCHES.get(setting)
    return flag[1] if flag else NAMES[setting]


def items_of(control: GuiControl) -> list[Item]:
    """Return the items of a control, which stay as long as its service does."""
    quiet = QUIET if control.kind == NUMERIC else 0.0
    return [
        Item(path, _KINDS[path.rpartition("/")[2]], writable=True, quiet=quiet)
        if path == control.path
        else Item(path, _KINDS[path.rpartition("/")[2]])
        for path in control.values()
    ]


_INT, _NUM, _TEXT = ItemType.INT, ItemType.DOUBLE, ItemType.TEXT
_KINDS = {
    **dict.fromkeys(("Name", "Unit"), _TEXT),
    **dict.fromkeys(("Dimming", "DimmingMin", "DimmingMax", "StepSize"), _NUM),
    **dict.fromkeys(("Status", "Type", "ValidTypes", "Function"), _INT),
    **dict.fromkeys(("ValidFunctions", "ShowUIControl", "Decimals"), _INT),
    "Labels": ItemType.TEXTS,
}
