"""Several plants that share a battery, the mains and their outputs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from mppdbus.simulator.plant.flow import Machine, PlantFlow, on_battery
from mppdbus.simulator.plant.physics import (
    BATTERY_MODES,
    LINE_MODES,
    LONGEST_STEP_S,
    EnergySums,
    Plant,
)

# Settings that all units of a set have in common. PPCP, MNCHGC and MUCHGC name a unit,
# so what they set may differ.
COMMON = (
    *("output_v", "output_hz", "recharge_v", "redischarge_v", "cutoff_v", "bulk_v"),
    *("float_v", "battery_type", "input_range", "output_priority", "cv_minutes"),
)

MOST_ROUNDS, CLOSE_V = 8, 1e-6


class SetPlant(Plant):
    """A plant of a set: it serves and charges a share of the whole.

    Outputs with the same `label` are wired together. `load` is what is connected to
    this unit's output; the other units supply it when this one is off.
    """

    plant_set: PlantSet | None = None
    label = "parallel"
    share_w = 0.0
    share_va = 0.0

    @property
    def demand_w(self) -> float:
        """This unit's share of the load, W."""
        return self.load.watts if self.plant_set is None else self.share_w

    @property
    def load_va(self) -> float:
        """VA served now."""
        if self.plant_set is None:
            return super().load_va
        return self.share_va * self.flow.load_w / self.share_w if self.share_w else 0.0

    def room_w(self, most_amps: float) -> float:
        """Return this unit's share of the battery's charge power now."""
        if self.plant_set is None:
            return super().room_w(most_amps)
        return self.plant_set.room_w(self, most_amps)

    def settle(self) -> None:
        """Update mode and flow of the whole set."""
        if self.plant_set is None:
            super().settle()
        else:
            self.plant_set.settle()

    def written(self) -> None:
        """Copy the common settings to the other units."""
        if self.plant_set is not None:
            self.plant_set.agree(self)
        self.settle()

    def step(self, seconds: float) -> None:
        """Let time pass for the whole set."""
        if self.plant_set is None:
            super().step(seconds)
        else:
            self.plant_set.step(seconds)


class PlantSet:
    """The whole set; all plants share the battery of the first one."""

    def __init__(self, members: Sequence[SetPlant]) -> None:
        self.members = tuple(members)
        self.battery = members[0].battery
        self.battery.capacity_ah *= len(members)
        self.battery.ohm /= len(members)
        self.pin: tuple[float, float] | None = None  # V, A of the whole battery
        self.battery_v, self.battery_a = self.battery.rest_v, 0.0
        self._running = self.members
        for member in members:
            member.battery, member.plant_set = self.battery, self
            member.load.watts /= len(members)
        self.settle()

    @property
    def running(self) -> tuple[SetPlant, ...]:
        """The units that have not dropped out."""
        return tuple(member for member in self.members if member.powered)

    def settle(self) -> None:
        """Update modes and flows after a change; no time passes."""
        self._synchronise()
        for member in self.members:
            member.battery_v = self.battery_v
            member.pins.battery = self._pinned(member)
            member.choose()
        self._share_load()
        together = [m for m in self.running if self._shares_battery(m)]
        for member, flow in zip(together, self._on_battery(together), strict=True):
            member.take(flow)
        # Limits are in A and shares in W, so the voltage is found by iteration.
        for _ in range(MOST_ROUNDS):
            guess = self.battery_v
            for member in self.members:
                if member not in together:
                    member.take(member.flow_now())
            self._settle_battery()
            if abs(self.battery_v - guess) < CLOSE_V:
                break

    def step(self, seconds: float) -> None:
        """Let `seconds` pass for all."""
        if seconds < 0:
            raise ValueError(f"time cannot pass backwards ({seconds} s)")
        self.settle()
        while seconds > 0:
            span = min(seconds, LONGEST_STEP_S)
            for member in self.members:
                member.account(span)
            lead = (self.running or self.members)[0]
            volts, amps = self.battery_v, self.battery_a
            self.battery.pass_time(lead.settings, volts, amps, span)
            self.settle()
            seconds -= span

    def room_w(self, member: SetPlant, most_amps: float) -> float:
        """Return the W that the battery takes from `member`, limited by `most_amps`."""
        limits = sum(m.settings.max_charge_a for m in self.running)
        total = self.battery.room_amps(member.settings, limits)
        part = total * member.settings.max_charge_a / limits if limits else 0.0
        return min(most_amps, part) * self.battery_v

    def agree(self, written: SetPlant) -> None:
        """Copy the common settings from the unit that was written to."""
        for member in self.members:
            for name in COMMON:
                setattr(member.settings, name, getattr(written.settings, name))

    def truth(self) -> dict[str, object]:
        """Return the true values of the whole set: sums, and the shared values."""
        flows = [member.flow for member in self.members]
        energy = EnergySums()
        for member in self.members:
            for name, value in asdict(member.energy).items():
                setattr(energy, name, getattr(energy, name) + value)
        return {
            "pv_w": sum(flow.pv_w for flow in flows),
            "grid_w": sum(flow.grid_w for flow in flows),
            "load_w": sum(flow.load_w for flow in flows),
            "load_va": sum(member.load_va for member in self.members),
            "losses_w": sum(flow.losses_w for flow in flows),
            "battery_w": self.battery_v * self.battery_a,
            "battery_v": self.battery_v,
            "battery_a": self.battery_a,
            "soc": self.battery.soc,
            "running": len(self.running),
            **asdict(energy),
        }

    def _synchronise(self) -> None:
        """Copy the state of the others to a unit that is back."""
        before, self._running = self._running, self.running
        for member in self._running:
            if member not in before and before:
                member.follow(before[0])

    def _pinned(self, member: SetPlant) -> tuple[float, float] | None:
        if self.pin is None or not member.powered:
            return None
        return self.pin[0], self.pin[1] / len(self.running)

    def _share_load(self) -> None:
        """Divide each label's load by the units that carry it."""
        for label in {member.label for member in self.members}:
            tied = [member for member in self.members if member.label == label]
            carriers = [m for m in tied if m.mode in LINE_MODES + BATTERY_MODES]
            watts = sum(member.load.watts for member in tied)
            va = sum(member.load.va_at(member.load.watts) for member in tied)
            for member in tied:
                count = len(carriers) if member in carriers else 0
                member.share_w = watts / count if count else 0.0
                member.share_va = va / count if count else 0.0

    def _shares_battery(self, member: SetPlant) -> bool:
        return member.mode in BATTERY_MODES and member.pins.battery is None

    def _on_battery(self, members: Sequence[SetPlant]) -> list[PlantFlow]:
        """Divide one flow without mains: a unit's surplus of sun feeds the others."""
        if not members:
            return []
        count, machine = len(members), members[0].machine
        sun = [sum(member.available) for member in members]
        loads = [member.demand_w for member in members]
        limits = sum(member.settings.max_charge_a for member in members)
        whole = on_battery(
            Machine(machine.efficiency, machine.own_w * count),
            sum(sun),
            sum(loads),
            self.battery.room_w(members[0].settings, limits),
            self.battery.most_watts_out,
        )
        used = whole.pv_w / sum(sun) if sum(sun) else 0.0
        served = whole.load_w / sum(loads) if sum(loads) else 0.0
        drawn = whole.load_w / machine.efficiency
        own_w = (whole.pv_w - whole.battery_w - drawn) / count
        return [
            _part(pv_w * used, load_w * served, machine.efficiency, own_w)
            for pv_w, load_w in zip(sun, loads, strict=True)
        ]

    def _settle_battery(self) -> None:
        if self.pin is not None:
            self.battery_v, self.battery_a = self.pin
        else:
            watts = sum(member.flow.battery_w for member in self.members)
            self.battery_a = self.battery.amps_at(watts)
            self.battery_v = self.battery.volts_at(self.battery_a)
        for member in self.members:
            member.battery_v = self.battery_v
            volts = self.battery_v or 1.0
            member.battery_a = member.flow.battery_w / volts


def _part(pv_w: float, load_w: float, efficiency: float, own_w: float) -> PlantFlow:
    return PlantFlow(pv_w, 0.0, load_w, pv_w - load_w / efficiency - own_w)
