"""What is on a real D-Bus, seen by the watcher, the monitor and the demo."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from helpers.bus import PrivateBus
from helpers.commands import MPPDBUS, cli, command
from mppdbus.commands.view.sources import BusSource
from mppdbus.errors import BusError
from mppdbus.venus.dbus.client import BusClient, Change
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.dbus.service import Service

MULTI = "com.victronenergy.multi.x"
ITEMS = [
    Item("/Connected", ItemType.INT),
    Item("/Ac/Out/L1/P", ItemType.DOUBLE),
    Item("/Dc/0/Voltage", ItemType.DOUBLE),
    Item("/Yield/Power", ItemType.DOUBLE),
    Item("/Alarms/Overload", ItemType.INT),
    Item("/CustomName", ItemType.TEXT),
]
LIVE: dict[str, Value] = {
    "/Connected": 1,
    "/Ac/Out/L1/P": 500.0,
    "/Dc/0/Voltage": 52.0,
    "/Yield/Power": 800.0,
    "/Alarms/Overload": 0,
    "/CustomName": "garage",
}


async def served(address: str, name: str = MULTI, **values: Value) -> Service:
    service = Service(name, ITEMS, address=address)
    service.update({**LIVE, **values})
    await service.start()
    return service


class Heard:
    """The changes of a watcher, one at a time."""

    def __init__(self, watcher: BusClient) -> None:
        self._changes = watcher.changes()

    async def next(self) -> Change:
        async with asyncio.timeout(30):
            return await anext(self._changes)


# -- the watcher ---------------------------------------------------------------------


async def test_services_that_are_there_come_and_go(bus_address: str) -> None:
    first = await served(bus_address)
    watcher = await BusClient.open(bus_address)
    heard = Heard(watcher)
    assert watcher.services() == [MULTI]
    assert watcher.snapshot(MULTI) == LIVE
    assert await heard.next() == Change(MULTI, LIVE)
    second = await served(bus_address, "com.victronenergy.inverter.y")
    assert (await heard.next()).service == "com.victronenergy.inverter.y"
    first.update({"/Ac/Out/L1/P": 700.0, "/Yield/Power": None})
    change = await heard.next()
    assert change == Change(MULTI, {"/Ac/Out/L1/P": 700.0, "/Yield/Power": None})
    assert watcher.snapshot(MULTI)["/Ac/Out/L1/P"] == 700.0
    await second.close()
    assert await heard.next() == Change("com.victronenergy.inverter.y", None)
    assert watcher.snapshot("com.victronenergy.inverter.y") == {}
    await watcher.close()
    await first.close()


async def test_the_end_of_the_bus_is_an_error(private_bus: PrivateBus) -> None:
    watcher = await BusClient.open(private_bus.address)
    private_bus.stop()
    with pytest.raises(BusError, match="hung up"):
        await Heard(watcher).next()
    await watcher.close()


async def test_no_bus_at_all(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="no D-Bus at unix:path="):
        await BusClient.open(f"unix:path={tmp_path}/none")


async def test_a_service_that_does_not_answer_is_left_out(bus_address: str) -> None:
    from dbus_fast.aio import MessageBus

    mute = await MessageBus(bus_address=bus_address).connect()
    await mute.request_name("com.victronenergy.vebus.mute")  # no objects behind it
    watcher = await BusClient.open(bus_address)
    assert watcher.services() == []
    await watcher.close()
    mute.disconnect()
    await mute.wait_for_disconnect()  # type: ignore[no-untyped-call]


# -- the source ----------------------------------------------------------------------


async def test_the_pictures_of_a_bus(bus_address: str) -> None:
    watcher = await BusClient.open(bus_address)
    source = BusSource(watcher, None)
    assert source.pictures()[0].name == "no inverter on this bus yet"
    following = asyncio.create_task(source.run())
    service = await served(bus_address)
    system = await served(bus_address, "com.victronenergy.acsystem.x")
    while not (source.complete and len(watcher.services()) == 2):
        source.changed.clear()
        async with asyncio.timeout(30):
            await source.changed.wait()
    pictures = source.pictures()
    assert [one.where for one in pictures] == [MULTI]  # the system is not one more
    assert (pictures[0].name, pictures[0].load_power) == ("garage", 500.0)
    source.changed.clear()
    await service.close()
    while source.pictures()[0].silent is None:
        async with asyncio.timeout(30):
            await source.changed.wait()
        source.changed.clear()
    assert source.pictures()[0].load_power is None
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    only = BusSource(watcher, "com.victronenergy.acsystem")
    assert [one.where for one in only.pictures()] == ["com.victronenergy.acsystem.x"]
    await watcher.close()
    await system.close()


# -- the monitor ---------------------------------------------------------------------


async def test_the_monitor_shows_a_bus(bus_address: str) -> None:
    service = await served(bus_address)
    line = ("monitor", "--once", "--json", "--bus", bus_address)
    done = await asyncio.to_thread(cli, *line)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["battery_voltage"] == 52.0
    await service.close()


def test_a_bus_without_inverters_and_no_bus(
    capsys: pytest.CaptureFixture[str],
    private_bus: PrivateBus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BusSource, "patience", 0.1)
    line = ("monitor", "--once", "--bus")
    assert command(capsys, *line, private_bus.address).code == 3
    private_bus.stop()
    assert command(capsys, *line, private_bus.address).code == 2
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    assert command(capsys, *line, "session").code == 2


# -- the demo ------------------------------------------------------------------------


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the demo puts its files, and nothing else; short enough for a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setenv("XDG_STATE_HOME", folder)  # where ours is, not the demo's
        monkeypatch.delenv("MPPDBUS_STATE", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


def processes_of(folder: Path) -> dict[int, str]:
    """Process id → command line, of those that have to do with a folder."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in words:
            found[int(path.parent.name)] = words
    return found


def test_one_picture_of_the_demo(
    capsys: pytest.CaptureFixture[str], scratch: Path
) -> None:
    said = command(capsys, "demo", "--once")
    assert said.code == 0, said.err
    took = re.search(r"first live value on the bus ([\d.]+) s after", said.out)
    assert took is not None
    assert 0 < float(took[1]) < 5
    assert f"bus     unix:path={scratch}" in said.out.replace("D-Bus ", "bus ")
    assert "--dest=com.victronenergy.multi.mppdbus_96342107100456" in said.out
    assert re.search(r"together +\d+ W", said.out)
    assert list(scratch.iterdir()) == []
    assert processes_of(scratch) == {}


def test_the_demo_in_lines(scratch: Path) -> None:
    """A picture a line; in the course of the day the mains are lost."""
    shown: list[str] = []
    with subprocess.Popen(
        [*MPPDBUS, "demo", "--speed", "6"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in islice(process.stdout, 2000):  # days, and not for ever
            if re.match(r"\d\d:\d\d:\d\d demo: ", line):
                shown.append(line)
            said = "".join(shown)
            if "grid 230.0 V" in said and "grid 0.0 V" in said:
                break
        process.terminate()
        assert process.wait(60) == 0
    assert "grid 0.0 V" in said
    assert len(shown) > 2
    assert list(scratch.iterdir()) == []
    assert processes_of(scratch) == {}


def test_the_demo_for_some_seconds(scratch: Path) -> None:
    done = cli("demo", "--seconds", "0.3")
    assert done.returncode == 0, done.stderr
    assert list(scratch.iterdir()) == []
    assert processes_of(scratch) == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_told_to_end_leaves_nothing(scratch: Path, number: int) -> None:
    with subprocess.Popen(
        [*MPPDBUS, "demo", "--json"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        assert where["bus"].startswith(f"unix:path={scratch}")
        assert len(processes_of(scratch)) == 3
        json.loads(process.stdout.readline())
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(60) == 0
        assert time.monotonic() - began < 10
    assert list(scratch.iterdir()) == []
    assert processes_of(scratch) == {}


@pytest.mark.parametrize(
    ("victim", "name"),
    [
        ("run --config", "mppdbus run"),
        ("simulate", "mppdbus simulate"),
        ("dbus-daemon", "dbus-daemon"),
    ],
)
def test_a_part_of_the_demo_that_dies_is_named(
    scratch: Path, victim: str, name: str
) -> None:
    with subprocess.Popen(
        [*MPPDBUS, "demo", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pids = [pid for pid, words in processes_of(scratch).items() if victim in words]
        assert len(pids) == 1
        os.kill(pids[0], signal.SIGKILL)
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 1
    assert f"mppdbus: {name} ended with -9" in complaint
    assert list(scratch.iterdir()) == []
    assert processes_of(scratch) == {}


def test_without_dbus_daemon_there_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    said = command(capsys, "demo")
    assert said.code == 2
    assert said.err == "mppdbus: dbus-daemon is not here; install the package dbus\n"


@pytest.mark.parametrize("words", [["--speed", "0"], ["--seconds", "nan"]])
def test_a_demo_that_makes_no_sense(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert command(capsys, "demo", *words).code == 2
