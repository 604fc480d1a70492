"""From the bytes of real inverters to D-Bus, through the whole daemon.

One process drives every recorded unit with a QPIGS at once. What must be on the bus is
worked out here from the recorded words, by their places, not by the product's code.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from helpers.bus import PrivateBus
from helpers.places import TESTS
from helpers.run import (
    BATTERY,
    MULTI,
    PATIENCE,
    SYSTEM,
    Daemon,
    Ports,
    Watcher,
    eventually,
)
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.unit.recording import load

FRAMES = TESTS / "frames" / "frames.jsonl"
SETTLED = {"/Ac/ActiveIn/ActiveInput": 0}  # one for all, and some are on the mains
NAMELESS = "unknown"  # the recordings without a model, which are of several units

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("recordings"),  # they share one run of the daemon
]


@cache
def recorded() -> dict[str, dict[str, list[list[str]]]]:
    """Return model → command → the words of each good reply."""
    models: dict[str, dict[str, list[list[str]]]] = defaultdict(dict)
    for line in FRAMES.read_text().splitlines():
        row = json.loads(line)
        if row["quality"] == "good" and row["command"]:
            reply = bytes.fromhex(row["response_hex"])
            end = max(reply.rfind(b"\r"), reply.rfind(b"\n"))  # f0051 ends in LF
            words = reply[1 : end - 2].decode("ascii").split()
            said = models[row["model"] or NAMELESS]
            said.setdefault(row["command"], []).append(words)
    return {m: said for m, said in models.items() if "QPIGS" in said and m != NAMELESS}


MODELS = sorted(recorded())


class Served(NamedTuple):
    watcher: Watcher
    daemon: Daemon
    values: dict[str, dict[str, Any]]  # model → path → value
    names: set[str]


def port_of(model: str) -> str:
    return f"tty{MODELS.index(model)}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("recordings")
    bus = PrivateBus(folder)
    bus.start()
    async with Ports.below(folder) as ports, Watcher.on(bus.address) as watcher:
        for model in MODELS:
            scene = Scene(None, pace=Pace.instant())
            await ports.add(port_of(model), Simulator(load(FRAMES, model), scene))
        units = [ports.unit(port_of(model)) for model in MODELS]
        daemon = Daemon(folder, bus.address, units, battery='soc = "inverter"')
        try:
            # Half a hundred of them take their time on a busy machine.
            connected = len(MODELS)
            await eventually(
                lambda: daemon.said.count("connected on") == connected, 2 * PATIENCE
            )
            # QFLAG is the last that is asked once.
            await eventually(
                lambda: all(asked(ports, m, "QFLAG") for m in MODELS), 2 * PATIENCE
            )
            shown = {
                model: await watcher.wait(service_of(model), SETTLED)
                for model in MODELS
            }
            yield Served(watcher, daemon, shown, await watcher.names())
        finally:
            daemon.stop()
            bus.stop()


def asked(ports: Ports, model: str, command: str) -> bool:
    simulator = ports.ptys[port_of(model)]._simulator
    return simulator.scene.requests[command] > 0


def service_of(model: str) -> str:
    """Say under which name: the number, or the port where there is none to trust."""
    return MULTI + (number_of(model) or port_of(model))


def number_of(model: str) -> str | None:
    [[serial]] = recorded()[model].get("QID", [["NAK"]])
    return None if serial == "NAK" or len(set(serial)) <= 2 else serial


# -- what the words mean, by the documents ----------------------------------------


def expected(model: str) -> list[dict[str, Any]]:
    """Return what may be shown: one row for each combination of recorded replies."""
    said = recorded()[model]
    combinations = product(
        said["QPIGS"],
        said.get("QMOD", [["NAK"]]),
        said.get("QPIGS2", [["NAK"]]),
        said.get("QPIRI", [["NAK"]])[:1],
        said.get("QPIWS", [["NAK"]]),
    )
    return [values(*words) for words in combinations]


def values(
    now: list[str],
    mode: list[str],
    second: list[str],
    ratings: list[str],
    warnings: list[str],
) -> dict[str, Any]:
    """Work out what is shown from the words of QPIGS, QMOD, QPIGS2, QPIRI, QPIWS."""
    letter = None if mode == ["NAK"] else mode[0]
    va, load = float(now[4]), float(now[5])
    dc_volts, amps = float(now[8]), float(now[9]) - float(now[15])
    first = float(now[19]) if len(now) > 19 else float(now[14]) * float(now[12])
    pv = [first] + ([] if second == ["NAK"] else [float(second[2])])
    grid = float(now[0])
    present, battery = grid >= 30.0, round(dc_volts * amps, 1)
    fitted = dc_volts >= 5.0  # 0 to 3.3 V is shown where no battery is connected
    used = None if letter is None else letter in "LYE" and present
    if letter is not None and letter in "SC":
        used = present and now[16][7] == "1"
    mains = None
    if used is not None:
        mains = max(0.0, load + dc_volts * amps - sum(pv)) if used else 0.0
    found = {
        "/Connected": 1,
        "/Ac/Out/L1/V": float(now[2]),
        "/Ac/Out/L1/F": float(now[3]),
        "/Ac/Out/L1/S": va,
        "/Ac/Out/L1/P": load,
        "/Ac/Out/L1/I": round(va / float(now[2]), 2) if float(now[2]) else 0.0,
        "/Ac/In/1/L1/V": grid,
        "/Ac/In/1/L1/F": float(now[1]),
        "/Ac/In/1/L1/P": None if mains is None else round(mains, 1),
        **SETTLED,
        "/Dc/0/Voltage": dc_volts if fitted else None,
        "/Dc/0/Current": amps if fitted else None,
        "/Dc/0/Power": battery if fitted else None,
        "/NrOfTrackers": len(pv),
        "/Yield/Power": round(sum(pv), 1),
        "/Pv/V": float(now[13]) if len(pv) == 1 else None,
        "/Pv/0/V": float(now[13]) if len(pv) > 1 else None,
        "/Pv/1/V": float(second[1]) if len(pv) > 1 else None,
        "/Pv/1/P": float(second[2]) if len(pv) > 1 else None,
        "/State": state(letter, now, ratings),
        "/Mode": MODE.get(letter or ""),
        "/Mppdbus/Mode": letter,
        **rated(ratings),
        **alarms(warnings),
    }
    leg = 2 if len(ratings) > 21 and ratings[21] == "7" else 1  # split phase
    return {path.replace("/L1/", f"/L{leg}/"): value for path, value in found.items()}


def rated(ratings: list[str]) -> dict[str, float | None]:
    """Ratings that contradict each other are not shown: 01.3 A is no 3000 VA."""
    amps = power = None
    if len(ratings) > 1:
        product = float(ratings[2]) * float(ratings[4])
        amps = float(ratings[1]) if product >= 0.3 * float(ratings[5]) else None
        power = float(ratings[6]) if float(ratings[5]) >= 0.5 * product else None
    return {"/Mppdbus/InputRating": amps, "/Ac/Out/L1/NominalInverterPower": power}


MODE = {"B": 3, "L": 3, "S": 4}  # on, off


def state(letter: str | None, now: list[str], ratings: list[str]) -> int:
    """Return 9 inverting, 8 passthru, 3 bulk, 4 absorption, 5 float, 0 off.

    255 is unknown.
    """
    if letter in (None, "B"):
        return 255 if letter is None else 9
    status = now[16]
    if status[5] == "0" or float(now[8]) < 5.0:  # b2: not charging; or no battery
        return {"L": 8, "S": 0}[letter or ""]
    if len(now) > 20 and now[20][0] == "1":  # b10
        return 5
    if ratings == ["NAK"]:
        return 255  # bulk or absorption
    return 4 if float(now[8]) >= float(ratings[10]) - 0.2 else 3


def alarms(warnings: list[str]) -> dict[str, int | None]:
    """Return the levels; none of the recorded units has one of these bits set.

    One has a12, battery low, which counts when it has stayed for 10 s.
    """
    names = ("LowVoltage", "HighVoltage", "HighTemperature", "Overload", "ShortCircuit")
    known = warnings != ["NAK"]
    if known:
        assert not {4, 6, 7, 8, 9, 11, 14, 16, 29} & {
            bit for bit, value in enumerate(warnings[0]) if value == "1"
        }
    levels = {f"/Alarms/{name}": 0 if known else None for name in names}
    if known and warnings[0][12] == "1":
        del levels["/Alarms/LowVoltage"]
    return levels


# -- tests ---------------------------------------------------------------------------


async def test_there_are_recordings_of_many_families() -> None:
    assert len(MODELS) >= 20
    lengths = {len(words) for said in recorded().values() for words in said["QPIGS"]}
    assert lengths >= {17, 21, 24}


@pytest.mark.parametrize("model", MODELS)
async def test_what_is_on_the_bus_is_what_the_inverter_said(
    served: Served, model: str
) -> None:
    loop = asyncio.get_running_loop()
    shown, end = served.values[model], loop.time() + PATIENCE
    while (difference := least_difference(model, shown)) and loop.time() < end:
        # On a busy machine a reply may be late, and what it says unknown meanwhile.
        await asyncio.sleep(0.1)
        shown = await served.watcher.values(service_of(model)) or shown
    assert difference == {}


def least_difference(model: str, shown: dict[str, Any]) -> dict[str, Any]:
    """Return what is shown otherwise than by the recorded replies that fit best."""
    differences = [
        {path: (shown[path], v) for path, v in each.items() if shown[path] != v}
        for each in expected(model)
    ]
    return min(differences, key=len)


async def test_all_units_are_there_and_nothing_was_wrong_with_them(
    served: Served,
) -> None:
    multis = {name for name in served.names if name.startswith(MULTI)}
    assert len(multis) == len(MODELS)
    assert SYSTEM in served.names
    nameless = [port_of(model) for model in MODELS if number_of(model) is None]
    said = [line for line in served.daemon.warnings() if ": warning: " not in line]
    assert sorted(said) == sorted(
        f"mppdbus.settings: the inverter at {port} has no number: it is known as "
        f"mppdbus_{port}, and only while it is plugged in there"
        for port in nameless
    )


async def test_the_system_adds_them_up(served: Served) -> None:
    shown = await served.watcher.values(SYSTEM)
    listed = {shown[f"/Devices/{n}/Service"] for n in range(len(MODELS))}
    assert listed == {name for name in served.names if name.startswith(MULTI)}
    assert (shown["/Connected"], shown["/Ac/ActiveIn/ActiveInput"]) == (1, 0)
    totals = {round(sum(each), 1) for each in some_sums("/Ac/Out/L1/P")}
    assert min(totals) <= shown["/Ac/Out/P"] <= max(totals)
    battery = await served.watcher.values(BATTERY)
    assert battery["/Soc"] == pytest.approx(mean_percent(), abs=5.0)
    assert abs(shown["/Soc"] - battery["/Soc"]) < 1.0  # read at two moments


def some_sums(path: str) -> list[list[float]]:
    """Return the smallest and the largest values that each unit may show, if any."""
    second = path.replace("/L1/", "/L2/")  # of a unit in split phase
    shown = [
        [row[path] if path in row else row[second] for row in expected(model)]
        for model in MODELS
    ]
    each = [values for values in shown if None not in values]
    return [[min(v) for v in each], [max(v) for v in each]]


def mean_percent() -> float:
    """Return the mean of what the units with a battery say of it."""
    each = [
        [float(now[10]) for now in recorded()[model]["QPIGS"] if float(now[8]) >= 5.0]
        for model in MODELS
    ]
    middles = [(min(percents) + max(percents)) / 2 for percents in each if percents]
    return sum(middles) / len(middles)
