"""Pure: replies about the units of a set: QPGSn, QP2GSn."""

from collections.abc import Sequence
from dataclasses import dataclass

from mppdbus.simulator.plant.physics import CHARGE_MODES, Plant
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.replies import (
    capacity,
    charge_amps,
    code_of,
    discharge_amps,
    grid_hz,
    grid_v,
    load,
    mode_letter,
    parallel_status,
    sources,
)


@dataclass(frozen=True, slots=True)
class SetUnit:
    """A unit as the others of its set report it."""

    plant: Plant
    profile: UnitProfile
    serial: str


def qpgs(
    asked: SetUnit, slot: SetUnit | None, present: Sequence[SetUnit], exists: str
) -> str:
    """QPGSn, 27 or 29 tokens, of `slot`; an empty one shows the totals all the same.

    `asked` is the unit that answers, `present` are all that run, itself included.
    """
    held, profile = asked.plant.settings, asked.profile
    if slot is not None:
        held, profile = slot.plant.settings, slot.profile
    words = [
        *(_absent(asked) if slot is None else _present(slot, exists)),
        *_totals(present),
        "00000000" if slot is None else parallel_status(slot.plant, profile),
        str(held.output_mode),
        code_of(profile.charger_codes, held.charger_priority),
        f"{held.max_charge_a:03d}",
        f"{profile.charge_amps[-1]:03d}",
        f"{held.max_ac_charge_a:0{profile.ac_amps_width}d}",
        *_trackers(slot, profile),
    ]
    return " ".join(words[: profile.qpgs_fields])


def qp2gs(slot: SetUnit, number: int) -> str:
    """QP2GSn: trackers 2 and 3 (9 tokens, B), or the second leg (17, PI41)."""
    if slot.profile.qp2gs_fields == 17:
        return _second_leg(slot, number)
    plant = slot.plant
    words = ["1", f"{plant.pv_w[0]:05.0f}"]
    status = ""
    for index in (1, 2):
        there = index < len(plant.pv_w)
        watts = plant.pv_w[index] if there else 0.0
        volts = plant.pv_v[index] if there else 0.0
        amps = watts / plant.battery_v if plant.battery_v else 0.0
        words += [f"{volts:05.1f}", f"{amps:04.0f}", f"{watts:05.0f}"]
        status += f"{volts > 0:d}{watts > 0:d}"
    return " ".join((*words, status))


def _present(slot: SetUnit, exists: str) -> list[str]:
    plant, profile = slot.plant, slot.profile
    return [
        *(exists, slot.serial, mode_letter(plant, profile)),
        f"{plant.fault_code:02d}",
        *(f"{grid_v(plant):05.1f}", f"{grid_hz(plant):05.2f}"),
        *(f"{plant.output_v:05.1f}", f"{plant.output_hz:05.2f}"),
        *load(plant, profile),
        f"{plant.battery_v:04.1f}",
        f"{charge_amps(plant):03d}",
        f"{capacity(plant, profile):03d}",
        f"{plant.pv_v[0]:05.1f}",
    ]


def _absent(asked: SetUnit) -> list[str]:
    width = asked.profile.power_width
    nothing = "0" * width
    numbers = ("000.0", "00.00", "000.0", "00.00", nothing, nothing, "000")
    head = ["0", "0" * len(asked.serial), "P", "00"]
    return [*head, *numbers, "00.0", "000", "000", "000.0"]


def _totals(present: Sequence[SetUnit]) -> list[str]:
    plants = [slot.plant for slot in present]
    va = sum(plant.load_va for plant in plants)
    watts = sum(plant.flow.load_w for plant in plants)
    rated_w = sum(plant.rated_w for plant in plants)
    rated_va = sum(plant.rated_va for plant in plants)
    percent = 100 * max(watts / rated_w, va / rated_va) if plants else 0.0
    amps = sum(charge_amps(plant) for plant in plants)
    return [f"{amps:03d}", f"{va:05.0f}", f"{watts:05.0f}", f"{percent:03.0f}"]


def _trackers(slot: SetUnit | None, profile: UnitProfile) -> list[str]:
    style = profile.qpgs_pv_amps_format
    if slot is None:
        return [f"{0.0:{style}}", "000", "000.0", "00"]
    plant = slot.plant
    amps = [w / v if v else 0.0 for w, v in zip(plant.pv_w, plant.pv_v, strict=True)]
    second = (plant.pv_v[1], amps[1]) if len(amps) > 1 else (0.0, 0.0)
    return [
        f"{amps[0]:{style}}",
        f"{discharge_amps(plant, profile):03d}",
        f"{second[0]:05.1f}",
        f"{second[1]:02.0f}",
    ]


def _second_leg(slot: SetUnit, number: int) -> str:
    plant, profile = slot.plant, slot.profile
    volts = plant.pv_v[-1]
    amps = plant.pv_w[-1] / volts if volts else 0.0
    _, sun, grid = sources(plant)
    load_on = plant.mode not in CHARGE_MODES and plant.output_v > 0
    return " ".join(
        (
            f"1{number}",  # "11" for QP2GS1 (f0252); what it means is a guess
            *(slot.serial, mode_letter(plant, profile), f"{plant.fault_code:02d}"),
            *(f"{grid_v(plant):05.1f}", f"{grid_hz(plant):05.2f}"),
            *(f"{plant.output_v:05.1f}", f"{plant.output_hz:05.2f}"),
            *load(plant, profile, leg=1),
            *(f"{plant.battery_v:04.1f}", f"{charge_amps(plant):03d}"),
            *(f"{capacity(plant, profile):03d}", f"{volts:05.1f}", f"{amps:02.0f}"),
            f"0{grid:d}{sun:d}00{not plant.grid_usable:d}{load_on:d}0",
        )
    )
