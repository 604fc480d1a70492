"""A unit whose one case feeds two phases, as a view for each of them. Pure.

The rows of a phase can be looked up in each view: `values_of(phased(rows), leg, n)`.
"""

from __future__ import annotations

from dataclasses import replace

from mppdbus.model.phases import Leg, legs
from mppdbus.model.power import Flow, Origin
from mppdbus.model.views import SystemView, UnitView

PHASES = 3


def on_legs(view: UnitView) -> tuple[UnitView, ...]:
    """Return the view of each leg of a unit's output; of most there is one, itself.

    What is taken from the mains is known as a whole only, and stands on the first leg;
    nothing is nothing on each.
    """
    if view.legs == 1:
        return (view,)
    first, *others = legs(view.snapshot)
    load = replace(view.flow, load=first.power)
    return (replace(view, flow=load), *(_leg(view, leg) for leg in others))


def _leg(view: UnitView, leg: Leg) -> UnitView:
    status = view.snapshot.status
    if status is not None:
        status = status.model_copy(
            update={
                "ac_output_voltage": leg.voltage,
                "ac_output_frequency": leg.frequency,
                "ac_output_active_power": leg.power,
                "ac_output_apparent_power": leg.apparent,
                "grid_voltage": None,
                "grid_frequency": None,
            }
        )
    nothing = None if view.flow.mains_used is not False else 0.0
    flow = Flow(
        load=leg.power,
        load_origin=Origin.UNKNOWN if leg.power is None else Origin.MEASURED,
        mains_power=nothing,
        mains_current=nothing,
    )
    snapshot = replace(view.snapshot, status=status, ratings=None)
    return replace(view, snapshot=snapshot, flow=flow)


def phases_of(system: SystemView) -> set[int]:
    """Return the phases, 1 to 3, that have a unit or a leg of one."""
    return {phase for view in system.units for phase in phases_of_unit(view)}


def part_on(system: SystemView, phase: int) -> SystemView:
    """Return what of the system is on one phase: units, or the legs of units."""
    parts = tuple(
        leg
        for view in system.units
        for number, leg in zip(phases_of_unit(view), on_legs(view), strict=True)
        if number == phase
    )
    return system if parts == system.units else replace(system, units=parts)


def phases_of_unit(view: UnitView) -> list[int]:
    """Return the phases of a unit's legs, which follow each other; L1 follows L3."""
    first = view.unit.phase - 1
    return [(first + leg) % PHASES + 1 for leg in range(view.legs)]
