"""Which settings of an inverter are controls in the GUI, and which kind of control."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mppdbus.control.settings import Allowed, ShownSetting
from mppdbus.control.victron_settings import (
    CHARGER,
    CURRENT,
    OUTPUT,
    ess_mode,
    inverter_only,
)
from mppdbus.model.victron_codes import Mode
from mppdbus.venus.control_paths import ControlView
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.service import Service
from mppdbus.venus.tables.cards import NUMERIC
from mppdbus.venus.tables.gui_controls import (
    DROP_DOWN,
    FLAG_SWITCHES,
    NAMES,
    TOGGLE,
    GuiControl,
    items_of,
)

log = logging.getLogger("mppdbus.bus")


def gui_controls(settings: Iterable[ShownSetting]) -> list[GuiControl]:
    """Return the controls of settings that may be written to this inverter."""
    names = NAMES.keys() | FLAG_SWITCHES.keys()
    return [_control(each) for each in settings if each.name in names and each.allowed]


def _control(shown: ShownSetting) -> GuiControl:
    """Return the control of one setting.

    A range with further values beside it, such as 0 V for "when full", is a drop-down.
    """
    allowed = shown.allowed or Allowed()
    if shown.name in FLAG_SWITCHES:
        return GuiControl(shown.name, shown.value, TOGGLE)
    if not allowed.values:
        return GuiControl(
            shown.name,
            shown.value,
            NUMERIC,
            least=allowed.least,
            most=allowed.most,
            step=allowed.step or 1,
            unit=shown.unit,
        )
    choices = dict.fromkeys([*allowed.values, *_steps(allowed)])
    if shown.value is not None:
        choices[shown.value] = None  # also one that the family's document lacks
    labels = tuple(map(shown.text, choices))
    return GuiControl(shown.name, shown.value, DROP_DOWN, tuple(choices), labels)


def _steps(allowed: Allowed) -> Iterator[float]:
    """Yield the values of the range."""
    if allowed.least is None or allowed.most is None:
        return
    step = allowed.step or 1
    for number in range(round((allowed.most - allowed.least) / step) + 1):
        yield round(allowed.least + number * step, 2)


@dataclass(frozen=True, slots=True)
class UnitControls:
    """What clients can change of one inverter now; the default is nothing.

    `adjustable`: the switch "Mode" works. `inverter_only`: its priorities amount to
    that mode. `charge_limit` is in A. `ess_mode` is as `ess_mode` of `control` says.
    """

    controls: tuple[GuiControl, ...] = ()
    adjustable: bool = False
    inverter_only: bool = False
    charge_limit: float | None = None
    ess_mode: int | None = None

    @classmethod
    def of(cls, view: ControlView) -> "UnitControls":
        """Return what may be written of the settings that a unit shows."""
        free = {each.name: each for each in view.settings if not view.locked[each.name]}
        adjustable = view.mode and OUTPUT in free and CHARGER in free
        return cls(
            controls=tuple(gui_controls(free.values())),
            adjustable=adjustable,
            inverter_only=adjustable and inverter_only(free.values()),
            charge_limit=free[CURRENT].value if CURRENT in free else None,
            ess_mode=ess_mode(free.values()),
        )

    def mode(self, mode: Mode | None) -> Mode | None:
        """Return the mode to show, by what QMOD says."""
        shown_as_on = mode is Mode.ON and self.inverter_only
        return Mode.INVERTER_ONLY if shown_as_on else mode


NO_CONTROLS = UnitControls()


class ControlPanel:
    """The controls of one service: shows those that may be used, hides the others."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._shown: dict[str, GuiControl] = {}  # by their path

    def show(self, controls: Iterable[GuiControl]) -> None:
        """Show these controls as they are now, and no others."""
        shown = {control.path: control for control in controls}
        if shown == self._shown:
            return
        values: dict[str, Value] = {}
        for control in self._shown.values():
            values |= dict.fromkeys(control.values())
        for control in shown.values():
            self._service.add(items_of(control))
            values |= control.values()
        self._shown = shown
        self._service.update(values)

    def meant(self, path: str, written: Value) -> tuple[str, float] | None:
        """Return the setting and the value that a client means; None for none."""
        if (control := self._shown.get(path)) is None:
            return None
        value = control.wanted(written)
        if value is None:
            log.info("refused: %s: there is no choice %s", path, written)
            return None
        return control.setting, value
