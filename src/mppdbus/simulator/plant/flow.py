"""Balances the power of sun, grid, load and battery. Pure."""

from dataclasses import dataclass

from mppdbus.simulator.unit.settings import ChargerPriority, OutputPriority, Settings

_LOAD_FIRST = (ChargerPriority.SLB_UCB, ChargerPriority.SLB_UDC)


@dataclass(frozen=True, slots=True)
class PlantFlow:
    """Watts. `battery_w` is positive charging; pv + grid = load + battery + losses."""

    pv_w: float = 0.0
    grid_w: float = 0.0
    load_w: float = 0.0
    battery_w: float = 0.0

    @property
    def losses_w(self) -> float:
        """Losses; with pinned battery values, also the difference they cause."""
        return self.pv_w + self.grid_w - self.load_w - self.battery_w


@dataclass(frozen=True, slots=True)
class Machine:
    """Own consumption of the inverter."""

    efficiency: float = 1.0  # between the DC and the AC side, either way
    own_w: float = 0.0


def on_line(
    machine: Machine, pv_w: float, load_w: float, battery_w: float
) -> PlantFlow:
    """Return the flow with a grid, which adds missing power; unused PV is lost."""
    surplus = pv_w - battery_w  # DC watts towards the AC side
    excess = max(surplus - load_w / machine.efficiency, 0.0)
    unused = min(excess, pv_w)
    pv_w, surplus = pv_w - unused, surplus - unused
    if surplus >= 0:
        grid_w = load_w - surplus * machine.efficiency
    else:
        grid_w = load_w - surplus / machine.efficiency
    return PlantFlow(pv_w, max(grid_w, 0.0) + machine.own_w, load_w, battery_w)


def on_battery(
    machine: Machine, pv_w: float, load_w: float, room_w: float, most_w: float
) -> PlantFlow:
    """Return the flow off grid; the battery takes up to `room_w`, gives `most_w`."""
    own_w = min(machine.own_w, pv_w + most_w)
    load_w = min(load_w, (pv_w + most_w - own_w) * machine.efficiency)
    need = load_w / machine.efficiency + own_w
    pv_w = min(pv_w, need + room_w)
    return PlantFlow(pv_w, 0.0, load_w, pv_w - need)


def charge_on_line(
    settings: Settings, pv_w: float, need_w: float, room_w: float, ac_room_w: float
) -> tuple[float, float]:
    """Return (battery watts, solar watts offered) by the two priorities.

    `need_w` is what the load would take from the DC side, `room_w` what the battery
    takes from all sources, `ac_room_w` what it takes from the grid.
    """
    charger = settings.charger_priority
    load_first = settings.output_priority is OutputPriority.SOLAR
    load_first = load_first or charger in _LOAD_FIRST
    spare_w = max(pv_w - need_w, 0.0) if load_first else pv_w
    from_sun, from_grid = min(spare_w, room_w), 0.0
    match charger:
        case ChargerPriority.UTILITY_FIRST:
            from_sun, from_grid = 0.0, min(room_w, ac_room_w)
        case ChargerPriority.SOLAR_FIRST if pv_w <= 0:
            from_grid = min(room_w, ac_room_w)
        case (
            ChargerPriority.SOLAR_AND_UTILITY
            | ChargerPriority.SBL_UCB
            | ChargerPriority.SLB_UCB
        ):
            from_grid = min(room_w - from_sun, ac_room_w)
    feeds_load = load_first or settings.pv_balance == 1
    to_load = min(pv_w - from_sun, need_w) if feeds_load else 0.0
    return from_sun + from_grid, from_sun + to_load
