"""mpp-solar, as it comes, reads our simulator; both must read the same from it.

The tables of what is called how, and of what differs and why, are in
tests/helpers/mppsolar.py; docs/mpp-solar.md shows the differences to people.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from helpers.mppsolar import (
    DIFFERENCES,
    FIELDS,
    NAMED_OTHERWISE,
    QUERIES,
    STATUS_2_BITS,
    STATUS_BITS,
    WARNING_BITS,
    Value,
    ours,
    theirs,
)
from helpers.places import ROOT, TESTS
from mppdbus.control.journal import Journal
from mppdbus.control.known_unit import InterviewedUnit
from mppdbus.control.settings import QUERIES as SETTINGS_QUERIES
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import ControlLevel
from mppdbus.errors import Refused
from mppdbus.inverter.detection import Interview
from mppdbus.inverter.detection import linked as opened
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.link import Link
from mppdbus.protocol.explain import explain
from mppdbus.protocol.framing import checksum
from mppdbus.protocol.replies.fields import Reading
from mppdbus.simulator.line.faults import Faults
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_pty
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.profiles import PROFILES
from mppdbus.simulator.unit.recording import Recording, load
from mppdbus.simulator.unit.settings import ChargerPriority, OutputPriority
from mppdbus.transport import open_transport
from mppdbus.transport.port_url import parse_port

MPP_SOLAR = Path(sys.executable).with_name("mpp-solar")
FRAMES = TESTS / "frames" / "frames.jsonl"
PAGE = ROOT / "docs" / "mpp-solar.md"

pytestmark = pytest.mark.skipif(
    not MPP_SOLAR.exists(), reason="needs mpp-solar: pip install mppsolar==0.16.56"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder without "test" in its path: with it mpp-solar serves canned data."""
    path = Path(tempfile.mkdtemp(prefix="pi30-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


def pace() -> Pace:
    """Faster than a real line; mpp-solar gives a reply one second on any line."""
    return Pace(baud=19200.0, think=0.01, chunk=16)


async def mpp_solar(port: Path, kind: str, *queries: str) -> dict[str, dict[str, Any]]:
    """Run the real program; return what it printed for each query."""
    process = await asyncio.create_subprocess_exec(
        *(str(MPP_SOLAR), "-p", str(port), "--porttype", kind, "-b", "2400"),
        *("-P", "PI30", "-c", "#".join(queries), "-o", "json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    lines = [json.loads(line) for line in out.decode().splitlines() if line[:1] == "{"]
    assert len(lines) == len(queries), out.decode()
    return dict(zip(queries, lines, strict=True))


async def our_own(port: Path, *queries: str) -> tuple[Inverter, dict[str, Reading]]:
    """Read the same with the driver; a refused query is left out."""
    link = Link("bench", patience=0.5)
    link.attach(await open_transport(f"serial:{port}", link))
    inverter = Inverter("bench", link, asyncio.get_running_loop().time)
    read: dict[str, Reading] = {}
    try:
        for query in ("QMN", "QVFW", "QGMN", *queries):
            try:
                read[query] = await inverter.read(query)
            except Refused:
                continue
        inverter.refine()
    finally:
        await link.close()
    return inverter, read


def disagreements(
    query: str, printed: dict[str, Any], reading: Reading
) -> tuple[set[str], set[str]]:
    """Return the keys on which both agree, and those on which they do not."""
    left, right = theirs(query, printed), ours(reading)
    keys = left.keys() | right.keys()
    nothing = object()
    agreed = {k for k in keys if left.get(k, nothing) == right.get(k, nothing)}
    return agreed, keys - agreed


def titles(query: str, keys: set[str]) -> set[str]:
    """Return the differences that these keys are about; each must have one."""
    found = set()
    for key in keys:
        about = [d.title for d in DIFFERENCES if d.covers(query, key)]
        assert len(about) == 1, f"{query} {key}: an unexplained difference: {about}"
        found.add(about[0])
    return found


# -- simulated ------------------------------------------------------------------------

VM3 = PROFILES["axpert-5000"]
SET_OTHERWISE = replace(
    VM3,
    settings=replace(
        VM3.settings,
        battery_type=7,
        input_range=1,
        output_priority=OutputPriority.BATTERY,
        charger_priority=ChargerPriority.ONLY_SOLAR,
        output_mode=3,
        pv_ok_all=1,
        pv_balance=0,
        redischarge_v=0.0,
        max_ac_charge_a=2,
        flags=frozenset("buvz"),
    ),
)

# The titles of differences.
WARNINGS, FLAGS = "QPIWS a0, a13, a30 and up", "QFLAG letters"
STATUS_TAIL, RATINGS_TAIL = "QPIGS words 22 to 25", "QPIRI words 28 and 29"
CLONE_TAIL = "QPIRI tail of clones"
NO_PARALLEL, TRACKERS = "QPIRI max parallel units -", "QPIRI machine type 11 and 20"


@dataclass(frozen=True, slots=True)
class Case:
    """An inverter, and the titles of the differences that it shows."""

    name: str
    simulator: Callable[[], Simulator]
    differs: set[str]
    queries: tuple[str, ...] = QUERIES


def simulated(name: str, profile: UnitProfile, scene: str, *differs: str) -> Case:
    def make() -> Simulator:
        return simulate(profile, pace=pace(), scene=f"{scene}; pause")

    return Case(name, make, {*differs})


def recorded(model: str, *differs: str) -> Case:
    known = load(FRAMES, model).replies
    queries = tuple(query for query in QUERIES if query in known)

    def make() -> Simulator:
        first = {query: known[query][:1] for query in queries}
        return Simulator(Recording(model, first), Scene(None, Faults(), pace()))

    return Case(model, make, {*differs}, queries)


def of(profile: str, scene: str, *differs: str) -> Case:
    return simulated(profile, PROFILES[profile], scene, *differs)


WARN = "; ".join(f"warn {bit} on" for bit in (2, 6, 9, 12, 15, 18, 24, 29, 33))
CASES = (
    simulated("on mains", VM3, f"scene mains+pv; {WARN}", WARNINGS),
    simulated("on battery", VM3, "scene bat; load 1234 1301", WARNINGS),
    simulated("a fault", VM3, "fault 09", WARNINGS),
    simulated("set otherwise", SET_OTHERWISE, "grid on 221.7 49.8; pv 0", WARNINGS),
    of("ms-3000-17", "scene mains", WARNINGS, NO_PARALLEL),
    of("plus-tri-5000", "pv 500 300 200", WARNINGS, TRACKERS, FLAGS),
    of("king-5000", "temperature 61", WARNINGS, FLAGS),
    of("vm4-3200", "soc 43", WARNINGS, STATUS_TAIL),
    of("max-8000", "pv 1000 700", WARNINGS, RATINGS_TAIL),
    of("phocos-5000", "scene bat+pv", WARNINGS, STATUS_TAIL, RATINGS_TAIL, FLAGS),
    of("nxpw-4200", "pv 900", WARNINGS, CLONE_TAIL, RATINGS_TAIL, FLAGS),
    recorded("OPTI-Solar SP5000 Efecto", WARNINGS),
    recorded("PowMr/clone 4.2 kW 24V", CLONE_TAIL, RATINGS_TAIL, FLAGS),
    recorded("EAsun iSolar SMH 3K", NO_PARALLEL, "QPIRI charger priority 4"),
    recorded("EASUN 8kW (MKS2-8000)", "QMOD C, D, E"),
)
NOT_IN_A_CASE = {"a checksum byte 00 in a reply"}  # a test of its own


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_both_read_the_same(folder: Path, case: Case) -> None:
    simulator = case.simulator()
    found: set[str] = set()
    async with serve_pty(simulator, folder / "tty"):
        printed = await mpp_solar(folder / "tty", "serial", *case.queries)
        asked = {query: simulator.scene.requests[query] for query in case.queries}
        # One of each: nothing came from elsewhere, nothing was asked again. (Where
        # mpp-solar cannot decode the reply it gives up at once, too.)
        assert asked == dict.fromkeys(case.queries, 1)
        _, read = await our_own(folder / "tty", *case.queries)
    for query in case.queries:
        _, differing = disagreements(query, printed[query], read[query])
        found |= titles(query, differing)
    assert found == case.differs


def test_every_difference_has_a_case_and_a_line_in_the_documentation() -> None:
    shown = set().union(*(case.differs for case in CASES)) | NOT_IN_A_CASE
    assert shown == {difference.title for difference in DIFFERENCES}
    lines = PAGE.read_text().splitlines()
    for difference in DIFFERENCES:
        row = f"| {difference.title} | {difference.right} | {difference.why} |"
        assert row in lines
    for name, meaning in NAMED_OTHERWISE.items():
        assert f"| `{name}` | {meaning} |" in lines


async def test_nothing_that_both_know_is_left_out(folder: Path) -> None:
    """On a full set of replies they agree on every key that mpp-solar has."""
    simulator = CASES[0].simulator()
    async with serve_pty(simulator, folder / "tty"):
        printed = await mpp_solar(folder / "tty", "serial", *QUERIES)
        inverter, read = await our_own(folder / "tty", *QUERIES)
    agreed = {q: disagreements(q, printed[q], read[q])[0] for q in QUERIES}
    assert agreed["QPI"] == {"protocol_id"}
    assert agreed["QID"] == {"serial_number"}
    assert agreed["QMOD"] == {"device_mode"}
    assert agreed["QPIGS"] == {*FIELDS["QPIGS"], *STATUS_BITS, *STATUS_2_BITS}
    assert len(agreed["QPIRI"]) == 25
    assert agreed["QPIWS"] == {*WARNING_BITS}
    assert len(agreed["QFLAG"]) == 8
    # One bit of which only the name differs: this is a VM III.
    assert printed["QPIGS"]["is_sbu_priority_version_added"] == 1
    names = explain(read["QPIGS"], inverter.dialect)["flags"]
    assert "pv_or_ac_feeds_load" in names
    assert "sbu_priority_version_added" not in names


async def test_mpp_solar_drops_a_reply_with_a_zero_in_its_checksum(
    folder: Path,
) -> None:
    simulator = simulate(VM3, pace=pace(), scene="pause")
    source = simulator.source

    def has_zero() -> bool:
        reply = source.reply("QPIGS")
        return reply is not None and 0 in checksum(reply[:-3])

    load_w = next(
        w for w in range(100, 2000) if simulator.scene.apply(f"load {w}") and has_zero()
    )
    async with serve_pty(simulator, folder / "tty"):
        printed = await mpp_solar(folder / "tty", "serial", "QPIGS")
        _, read = await our_own(folder / "tty", "QPIGS")
    assert printed["QPIGS"]["validity_check"] == "Error: Invalid response CRCs"
    assert ours(read["QPIGS"])["ac_output_active_power"] == load_w


async def test_both_read_the_same_over_hid(folder: Path) -> None:
    simulator = CASES[0].simulator()
    async with serve_pty(simulator, folder / "hidraw0", hid=True):
        printed = await mpp_solar(folder / "hidraw0", "hidraw", "QMOD", "QPIRI")
    async with serve_pty(simulator, folder / "tty"):
        _, read = await our_own(folder / "tty", "QMOD", "QPIRI")
    for query in ("QMOD", "QPIRI"):
        assert disagreements(query, printed[query], read[query])[1] == set()


async def test_a_wrong_value_would_be_seen(folder: Path) -> None:
    simulator = CASES[0].simulator()
    async with serve_pty(simulator, folder / "tty"):
        printed = await mpp_solar(folder / "tty", "serial", "QPIGS")
        simulator.scene.apply_script("load 777")
        _, read = await our_own(folder / "tty", "QPIGS")
    _, differing = disagreements("QPIGS", printed["QPIGS"], read["QPIGS"])
    assert "ac_output_active_power" in differing
    with pytest.raises(AssertionError, match="unexplained"):
        titles("QPIGS", differing)


# -- written by us, read by them -------------------------------------------------------

# Setting → what is written, mpp-solar's query and key, and its word or number.
WRITTEN: dict[str, tuple[str | float, str, str, Value]] = {
    "output_source_priority": ("SBU", "QPIRI", "output_source_priority", 2),
    "charger_source_priority": ("Only solar", "QPIRI", "charger_source_priority", 3),
    "max_charging_current": (50, "QPIRI", "max_charging_current", 50),
    "max_ac_charging_current": (20, "QPIRI", "max_ac_charging_current", 20),
    "input_voltage_range": ("UPS", "QPIRI", "input_voltage_range", 1),
    "battery_bulk_voltage": (57.2, "QPIRI", "battery_bulk_charge_voltage", 57.2),
    "battery_float_voltage": (54.3, "QPIRI", "battery_float_charge_voltage", 54.3),
    "battery_recharge_voltage": (47, "QPIRI", "battery_recharge_voltage", 47.0),
    "buzzer": ("off", "QFLAG", "buzzer", False),
    "overload_restart": ("on", "QFLAG", "overload_restart", True),
}


async def test_mpp_solar_beside_us_sees_what_we_wrote(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mppdbus.control.write.LATER", 0.0)
    simulator, at = simulate("axpert-5000", pace=pace()), folder / "theirs"
    async with (
        serve_pty(simulator, folder / "ours"),
        serve_pty(simulator, at),
        opened(parse_port(f"{folder}/ours")) as link,
    ):
        interview = Interview(link)
        for query in ("QPI", "QMN", "QGMN", "QVFW", *SETTINGS_QUERIES):
            await interview.try_read(query)
        found = interview.answers.identification
        unit = InterviewedUnit("bench", link, interview, found)
        control = UnitControl(unit, Journal(folder), level=ControlLevel.FULL)
        for name, (value, *_) in WRITTEN.items():
            assert (await control.set(name, value, by="a test", confirmed=True)).done
        printed = await mpp_solar(at, "serial", "QPIRI", "QFLAG")
    read = {query: theirs(query, said) for query, said in printed.items()}
    for name, (_, query, key, shown) in WRITTEN.items():
        assert read[query][key] == shown, name
