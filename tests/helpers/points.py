"""Walks operating points: turn the simulator, ask it for the truth, compare."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from helpers.bus import BusItemClient
from helpers.losses import Run
from helpers.point_table import FULL_LINE, NO_INPUT, SETUPS, Point, Setup
from helpers.processes import (
    MPPDBUS,
    Program,
    Simulated,
    daemon,
    wait_for_units,
    wait_until_learnt,
)
from helpers.state import energy_data
from mppdbus.daemon.state import energy_file
from mppdbus.model.energy.ledger import Books
from mppdbus.model.unit_ids import candidates
from mppdbus.simulator.unit.profiles import PROFILES
from mppdbus.storage.atomic_file import AtomicFile

QUICK_LINE = ("--baud", "57600", "--think", "0.005")
LEAST_W, SHARE = 30.0, 0.03  # an error may be the larger of the two
SOC_POINTS = 3.0
UNREAD = 20.0  # s in which every unit must have been read
REPLY = 0.3  # s that a reading may be older than its request
LATE = 160.0  # s: so long the sums wait for a unit of a set that is off
SAME_STAGE_V = 1.0  # V around the bulk voltage where PI30 cannot tell the two stages
OWN_PERCENT = 'soc = "inverter"'  # of the simulator, and so the truth
TYPES = {1: "Grid", 2: "Genset"}
OFF, LOW_POWER, FAULT, BULK, ABSORPTION, FLOAT, PASSTHRU, INVERTING = (
    *(0, 1, 2, 3, 4, 5, 8, 9),
)
STAGES = {"bulk": BULK, "absorption": ABSORPTION, "float": FLOAT}
UNAVAILABLE = 255
FIXED = {"B": INVERTING, "H": LOW_POWER, "F": FAULT, "Y": PASSTHRU, "E": PASSTHRU}

Truth = dict[str, Any]
Expected = dict[str, Any]


class Shows(Protocol):
    """Whatever tells the values of com.victronenergy.system."""

    async def system(self, paths: Iterable[str]) -> dict[str, Any]:
        """Return path → value; None is invalid."""


# -- what is true ---------------------------------------------------------------------


def expected(truth: Truth, setup: Setup) -> Expected:
    """Return path → what a perfect systemcalc shows; of a set of states, any."""
    units = [
        u for u in truth.get("units", [{**truth, "label": "L1"}]) if u.get("on", 1)
    ]
    whole = truth.get("total", truth)
    used = setup.input_type != NO_INPUT and any(map(_on_mains, units))
    source = setup.input_type if used else NO_INPUT
    battery = whole["battery_v"] > 0  # else there is none to show anything of
    wanted: Expected = {
        "/Dc/Pv/Power": sum(sum(unit["pv_w"]) for unit in units),
        "/Dc/Battery/Power": whole["battery_w"] if battery else None,
        "/Dc/Battery/Soc": whole["soc"] if battery else None,
        "/SystemState/State": _state(units),
        "/Ac/ActiveIn/Source": source,
    }
    for phase in ("L1", "L2", "L3"):
        there = [u for u in units if u["label"].replace("parallel", "L1") == phase]
        load = sum(unit["load_w"] for unit in there) if there else None
        wanted[f"/Ac/Consumption/{phase}/Power"] = load
        taken = sum(unit["grid_w"] for unit in there) if there else None
        for kind, name in TYPES.items():
            path = f"/Ac/{name}/{phase}/Power"
            wanted[path] = taken if source == kind else None
    return wanted


def units_of(truth: Truth) -> list[Truth]:
    """Return the units of a set, or the only one."""
    return list(truth.get("units", [{**truth, "label": "L1", "on": True}]))


def nothing() -> Expected:
    """Return what must be shown of a system that cannot be reached."""
    sums = dict.fromkeys(("load_w", "grid_w", "battery_w", "battery_v"), 0)
    truth = {**sums, "pv_w": [], "soc": 0, "mode": "D"}
    return dict.fromkeys(expected(truth, SETUPS["one unit"])) | {
        "/Ac/ActiveIn/Source": NO_INPUT,
        "/SystemState/State": frozenset({UNAVAILABLE}),  # an invalid one reads "Off"
    }


def _on_mains(unit: Truth) -> bool:
    if unit["mode"] in "LEY":
        return bool(unit["output_v"] > 0)
    return bool(unit["grid_w"] > 0)


def _state(units: list[Truth]) -> frozenset[int]:
    """Return what the state may be: that of the first unit, a fault of any."""
    if any(unit["mode"] == "F" for unit in units):
        return frozenset({FAULT})
    unit = units[0]
    mode, stage = unit["mode"], unit.get("charge_stage", "idle")
    if mode in "PDS" or mode in FIXED:
        return frozenset({FIXED.get(mode, OFF)})
    if unit["battery_a"] <= 0 or stage == "idle":
        return frozenset({PASSTHRU if mode == "L" else OFF})
    bulk = unit["settings"]["bulk_v"]
    if stage != "float" and abs(unit["battery_v"] - bulk) < SAME_STAGE_V:
        return frozenset({BULK, ABSORPTION})
    return frozenset({STAGES[stage]})


# -- what is shown beside it --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A quantity: its path, what is true, what is shown; None is invalid."""

    path: str
    true: Any
    shown: Any

    @property
    def error(self) -> float | None:
        """Shown less true, of a number."""
        if isinstance(self.true, frozenset) or None in (self.true, self.shown):
            return None
        return float(self.shown) - float(self.true)

    @property
    def right(self) -> bool:
        """Whether the error is within the bounds."""
        if isinstance(self.true, frozenset):
            return self.shown in self.true
        if self.true is None or self.shown is None:
            return bool(self.true is self.shown)
        if self.path.endswith("/Source"):
            return bool(self.shown == self.true)
        return abs(self.error or 0.0) <= self.bound

    @property
    def bound(self) -> float:
        """The largest error that counts as right."""
        if self.path.endswith("/Soc"):
            return SOC_POINTS
        return max(LEAST_W, SHARE * abs(float(self.true)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A point, and its rows."""

    point: Point
    rows: tuple[Row, ...]

    @property
    def wrong(self) -> tuple[Row, ...]:
        """The rows beyond the bounds."""
        return tuple(row for row in self.rows if not row.right)

    def __str__(self) -> str:
        rows = "".join(
            f"\n    {row.path}: true {row.true}, shown {row.shown}"
            for row in self.wrong
        )
        return f"{self.point.setup}: {self.point.name} ({self.point.turn}){rows}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A point that has been turned to: what to show, `late` s from now at most."""

    point: Point
    wanted: Expected
    late: float
    mode: str = ""


async def compare(shows: Shows, arrival: Arrival) -> Outcome:
    """Look once."""
    shown = await shows.system(arrival.wanted)
    rows = (Row(path, true, shown[path]) for path, true in arrival.wanted.items())
    return Outcome(arrival.point, tuple(rows))


async def compare_until_right(shows: Shows, arrival: Arrival) -> Outcome:
    """Look until all is right, as long as it may be late; return the last look."""
    end = asyncio.get_running_loop().time() + arrival.late
    while True:
        outcome = await compare(shows, arrival)
        if not outcome.wrong or asyncio.get_running_loop().time() > end:
            return outcome
        await asyncio.sleep(0.05)


# -- what runs ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stage:
    """A simulator and the daemon on it."""

    setup: Setup
    simulated: Simulated
    daemon: Program

    async def turn(self, lines: str) -> None:
        """Tell the simulator lines parted by ";"."""
        await self.simulated.tell(*filter(None, map(str.strip, lines.split(";"))))

    async def truth(self) -> Truth:
        """Return what the simulator knows to be true."""
        truth: Truth = json.loads(await self.simulated.tell("truth"))
        return truth

    async def read(self) -> None:
        """Wait until every unit that is on has been read anew, and that is shown."""
        on = [bool(unit["on"]) for unit in units_of(await self.truth())]
        await self.simulated.tell("requests clear")
        # By the second the first has been read, by the third it is on the bus too.
        times = 3 if self.setup.poll == FULL_LINE else 2
        wanted = {"QPIGS": times * sum(on[: len(self.setup.cables)])}
        if self.setup.told:
            wanted |= {f"QPGS{place}": times for place, one in enumerate(on) if one}
            wanted.pop("QPGS0")
        asked: dict[str, int] = {}
        end = asyncio.get_running_loop().time() + UNREAD
        while any(asked.get(name, 0) < most for name, most in wanted.items()):
            assert asyncio.get_running_loop().time() < end, f"only {asked}"
            await asyncio.sleep(0.03)
            asked = json.loads(await self.simulated.tell("requests"))


@asynccontextmanager
async def staged(
    folder: Path, address: str, setup: Setup, mppdbus: Sequence[str] = MPPDBUS
) -> AsyncIterator[Stage]:
    """Run a simulator of the set-up, and the daemon on its ports."""
    programs: list[Program] = []
    client = await BusItemClient.connect(address, "")
    try:
        words = (*setup.words, "--scene", setup.calm, *QUICK_LINE)
        simulated = Simulated(folder, "tty", *words)
        programs.append(simulated)
        await simulated.ready()
        units = []
        for place, more in enumerate(setup.cables, 1):
            port = _port(simulated.port, place)
            units.append(f'port = "serial:{port}"\npoll = {setup.poll}\n{more}')
        if setup.learned:
            remember_losses(folder / "state", PROFILES[setup.words[1]].serial)
        programs.append(daemon(folder, address, units, OWN_PERCENT, mppdbus))
        await wait_for_units(client, programs[-1], len(units) + setup.told)
        await wait_until_learnt(simulated)
        yield Stage(setup, simulated, programs[-1])
    finally:
        await client.close()
        for program in reversed(programs):
            program.stop()


def remember_losses(folder: Path, serial: str) -> None:
    """Leave in the state what two days of a house have taught of its losses."""
    house = Run(every=20.0)
    for _ in house.points(hours=48):
        pass
    assert house.learner.losses.known
    books = Books(losses=house.learner.state)
    folder.mkdir()
    uid = candidates(serial, "")[0]
    AtomicFile(folder / energy_file(uid)).save(energy_data(books, uid))


def _port(first: Path, place: int) -> Path:
    return first if place == 1 else first.with_name(f"{first.name}.{place}")


async def arrive(stage: Stage, point: Point, lines: str) -> Arrival:
    """Turn the simulator, and wait until it has been read.

    A lost unit has three polls, until nothing of it is shown any more.
    """
    await stage.turn(lines)
    if point.lost:
        return Arrival(point, nothing(), 3 * float(stage.setup.poll) + REPLY)
    await stage.read()
    truth = await stage.truth()
    mode = str(truth.get("mode", ""))
    return Arrival(point, expected(truth, stage.setup), LATE, mode)


async def walk(stage: Stage, points: Iterable[Point]) -> AsyncIterator[Arrival]:
    """Go from point to point, each from where all is calm."""
    for point in points:
        yield await arrive(stage, point, f"{stage.setup.calm}; {point.turn}")


async def live_through(stage: Stage, days: Iterable[str]) -> AsyncIterator[Arrival]:
    """Go through days, from look to look."""
    for number, lines in enumerate(days, 1):
        yield await arrive(stage, Point("days", f"look {number}", lines), lines)
