"""Energy flows: one number for each path that Victron counts. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import add, attrgetter
from typing import Annotated, cast

from pydantic import Field

from mppdbus.model.power import Flow

# Range of a stored count, kWh; the limit refuses a damaged exponent.
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Ways:
    """A number for each path of energy: W in a flow, kWh in a counter.

    "Inverter" is the DC side. Paths that PI30 does not measure stay 0: sources at the
    output, and feed-in unless the flow has it.
    """

    ac_in1_to_ac_out: Amount = 0.0
    ac_in1_to_inverter: Amount = 0.0
    inverter_to_ac_out: Amount = 0.0
    out_to_inverter: Amount = 0.0
    inverter_to_ac_in1: Amount = 0.0
    ac_out_to_ac_in1: Amount = 0.0
    solar_to_ac_out: Amount = 0.0
    solar_to_battery: Amount = 0.0
    solar_to_ac_in1: Amount = 0.0

    def plus(self, other: "Ways") -> "Ways":
        """Add path by path."""
        return Ways(*map(add, values(self), values(other)))

    def until(self, other: "Ways", hours: float) -> "Ways":
        """Return the kWh of `hours`, in which power goes linearly to `other`."""
        k = hours / 2000.0
        pairs = zip(values(self), values(other), strict=True)
        return Ways(*[(a + b) * k for a, b in pairs])


values = cast(
    "Callable[[Ways], tuple[float, ...]]",
    attrgetter(*(field.name for field in fields(Ways))),
)


def split(flow: Flow) -> Ways | None:
    """Return the W of each path; None unless load, PV and mains are all known.

    In every mode the mains feed the load first, PV next, and the battery the rest. The
    remaining power of mains and PV charges the battery. So load, PV and mains are met
    exactly, and the rounding of the battery current causes no drift.
    """
    if flow.load is None or flow.pv_total is None or flow.mains_power is None:
        return None
    load, sun = max(flow.load, 0.0), max(flow.pv_total, 0.0)
    taken, given = max(flow.mains_power, 0.0), max(-flow.mains_power, 0.0)
    from_mains = min(load, taken)
    from_sun = min(load - from_mains, sun)
    sun_given = min(sun - from_sun, given)
    return Ways(
        ac_in1_to_ac_out=from_mains,
        ac_in1_to_inverter=taken - from_mains,
        inverter_to_ac_out=load - from_mains - from_sun,
        inverter_to_ac_in1=given - sun_given,
        solar_to_ac_out=from_sun,
        solar_to_battery=sun - from_sun - sun_given,
        solar_to_ac_in1=sun_given,
    )
