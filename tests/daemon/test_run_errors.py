"""What goes wrong is said in one line, once; only the user's own mistakes end it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from helpers.bus import PrivateBus, serving
from helpers.frames import counts, known_counts
from helpers.processes import MPPDBUS
from helpers.run import MULTI, SYSTEM, Daemon, Ports, Watcher, eventually
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.unit.recording import Recording

QPIGS = (
    "230.0 50.0 230.0 50.0 0500 0450 010 380 52.00 010 080 0035 02.0 150.0 00.00 00000 "
    "00010110 00 00 00300 110"
)
KNOWN = known_counts("QPIGS")
FEWER = next(n for n in (20, 19, 18) if n not in counts("QPIGS"))
GARBAGE = bytes.fromhex("00e0f81ce000fc00e4ffe01c0c00e0fce0")
IDENTITY = {"QPI": "PI30", "QMOD": "L"}


def unit(
    unrecorded: bytes | None = None, *, scene: str = "", **replies: str
) -> Simulator:
    """A unit that knows these replies; to all else it says `unrecorded`."""
    framed = {query: [encode_reply(reply)] for query, reply in replies.items()}
    source = Recording("odd", framed, unrecorded)
    simulator = Simulator(source, Scene(None, pace=Pace.instant()))
    simulator.scene.apply_script(scene)
    return simulator


NAK = encode_reply("NAK")
# name → the unit, and the one warning that it brings.
ODD: dict[str, tuple[Simulator | None, str]] = {
    "missing": (None, "does not exist; is the cable plugged in? present now: "),
    "mute": (unit(), "QPI: no reply within 1.0 s"),
    "garbage": (
        unit(GARBAGE),
        "QPI: 17 bytes, but no reply among them; wrong speed, a bad cable, or no",
    ),
    "noisy": (unit(NAK, scene="fault corrupt forever"), "QPI: bad checksum in "),
    "pi18": (
        unit(b"^0\x1b\xe3\r"),
        "QPI: the answer begins with ^: PI17 or PI18, not PI30",
    ),
    "pi34": (unit(NAK, QPI="PI34"), "QPI: the device speaks PI34, not PI30"),
    "deaf": (unit(NAK), "QPIGS: the inverter answered NAK: not supported, or not now"),
    "fewer": (
        unit(NAK, **IDENTITY, QPIGS=" ".join(QPIGS.split()[:3])),
        f"QPIGS: 3 fields where {KNOWN}; please send a recording",
    ),
    "another": (
        unit(NAK, **IDENTITY, QPIGS=QPIGS, QID="92932105100123"),
        "inverter 92932105100123 is here, but another is bound to 96332211223344",
    ),
}
# These work, with a remark.
STRANGE: dict[str, tuple[Simulator, str]] = {
    "words": (
        unit(NAK, **IDENTITY, QPIGS=QPIGS.replace(" 0450 ", " 04x0 ")),
        "field 6 (ac_output_active_power): '04x0' is not a number",
    ),
    "letter": (
        unit(NAK, QPI="PI30", QMOD="X", QPIGS=QPIGS),
        "QMOD: no document explains mode 'X'; the state is unknown",
    ),
    "more": (
        unit(NAK, **IDENTITY, QPIGS=f"{QPIGS} 0 00 0000 01.2" + 15 * " 1"),
        f"QPIGS: 40 fields where {KNOWN}; please send a recording",
    ),
    "less": (
        unit(NAK, **IDENTITY, QPIGS=" ".join(QPIGS.split()[:FEWER])),
        f"QPIGS: {FEWER} fields where {KNOWN}; please send a recording",
    ),
}


class Served(NamedTuple):
    folder: Path
    bus: PrivateBus
    watcher: Watcher
    ports: Ports
    daemon: Daemon
    holder: subprocess.Popen[bytes]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A daemon with all of them, and one good unit whose port another program has."""
    folder = tmp_path_factory.mktemp("errors")
    bus = PrivateBus(folder)
    bus.start()
    async with Ports.below(folder) as ports, Watcher.on(bus.address) as watcher:
        for name, (simulator, _) in {**ODD, **STRANGE}.items():
            if simulator is not None:
                await ports.add(name, simulator)
        await ports.add("busy")
        with (folder / "busy").open() as port:
            holder = subprocess.Popen(["sleep", "600"], stdin=port)
        units = [ports.unit(name) for name in (*ODD, *STRANGE, "busy")]
        units = [
            text + '\nserial = "96332211223344"' if "another" in text else text
            # A busy machine answers late, which would be another warning.
            for text in (
                text.replace("timeout = 0.2", "timeout = 1.0") for text in units
            )
        ]
        daemon = Daemon(folder, bus.address, units)
        try:
            yield Served(folder, bus, watcher, ports, daemon, holder)
        finally:
            holder.kill()
            holder.wait()
            daemon.stop()
            bus.stop()


def warnings_of(daemon: Daemon, name: str) -> list[str]:
    start = f"mppdbus.{name}: "
    return [w.removeprefix(start) for w in daemon.warnings() if w.startswith(start)]


module_loop = pytest.mark.asyncio(loop_scope="module")
together = pytest.mark.xdist_group("errors")  # they share one run of the daemon


@together
@module_loop
async def test_a_port_that_another_program_has(served: Served) -> None:
    path, pid = served.folder / "busy", served.holder.pid
    await served.daemon.says("is in use by")
    [warning] = warnings_of(served.daemon, "busy")
    assert warning.startswith(f"{path} is in use by ")
    assert f"{pid}" in warning
    assert "sleep 60" in warning
    served.holder.kill()
    served.holder.wait()
    await served.watcher.wait(MULTI + "92932105100123", {"/Ac/Out/L1/P": ...})
    assert len(warnings_of(served.daemon, "busy")) == 1


@together
@module_loop
@pytest.mark.parametrize("name", ODD)
async def test_one_line_says_what_is_wrong_with_a_port(
    served: Served, name: str
) -> None:
    await eventually(lambda: warnings_of(served.daemon, name))
    await eventually(lambda: tried(served, name) > 1 or name in ("pi18", "pi34"))
    [warning] = warnings_of(served.daemon, name)
    assert ODD[name][1] in warning
    assert MULTI + name not in await served.watcher.names()


def tried(served: Served, name: str) -> int:
    """How often the port was opened, as far as the unit can tell."""
    port = served.ports.ptys.get(name)
    if port is None:
        return 2
    requests = port._simulator.scene.requests
    return requests["QPI"] // (1 if requests["QMOD"] or name == "another" else 2)


@together
@module_loop
@pytest.mark.parametrize("name", STRANGE)
async def test_what_is_strange_but_readable_is_shown_with_one_remark(
    served: Served, name: str
) -> None:
    # A unit without a number is called after its port.
    shown = await served.watcher.wait(
        MULTI + name, {"/NrOfTrackers": 1, "/Connected": 1, "/Dc/0/Current": ...}
    )
    load = None if name == "words" else 450.0
    assert (shown["/Ac/Out/L1/P"], shown["/Dc/0/Current"]) == (load, 10.0)
    assert (shown["/State"] == 255) == (name in ("letter", "less"))
    assert (shown["/Mode"] is None) == (name == "letter")
    assert (shown["/Ac/In/1/L1/P"] is None) == (name in ("letter", "words"))
    [warning] = warnings_of(served.daemon, name)
    assert STRANGE[name][1] in warning
    of_names = warnings_of(served.daemon, "settings")
    [lasting] = [w for w in of_names if f" {name} " in w]
    assert lasting == (
        f"the inverter at {name} has no number: it is known as mppdbus_{name}, and "
        "only while it is plugged in there"
    )


@together
@module_loop
async def test_a_layout_that_nobody_knows_is_not_asked_twice_each_time(
    served: Served,
) -> None:
    requests = served.ports.ptys["more"]._simulator.scene.requests
    await eventually(lambda: requests["QMOD"] >= 10)
    # Twice each time would be 20; on a busy machine some are asked again all the same.
    assert requests["QPIGS"] <= 1.5 * requests["QMOD"] + 2


@together
@module_loop
async def test_nothing_of_it_is_fatal_or_a_traceback(served: Served) -> None:
    daemon = served.daemon
    names = {f"mppdbus.{name}" for name in (*ODD, *STRANGE, "busy", "settings")}
    await eventually(lambda: {w.split(":")[0] for w in daemon.warnings()} >= names)
    assert {w.split(":")[0] for w in daemon.warnings()} == names
    assert daemon.running
    assert "Traceback" not in daemon.said


@together
@module_loop
async def test_a_second_daemon_is_told_who_the_first_is(served: Served) -> None:
    """It waits for the shared name, and its unit comes to the bus meanwhile."""
    await served.ports.add("late", "max-8000")
    lines = [served.ports.unit("late")]
    second = Daemon(served.folder, served.bus.address, lines, "second")
    try:
        line = await second.says(f"{SYSTEM} is taken on this bus by ")
        assert f"pid {served.daemon.pid}" in line
        assert "stop that program" in line
        await served.watcher.wait(MULTI + "96342107100456", {"/Ac/Out/L1/P": ...})
        assert len(second.warnings()) == 1
        assert await second.terminate() == 0
    finally:
        second.stop()


# -- mistakes of the user: exit code 2, before anything is opened ---------------------


CONFIG = """
[dbus]
bus = "unix:path=/nowhere"
[[inverter]]
port = "/dev/ttyUSB0"
poll_intervall = 2
[[inverter]]
port = "/dev/ttyUSB0"
poll = 0.1
baud = "fast"
"""


async def end_of(folder: Path, config: str | None) -> tuple[int, list[str]]:
    path = folder / "config.toml"
    if config is not None:
        path.write_text(config)
    process = await asyncio.create_subprocess_exec(
        *(*MPPDBUS, "run", "--config", str(path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert out == b""
    assert process.returncode is not None
    return process.returncode, err.decode().splitlines()


async def test_every_mistake_of_a_config_in_a_line(tmp_path: Path) -> None:
    code, lines = await end_of(tmp_path, CONFIG)
    assert code == 2
    wanted = ("poll_intervall", "inverter[2].port", "0.1", "baud")
    assert len(lines) == len(wanted)
    for word in wanted:
        [line] = [each for each in lines if word in each]
        assert str(tmp_path / "config.toml") in line


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (None, "no such file; copy config.example.toml there"),
        ('[dbus]\nbus = "session"\n[[inverter]]\nport = "/dev/x"', "no session bus"),
    ],
)
async def test_no_config_and_no_address_of_a_bus(
    tmp_path: Path, config: str | None, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    code, [line] = await end_of(tmp_path, config)
    assert code == 2
    assert line.startswith("mppdbus: ")
    assert text in line


async def test_a_bus_that_is_not_there_yet(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    """It is waited for, with one line; and a signal ends the waiting."""
    private_bus.stop()
    async with Ports.below(tmp_path) as ports:
        await ports.add("tty")
        with Daemon(tmp_path, private_bus.address, [ports.unit("tty")]) as daemon:
            await daemon.says(f"no D-Bus at {private_bus.address}")
            assert await daemon.terminate() == 0
        daemon.log.unlink()
        with Daemon(tmp_path, private_bus.address, [ports.unit("tty")]) as daemon:
            await daemon.says(f"no D-Bus at {private_bus.address}")
            private_bus.start()
            async with Watcher.on(private_bus.address) as watcher:
                await watcher.wait(MULTI + "92932105100123", {"/Ac/Out/L1/P": ...})
            assert len(daemon.warnings()) == 1
            assert await daemon.terminate() == 0


async def test_a_name_that_is_taken_ends_nothing(
    tmp_path: Path, bus_address: str
) -> None:
    taken, other = MULTI + "92932105100123", MULTI + "96342107100456"
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        await ports.add("tty")
        await ports.add("well", "max-8000", "load 700")
        units = [ports.unit("tty"), ports.unit("well")]
        async with serving(bus_address, [], name=taken):
            daemon = Daemon(tmp_path, bus_address, units)
            await daemon.says(f"{taken} is taken on ")
            await watcher.wait(other, {"/Ac/Out/L1/P": 700.0})
            await watcher.wait(SYSTEM, {"/Connected": 1})
        await watcher.wait(taken, {"/Ac/Out/L1/P": ...})
        assert await daemon.terminate() == 0
        assert len(daemon.warnings()) == 1
        assert "Traceback" not in daemon.said


async def test_a_state_folder_that_cannot_be_used(
    tmp_path: Path, bus_address: str
) -> None:
    """It is told once for all files; and again that the trouble is over."""
    state = tmp_path / "state"
    state.write_text("a file where a folder belongs")
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        await ports.add("tty")
        await ports.add("other", "max-8000")
        units = [ports.unit("tty"), ports.unit("other")]
        with Daemon(tmp_path, bus_address, units) as daemon:
            for serial in ("92932105100123", "96342107100456"):
                await watcher.wait(MULTI + serial, {"/Yield/User": ...})
            assert await daemon.terminate() == 0
            [warning] = daemon.warnings()
            assert "not stored: Not a directory, as all of " in warning
            assert str(state) in warning
