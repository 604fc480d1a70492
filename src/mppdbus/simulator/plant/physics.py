"""The plant: battery, sun, load and grid around one inverter. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta

from mppdbus.simulator.plant.battery import Phase, PlantBattery
from mppdbus.simulator.plant.flow import (
    Machine,
    PlantFlow,
    charge_on_line,
    on_battery,
    on_line,
)
from mppdbus.simulator.plant.world import Grid, Load, Sun
from mppdbus.simulator.unit.settings import ChargerPriority, OutputPriority, Settings

LINE_MODES = "LEY"  # line, ECO, bypass
BATTERY_MODES = "BH"  # battery, power saving
CHARGE_MODES = "SC"  # output off: standby, charging
DEAD_MODES = "PFD"  # power-on, fault, shutdown
MODES = LINE_MODES + BATTERY_MODES + CHARGE_MODES + DEAD_MODES

LONGEST_STEP_S = 10.0
AMBIENT_C, HOT_C, WARM_UP_S = 25.0, 30.0, 300.0
PV_V = 320.0  # V of a tracker in the sun, unless the unit's limit is lower


@dataclass(slots=True)
class EnergySums:
    """Sums since the start, Wh; charge and discharge apart."""

    pv_wh: float = 0.0
    load_wh: float = 0.0
    grid_wh: float = 0.0
    battery_in_wh: float = 0.0
    battery_out_wh: float = 0.0
    losses_wh: float = 0.0

    def add(self, flow: PlantFlow, hours: float) -> None:
        """Let `flow` last for `hours`."""
        self.pv_wh += flow.pv_w * hours
        self.load_wh += flow.load_w * hours
        self.grid_wh += flow.grid_w * hours
        self.battery_in_wh += max(flow.battery_w, 0.0) * hours
        self.battery_out_wh += max(-flow.battery_w, 0.0) * hours
        self.losses_wh += flow.losses_w * hours


@dataclass(slots=True)
class Pins:
    """Values that are fixed by hand, against physics; None follows physics."""

    mode: str | None = None
    battery: tuple[float, float] | None = None  # V, A positive charging
    temperature_c: float | None = None


class Plant:
    """The physical state around one simulated inverter.

    Change its parts, then `settle()`; let time pass with `step(seconds)`. Without
    losses (the default) pv + grid = load + battery in W at every moment.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        battery: PlantBattery | None = None,
        machine: Machine | None = None,
        rated_w: float = 5000.0,
        rated_va: float = 5000.0,
        trackers: int = 1,
        light_v: float = PV_V,
        clock: datetime = datetime(2024, 6, 21, 12, tzinfo=UTC),
    ) -> None:
        self.settings = settings or Settings()
        self.light_v = light_v
        self.battery = battery or PlantBattery()
        self.machine = machine or Machine()
        self.rated_w, self.rated_va = rated_w, rated_va
        volts = self.settings.output_v
        self.grid = Grid(volts=volts, hz=self.settings.output_hz, nominal_v=volts)
        self.load = Load()
        self.sun = Sun(watts=[800.0] * trackers)
        self.pins = Pins()
        self.powered = True  # else it answers nothing
        self.output_on = True
        self.fault_code = 0
        self.acts_after_s = (
            0.0  # a new priority reads back at once and acts so much later
        )
        self.acting = self._priorities
        self._acts_at: float | None = None
        self.elapsed_s = 0.0
        self.forced_warnings: dict[int, bool] = {}
        self.clock = clock
        self.energy = EnergySums()
        self.history: dict[date, EnergySums] = {}
        self.temperature_c = AMBIENT_C
        self.mode = "L"
        self.flow = PlantFlow()
        self.pv_w = [0.0] * trackers
        self.battery_v = self.battery.rest_v
        self.battery_a = 0.0
        self._spent = False  # the battery fell below the cut-off voltage
        self._on_battery = True  # the last choice of the battery-first priority
        self.settle()

    @property
    def hour(self) -> float:
        """The inverter's time of day, 0 to 24."""
        return self.clock.hour + self.clock.minute / 60 + self.clock.second / 3600

    @property
    def grid_usable(self) -> bool:
        """Whether the grid is there and within the accepted range."""
        return self.grid.usable(self.settings.input_range)

    @property
    def available(self) -> list[float]:
        """Watts that each tracker could make now."""
        if not self.powered:
            return [0.0] * len(self.pv_w)
        return self.sun.available(self.hour)

    @property
    def demand_w(self) -> float:
        """Watts that the output would have to supply."""
        return self.load.watts

    @property
    def load_va(self) -> float:
        """VA served now."""
        return self.load.va_at(self.flow.load_w)

    @property
    def output_v(self) -> float:
        """Volts at the output: the grid's, the inverter's own, or 0."""
        if self.mode in LINE_MODES:
            return self.grid.volts if self.grid_usable else 0.0
        return self.settings.output_v if self.mode in BATTERY_MODES else 0.0

    @property
    def output_hz(self) -> float:
        """Hertz at the output, as `output_v`."""
        if self.mode in LINE_MODES:
            return self.grid.hz if self.grid_usable else 0.0
        return self.settings.output_hz if self.mode in BATTERY_MODES else 0.0

    @property
    def pv_v(self) -> list[float]:
        """Volts of each tracker; 0 in the dark."""
        return [self.light_v if w > 0 else 0.0 for w in self.available]

    @property
    def charge_stage(self) -> Phase:
        """The state of the charger; idle while nothing charges."""
        fed = self.flow.pv_w > 0 or (self.mode not in BATTERY_MODES and self.grid.on)
        if self.mode in DEAD_MODES or self.battery_a < 0 or not fed:
            return Phase.IDLE
        if self.battery_a == 0 and self.battery.phase is not Phase.FLOAT:
            return Phase.IDLE
        return self.battery.phase

    def step(self, seconds: float) -> None:
        """Let `seconds` pass, in steps short enough for the charger's stages."""
        if seconds < 0:
            raise ValueError(f"time cannot pass backwards ({seconds} s)")
        self.settle()
        left = seconds
        while left > 0:
            span = min(left, LONGEST_STEP_S)
            self._advance(span)
            left -= span

    def settle(self) -> None:
        """Update mode and flow after a change; no time passes."""
        self.choose()
        self.take(self.flow_now())
        if self.pins.battery is not None:
            self.battery_v, self.battery_a = self.pins.battery
        else:
            self.battery_a = self.battery.amps_at(self.flow.battery_w)
            self.battery_v = self.battery.volts_at(self.battery_a)

    def written(self) -> None:
        """Note that a setter has changed the settings."""
        self.settle()

    def follow(self, other: Plant) -> None:
        """Copy another plant's decisions that follow from the battery's voltage."""
        self._spent, self._on_battery = other._spent, other._on_battery

    def choose(self) -> None:
        """Find the mode, by the priorities that act now."""
        self._let_priorities_act()
        self.mode = self._choose_mode()
        if self.pins.temperature_c is not None:
            self.temperature_c = self.pins.temperature_c

    def take(self, flow: PlantFlow) -> None:
        """Make `flow` the present one; the trackers share its solar part."""
        self.flow = flow
        offered = sum(self.available)
        used = flow.pv_w / offered if offered > 0 else 0.0
        self.pv_w = [watts * used for watts in self.available]

    def warnings(self) -> set[int]:
        """Return the QPIWS bits that are on."""
        cutoff, block = self.settings.cutoff_v, self.battery.nominal_v / 12
        checks = {
            0: sum(self.available) <= 0,
            1: self.fault_code > 0,
            5: not self.grid_usable,
            12: self.battery_v < cutoff + 0.5 * block,
            14: self._spent,
            16: self.flow.load_w > self.rated_w or self.load_va > self.rated_va,
        }
        checks.update(self.forced_warnings)
        return {bit for bit, on in checks.items() if on}

    def truth(self) -> dict[str, object]:
        """Return the true values, in SI units (energies in Wh)."""
        return {
            "clock": self.clock.strftime("%Y-%m-%dT%H:%M:%S"),
            "mode": self.mode,
            "charge_stage": self.charge_stage.value,
            "pv_w": self.pv_w,
            "pv_v": self.pv_v,
            "load_w": self.flow.load_w,
            "load_va": self.load_va,
            "grid_w": self.flow.grid_w,
            "grid_v": self.grid.volts if self.grid.on else 0.0,
            "grid_hz": self.grid.hz if self.grid.on else 0.0,
            "output_v": self.output_v,
            "output_hz": self.output_hz,
            "battery_w": self.flow.battery_w,
            "battery_v": self.battery_v,
            "battery_a": self.battery_a,
            "soc": self.battery.soc,
            "losses_w": self.flow.losses_w,
            "temperature_c": self.temperature_c,
            "fault": self.fault_code,
            "warnings": sorted(self.warnings()),
            **asdict(self.energy),
            "settings": self._settings(),
        }

    def _settings(self) -> dict[str, object]:
        held = {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        return held | {"flags": "".join(sorted(self.settings.flags))}

    def account(self, seconds: float) -> None:
        """Let one short span pass for everything except the battery."""
        hours = seconds / 3600
        self.energy.add(self.flow, hours)
        day = self.history.setdefault(self.clock.date(), EnergySums())
        day.add(self.flow, hours)
        goal = AMBIENT_C + HOT_C * self.flow.load_w / self.rated_w
        share = min(seconds / WARM_UP_S, 1.0)
        self.temperature_c += (goal - self.temperature_c) * share
        self.clock += timedelta(seconds=seconds)
        self.elapsed_s += seconds

    def _advance(self, seconds: float) -> None:
        """Let one short span pass, with the flow at its beginning."""
        self.account(seconds)
        self.battery.pass_time(self.settings, self.battery_v, self.battery_a, seconds)
        self.settle()

    @property
    def _priorities(self) -> tuple[OutputPriority, ChargerPriority]:
        return self.settings.output_priority, self.settings.charger_priority

    def _let_priorities_act(self) -> None:
        if self.acting == self._priorities:
            self._acts_at = None
            return
        if self._acts_at is None:
            self._acts_at = self.elapsed_s + self.acts_after_s
        if self.elapsed_s >= self._acts_at:
            self.acting, self._acts_at = self._priorities, None

    def _choose_mode(self) -> str:
        self._watch_battery()
        if not self.powered:
            return "D"
        if self.fault_code:
            return "F"
        if self.pins.mode is not None:
            return self.pins.mode
        if not self.output_on:
            return "C" if self._can_charge() else "S"
        battery_first = self.acting[0] is OutputPriority.BATTERY
        if self.grid_usable and not (battery_first and self._on_battery):
            return "L"
        if not self._spent:
            return "B"
        if self.grid_usable:
            return "L"
        return "C" if self._can_charge() else "S"

    def _can_charge(self) -> bool:
        return self.grid_usable or sum(self.available) > 0

    def _watch_battery(self) -> None:
        """Compare the voltage with its thresholds: cut-off, to grid, to battery."""
        settings, volts = self.settings, self.battery_v
        empty = self.battery.soc <= 0 and self.pins.battery is None
        if volts < settings.cutoff_v or empty:
            self._spent = True
        elif volts >= settings.recharge_v:
            self._spent = False
        full = self.battery.phase is Phase.FLOAT
        back = settings.redischarge_v
        if volts <= settings.recharge_v or self._spent:
            self._on_battery = False
        elif full if back == 0 else volts >= back:
            self._on_battery = True

    def flow_now(self) -> PlantFlow:
        """Return the flow in this mode."""
        if self.mode in DEAD_MODES:
            return PlantFlow()
        pv_w, pinned = sum(self.available), self.pins.battery
        load_w = 0.0 if self.mode in CHARGE_MODES else self.demand_w
        if self.mode in BATTERY_MODES or not self.grid_usable:
            if self.mode in LINE_MODES:
                load_w = 0.0
            if pinned is not None:
                return PlantFlow(pv_w, 0.0, load_w, pinned[0] * pinned[1])
            room = self.room_w(self.settings.max_charge_a)
            most = self.battery.most_watts_out
            return on_battery(self.machine, pv_w, load_w, room, most)
        if pinned is not None:
            return on_line(self.machine, pv_w, load_w, pinned[0] * pinned[1])
        return self._line_flow(pv_w, load_w)

    def room_w(self, most_amps: float) -> float:
        """Return the watts that the battery takes from this unit now."""
        return self.battery.room_w(self.settings, most_amps)

    def _line_flow(self, pv_w: float, load_w: float) -> PlantFlow:
        output, charger = self.acting
        settings = replace(
            self.settings, output_priority=output, charger_priority=charger
        )
        room = self.room_w(settings.max_charge_a)
        ac_room = self.room_w(min(settings.max_ac_charge_a, settings.max_charge_a))
        if self.mode == "Y":
            room = ac_room = 0.0
        need = load_w / self.machine.efficiency
        battery_w, offered = charge_on_line(settings, pv_w, need, room, ac_room)
        return on_line(self.machine, offered, load_w, battery_w)
