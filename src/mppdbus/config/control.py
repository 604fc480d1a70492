"""[control]: what may be written to the inverters, and whose limits they follow."""

from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, Field, model_validator

from mppdbus.config.messages import any_of, closest, show
from mppdbus.config.table import ConfigTable

Control: TypeAlias = Literal["read-only", "safe", "full"]
Follow: TypeAlias = Literal["", "dvcc"]

CURRENTS = ("max_charging_current", "max_ac_charging_current")
PRIORITIES = ("charger_source_priority", "output_source_priority")
VOLTAGES = ("battery_float_voltage", "battery_bulk_voltage")
SAFE_SETTINGS = (*CURRENTS, *PRIORITIES, *VOLTAGES)
_SAFE = '{ max_charging_current = 10, charger_source_priority = "Only solar" }'
_MOST = "1 to 1000 A, of all inverters together, or 0 without follow"


def _safe(values: dict[str, float | str]) -> dict[str, float | str]:
    for name, value in values.items():
        if name not in SAFE_SETTINGS:
            meant = closest(name, SAFE_SETTINGS)
            hint = f'did you mean "{meant}"?' if meant else any_of(SAFE_SETTINGS)
            raise ValueError(f"{show(name)} is no setting for this; {hint}")
        if isinstance(value, str) and name not in PRIORITIES:
            raise ValueError(f"{name}: {show(value)} is text, not a number")
        most = 80 if name in VOLTAGES else 1000
        if not isinstance(value, str) and not 0 <= value <= most:
            raise ValueError(f"{name}: {value:g} is not allowed; 0 to {most}")
    return values


class ControlConfig(ConfigTable):
    """[control], what may be written to the inverters"""

    level: Control = Field("read-only", description=any_of(get_args(Control)))
    clock: bool = Field(default=False, description="true or false")
    mode: bool = Field(default=False, description="true or false")
    follow: Follow = Field("", description='"" or "dvcc"')
    most_charging_current: float = Field(0.0, ge=0, le=1000, description=_MOST)
    safe: Annotated[dict[str, float | str], AfterValidator(_safe)] = Field(
        {}, description=f"settings of an inverter, such as {_SAFE}"
    )

    @model_validator(mode="after")
    def _followed(self) -> Self:
        """Check what belongs together."""
        if not self.follow:
            return self
        if self.level == "read-only":
            raise ValueError(
                'follow = "dvcc" writes to the inverters; it needs level = "safe" for '
                'charge currents, or "full" for voltages too'
            )
        if self.most_charging_current < 1:
            raise ValueError(
                'follow = "dvcc" needs most_charging_current, the A that all inverters '
                "together may charge with by your cables and fuses"
            )
        if self.level != "full" and (names := [n for n in VOLTAGES if n in self.safe]):
            raise ValueError(f'safe: {names[0]} needs level = "full"')
        return self
