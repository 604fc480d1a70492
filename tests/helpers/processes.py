"""The daemon and the simulator as processes of their own, as a user starts them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from helpers.bus import BusItemClient
from helpers.places import TESTS
from mppdbus.inverter.schedule import ONCE

LAUNCHER = (sys.executable, str(TESTS / "helpers" / "launcher.py"))
# MPPDBUS_VENUS is the image of Venus OS whose standard library all have to do with.
VENUS = os.environ.get("MPPDBUS_VENUS")
MPPDBUS = (
    (*LAUNCHER, "--venus", VENUS, "--") if VENUS else (sys.executable, "-m", "mppdbus")
)
# The two minutes after which a silent unit leaves the bus and the sums.
HURRIED = (
    *LAUNCHER,
    *("--set", "mppdbus.venus.unit_service.AWAY=6"),
    *("--set", "mppdbus.model.site.SILENT_S=6"),
    "--",
)
DBUS = "org.freedesktop.DBus"
FAST = ("--baud", "19200", "--think", "0.01")  # a line on which little is waited for
UNITS = ("com.victronenergy.multi.", "com.victronenergy.inverter.")


class Program:
    """A running program; all that it says goes to `log`."""

    def __init__(
        self, argv: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(env or {})},
            )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end; return its exit code, negative if it had to be killed."""
        self._process.terminate()
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()


async def until(
    check: Callable[[], Awaitable[object]],
    what: Callable[[], str],
    seconds: float = 120,
) -> None:
    """Wait until `check` is true; fail with `what` after `seconds`."""
    end = asyncio.get_running_loop().time() + seconds
    while not await check():
        assert asyncio.get_running_loop().time() < end, what()
        await asyncio.sleep(0.1)


class Simulated(Program):
    """`mppdbus simulate` on a pty, told what to be through its control channel."""

    def __init__(self, folder: Path, name: str, *words: str) -> None:
        self.port = folder / name
        self._control = folder / f"{name}.control"
        where = ["--pty", str(self.port), "--control", f"unix:{self._control}"]
        argv = [*MPPDBUS, "simulate", *where, "--chunk", "16", *words]
        super().__init__(argv, folder / f"{name}.log")

    async def ready(self) -> None:
        """Wait until it can be told something."""

        async def listens() -> bool:
            assert self.running, self.said
            return self._control.exists()

        await until(listens, lambda: self.said)

    async def tell(self, *lines: str) -> str:
        """Send control lines, all at once; return the last answer behind "ok"."""
        reader, writer = await asyncio.open_unix_connection(self._control)
        writer.write("".join(f"{line}\n" for line in lines).encode())
        for line in lines:
            answer = (await reader.readline()).decode().strip()
            assert answer.startswith("ok"), f"{line}: {answer}"
        writer.close()
        await writer.wait_closed()
        return answer.removeprefix("ok").strip()


class Wanted(NamedTuple):
    """An inverter to simulate: its scene, and lines for its `[[inverter]]`.

    `words` are further arguments of `mppdbus simulate`.
    """

    scene: str
    lines: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class Plant(NamedTuple):
    """What runs: simulators, the daemon on them, and a client of the bus.

    `services` are the bus names of the units, in alphabetical order.
    """

    simulated: list[Simulated]
    daemon: Program
    client: BusItemClient
    services: list[str]


def daemon(
    folder: Path,
    address: str,
    units: Iterable[str],
    battery: str = "",
    program: Sequence[str] = MPPDBUS,
) -> Program:
    """Start `mppdbus run`; `units` are the lines of one `[[inverter]]` each.

    `battery` are those of `[battery]`; `program` is what `mppdbus` is.
    """
    config = folder / "config.toml"
    tables = "\n".join(f"[[inverter]]\n{unit}" for unit in units)
    head = f'[dbus]\nbus = "{address}"\n\n[battery]\n{battery}\n'
    config.write_text(f"{head}\n{tables}\n")
    argv = [*program, "run", "--config", str(config), "--log-level", "INFO"]
    env = {"MPPDBUS_STATE": str(folder / "state")}
    return Program(argv, folder / "daemon.log", env=env)


async def names(client: BusItemClient) -> set[str]:
    """Return the Victron services on the bus of `client`."""
    reply = await client.call(
        "/org/freedesktop/DBus", "ListNames", interface=DBUS, destination=DBUS
    )
    return {name for name in reply.body[0] if name.startswith("com.victronenergy.")}


async def wait_for_units(
    client: BusItemClient, program: Program, count: int = 1
) -> list[str]:
    """Wait until `count` units are on the bus; return their names, sorted."""
    found: list[str] = []

    async def there() -> bool:
        assert program.running, program.said
        found[:] = sorted(n for n in await names(client) if n.startswith(UNITS))
        return len(found) == count

    await until(there, lambda: f"only {found}\n{program.said}")
    return found


async def wait_until_learnt(simulated: Simulated) -> None:
    """Wait until the daemon has asked all that it asks once, and shows it."""
    asked: dict[str, int] = {}

    async def all_of_them() -> bool:
        asked.update(json.loads(await simulated.tell("requests")))
        return asked.keys() >= set(ONCE)

    await until(all_of_them, lambda: f"only {asked}")  # at 2400 baud
    polls = asked["QPIGS"]

    async def twice_more() -> bool:
        asked.update(json.loads(await simulated.tell("requests")))
        return asked["QPIGS"] > polls + 1

    await until(twice_more, lambda: f"only {asked}")


@asynccontextmanager
async def running(
    folder: Path, address: str, *wanted: Wanted, battery: str = ""
) -> AsyncIterator[Plant]:
    """Simulate inverters and run the daemon on them, all processes of their own.

    `battery` are the lines of the config's `[battery]`.
    """
    programs: list[Program] = []
    client = await BusItemClient.connect(address, "")
    try:
        simulated, units = [], []
        for number, one in enumerate(wanted):
            words = ("--scene", one.scene, *one.words)
            simulated.append(Simulated(folder, f"tty{number}", *words))
            programs.append(simulated[-1])
            port = f'port = "serial:{simulated[-1].port}"'
            units.append("\n".join([port, "poll = 0.6", *one.lines]))
        for one_of_them in simulated:
            await one_of_them.ready()
        programs.append(daemon(folder, address, units, battery))
        services = await wait_for_units(client, programs[-1], len(units))
        for one_of_them in simulated:
            await wait_until_learnt(one_of_them)
        yield Plant(simulated, programs[-1], client, services)
    finally:
        await client.close()
        for program in reversed(programs):
            program.stop()
