"""[[rule]]: settings that change by time, charge, voltage, sun and mains."""

import re
from collections.abc import Iterator
from datetime import time
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo

from mppdbus.config.messages import closest, show
from mppdbus.config.table import ConfigTable
from mppdbus.protocol.settings.meanings import BY_NAME

CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_CLOCK = 'a time such as "06:30", or "" for the whole day'
_VOLTS = "10 to 80 V"
_WATTS = "0 to 100000 W"
_NEVER = ("equalization_now",)  # a state; it ends by itself


def _known_setting(value: str) -> str:
    if value not in BY_NAME or value in _NEVER:
        meant = closest(value, BY_NAME)
        hint = f'did you mean "{meant}"?' if meant else '"mppdbus settings" lists all'
        raise ValueError(f"{show(value)} is no setting for a rule; {hint}")
    return value


def _clock(value: str) -> str:
    if value and not CLOCK.fullmatch(value):
        raise ValueError(f"{show(value)} is no time; use {_CLOCK}")
    return value


def _both_times(value: str, info: ValidationInfo) -> str:
    _clock(value)
    begin = info.data.get("begin", "")
    if bool(value) != bool(begin):
        raise ValueError('"begin" and "end" stand together; write both or none')
    if value and value == begin:
        raise ValueError(f"{show(value)} is the beginning too; leave out both")
    return value


def _limit(description: str, least: float, most: float) -> Any:  # noqa: ANN401
    return Field(None, ge=least, le=most, description=f"{description}, or left out")


class RuleConfig(ConfigTable):
    """[[rule]]: while all that is written here is so, `setting` is to be `value`.

    Times are local. Powers are in W, voltages in V, charge in %.
    """

    name: str = Field("", max_length=40, description="any words, or left out")
    inverter: str = Field("", description='its name in this file, or "" for all')
    setting: Annotated[str, AfterValidator(_known_setting)] = Field(
        description="a name that `mppdbus settings` shows"
    )
    value: Annotated[float, Field(strict=False)] | str = Field(
        description="a value that `mppdbus settings` shows for it"
    )
    begin: Annotated[str, AfterValidator(_clock)] = Field("", description=_CLOCK)
    end: Annotated[str, AfterValidator(_both_times)] = Field(
        "", description=_CLOCK, validate_default=True
    )
    soc_above: float | None = _limit("0 to 100 %", 0, 100)
    soc_below: float | None = _limit("0 to 100 %", 0, 100)
    voltage_above: float | None = _limit(_VOLTS, 10, 80)
    voltage_below: float | None = _limit(_VOLTS, 10, 80)
    pv_above: float | None = _limit(_WATTS, 0, 100_000)
    pv_below: float | None = _limit(_WATTS, 0, 100_000)
    grid: bool | None = Field(None, description="true, false, or left out")
    minutes: float = Field(5.0, ge=1, le=1440, description="1 to 1440 minutes")

    @property
    def called(self) -> str:
        """The name shown to people."""
        return self.name or f"{self.setting} = {self.value}"

    @property
    def window(self) -> tuple[time, time] | None:
        """The time of day in which it counts, over midnight if it ends earlier."""
        if not self.begin:
            return None
        return time.fromisoformat(self.begin), time.fromisoformat(self.end)


def clashes(rules: list[dict[str, Any]], units: list[dict[str, Any]]) -> Iterator[str]:
    """Find rules for an inverter that is not there; ignores invalid tables."""
    names = [unit.get("name") for unit in units]
    for number, rule in enumerate(rules, 1):
        name = rule.get("inverter", "")
        if name and name not in names:
            yield (
                f"rule[{number}].inverter: no inverter is called {show(name)}; "
                f"there {'are' if len(names) > 1 else 'is'} "
                f"{', '.join(map(show, names)) or 'none'}"
            )
