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


def legs_on_phases(view: UnitView) -> list[tuple[int, UnitView]]:
    """Return each leg of a unit's output with its phase; L1 follows L3."""
    first = view.unit.phase
    if view.legs == 1:
        return [(first, view)]
    legs_of = enumerate(on_legs(view), first - 1)
    return [(place % PHASES + 1, leg) for place, leg in legs_of]


def by_phase(system: SystemView) -> dict[int, SystemView]:
    """Return what of the system is on each phase: units, or the legs of units."""
    if len(system.units) == 1 and system.units[0].legs == 1:
        return {system.units[0].unit.phase: system}
    parts: dict[int, list[UnitView]] = {}
    for view in system.units:
        for phase, leg in legs_on_phases(view):
            parts.setdefault(phase, []).append(leg)
    return {phase: replace(system, units=tuple(of)) for phase, of in parts.items()}
