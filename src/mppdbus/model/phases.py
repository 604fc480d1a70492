"""What is on each phase of a house: units, or the legs of one that feeds two. Pure."""

from dataclasses import replace

from mppdbus.model.power import Flow, Leg, Origin, legs
from mppdbus.model.views import SystemView, UnitView
from mppdbus.protocol.replies.status import SecondPhase

PHASES = 3


def on_phases(view: UnitView) -> dict[int, UnitView]:
    """Return the view of each leg of a unit's output by its phase; L1 follows L3.

    Mains power is known only as a sum, and is shown on the first leg; 0 is shown on
    each.
    """
    first = view.unit.phase
    if view.legs == 1:
        return {first: view}
    leg, *others = legs(view.snapshot)
    views = [replace(view, flow=replace(view.flow, load=leg.power))]
    views += [_of_leg(view, leg) for leg in others]
    return {(first - 1 + n) % PHASES + 1: each for n, each in enumerate(views)}


def _of_leg(view: UnitView, leg: Leg) -> UnitView:
    status = view.snapshot.status
    if status is not None:
        status = status.model_copy(
            update={
                "ac_output_voltage": leg.voltage,
                "ac_output_frequency": leg.frequency,
                "ac_output_active_power": leg.power,
                "ac_output_apparent_power": leg.apparent,
            }
        )
    nothing = None if view.flow.mains_used is not False else 0.0
    voltage, frequency = _mains_of_leg(view)
    flow = Flow(
        load=leg.power,
        load_origin=Origin.UNKNOWN if leg.power is None else Origin.MEASURED,
        mains_voltage=voltage,
        mains_frequency=frequency,
        mains_power=nothing,
        mains_current=nothing,
    )
    snapshot = replace(view.snapshot, status=status, ratings=None)
    return replace(view, snapshot=snapshot, flow=flow)


def _mains_of_leg(view: UnitView) -> tuple[float | None, float | None]:
    """Return V and Hz at the input of the second leg: its own, else those of L1.

    Both legs have one mains connection. GUIs take V and Hz of a load from the input.
    """
    second = view.snapshot.second
    if not isinstance(second, SecondPhase) or second.grid_voltage is None:
        return view.flow.mains_voltage, view.flow.mains_frequency
    return second.grid_voltage, second.grid_frequency


def by_phase(system: SystemView) -> dict[int, SystemView]:
    """Return the part of the system on each phase: units, or the legs of units."""
    if len(system.units) == 1 and system.units[0].legs == 1:
        return {system.units[0].unit.phase: system}
    parts: dict[int, list[UnitView]] = {}
    for view in system.units:
        for phase, leg in on_phases(view).items():
            parts.setdefault(phase, []).append(leg)
    return {phase: replace(system, units=tuple(of)) for phase, of in parts.items()}
