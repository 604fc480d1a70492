"""Programs that know nothing of us read a running daemon.

Whatever way a client reads a path, it gets what GetItems says. The inverters stand
still, but energy is counted on: what differs is compared again.
"""

from __future__ import annotations

import asyncio
import json
import operator
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from helpers.bus import ITEM, BusItemClient, PrivateBus
from helpers.processes import FAST, Wanted, names, running
from helpers.run import BATTERY, SYSTEM

SYSTEM_PYTHON = "/usr/bin/python3"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
TRIES = 5  # to read the same twice
# Days that are like the others; one by one, some of them will do.
MORE_DAYS = re.compile(r"/History/Daily/(?!0/|1/|30/).*")

Items = dict[str, dict[str, Any]]  # path → Value, Text …

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("foreign"),  # they share one run of the daemon
    pytest.mark.skipif(
        shutil.which("busctl") is None or shutil.which("dbus-send") is None,
        reason="needs busctl (package systemd) and dbus-send (package dbus-bin)",
    ),
]


class Served(NamedTuple):
    """A daemon on a private bus whose inverters do not change any more."""

    address: str
    client: BusItemClient
    services: list[str]  # a multi, an inverter, the acsystem and the battery

    async def items(self, service: str) -> Items:
        reader = BusItemClient(self.client.bus, service)
        return await reader.get_items()

    async def agree(
        self,
        service: str,
        read: Callable[[], Awaitable[Any]],
        wanted: Callable[[Items], Any],
    ) -> None:
        """Compare what `read` gets with what is `wanted` of all items."""
        for _ in range(TRIES):
            got, items = await read(), await self.items(service)
            if got == wanted(items):
                return
        assert got == wanted(items)

    async def agree_on_each(
        self,
        service: str,
        read: Callable[[str, str], Awaitable[Any]],
        same: Callable[[Any, Any], bool] = operator.eq,
    ) -> None:
        """Compare what `read` gets by path and method, one by one."""
        items = await self.items(service)
        at_once = asyncio.Semaphore(4)

        async def agrees(path: str, method: str, name: str) -> None:
            wanted = items[path][name]
            async with at_once:
                got = await read(path, method)
                for _ in range(TRIES):
                    if same(got, wanted):
                        break
                    wanted = (await self.items(service))[path][name]
                    got = await read(path, method)
            assert same(got, wanted), (service, path, got, wanted)

        await asyncio.gather(
            *(
                agrees(path, method, name)
                for path, _ in one_by_one(items)
                for method, name in (("GetValue", "Value"), ("GetText", "Text"))
            )
        )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("foreign")
    bus = PrivateBus(folder)
    bus.start()
    wanted = (
        Wanted("scene mains+pv; warn 16 on; pause", (), FAST),
        Wanted("scene bat; pause", ('profile = "inverter"',), FAST),
    )
    try:
        async with running(folder, bus.address, *wanted) as plant:
            assert SYSTEM in await names(plant.client)
            services = [*reversed(plant.services), SYSTEM, BATTERY]
            assert services[0].startswith("com.victronenergy.multi.")
            yield Served(bus.address, plant.client, services)
    finally:
        bus.stop()


async def run(*words: str) -> str:
    """Run a program to its end; it must not fail."""
    done = await asyncio.to_thread(
        subprocess.run, words, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def one_by_one(items: Items) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((p, row) for p, row in items.items() if not MORE_DAYS.fullmatch(p))


def plain(value: Any) -> Any:  # noqa: ANN401 - of any type
    """Return a value out of busctl's JSON; an empty array is invalid."""
    if isinstance(value, dict) and value.keys() == {"type", "data"}:
        return plain(value["data"])
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return None if value == [] else value


# -- busctl ---------------------------------------------------------------------


async def test_busctl_tree_finds_every_path(served: Served) -> None:
    for service in served.services:
        items = await served.items(service)
        listed = await run(
            "busctl", f"--address={served.address}", "tree", "--list", service
        )
        paths = set(listed.split())
        inner = {"/"} | {
            path[:end]
            for path in items
            for end in range(1, len(path))
            if path[end] == "/"
        }
        assert paths == inner | set(items)


async def test_busctl_gets_every_value_and_text(served: Served) -> None:
    for service in served.services:

        async def read(path: str, method: str, service: str = service) -> Any:  # noqa: ANN401
            base = ("busctl", f"--address={served.address}", "--json=short", "call")
            answer = json.loads(await run(*base, service, path, ITEM, method))
            return plain(answer["data"][0])

        await served.agree_on_each(service, read)


async def test_busctl_reads_all_at_once(served: Served) -> None:
    for service in served.services:

        async def read(method: str, service: str = service) -> Any:  # noqa: ANN401
            base = ("busctl", f"--address={served.address}", "--json=short", "call")
            everything = json.loads(await run(*base, service, "/", ITEM, method))
            assert everything["type"] == ("a{sa{sv}}" if method == "GetItems" else "v")
            return plain(everything["data"][0])

        await served.agree(service, partial(read, "GetItems"), dict)
        await served.agree(service, partial(read, "GetValue"), relative)


def relative(items: Items) -> dict[str, Any]:
    """Return what GetValue of the root says."""
    return {path[1:]: row["Value"] for path, row in items.items()}


@pytest.mark.parametrize("path", ["/", "/Ac", "/Ac/Out/L1/P"])
async def test_busctl_introspects(served: Served, path: str) -> None:
    service = served.services[0]
    shown = await run(
        "busctl", f"--address={served.address}", "introspect", service, path, ITEM
    )
    methods = {line.split()[0] for line in shown.splitlines() if " method " in line}
    assert {".GetValue", ".GetText"} <= methods
    assert (".GetItems" in methods) is (path == "/")
    assert (".GetMin" in methods) is (path == "/Ac/Out/L1/P")


# -- dbus-send ------------------------------------------------------------------


def sent(printed: str) -> str | float | None:
    """Return the value of one printed variant of `dbus-send --print-reply`."""
    text = printed.split("\n", 1)[1].strip()
    if re.fullmatch(r"variant\s+array \[\s*\]", text):
        return None
    match = re.fullmatch(r'(?:variant\s+)?(int32|double|string) "?(.*?)"?', text)
    assert match is not None, text
    kinds: dict[str, type[str | float]] = {"int32": int, "double": float}
    return kinds.get(match[1], str)(match[2])


async def test_dbus_send_gets_every_value_and_text(served: Served) -> None:
    for service in served.services:

        async def read(path: str, method: str, service: str = service) -> Any:  # noqa: ANN401
            base = (f"--bus={served.address}", "--print-reply", f"--dest={service}")
            return sent(await run("dbus-send", *base, path, f"{ITEM}.{method}"))

        await served.agree_on_each(service, read, roughly)


def roughly(got: object, wanted: object) -> bool:
    """Tell whether they are equal and of one type.

    dbus-send prints six significant digits of a double's fraction at most.
    """
    number = isinstance(wanted, float)
    equal = got == (pytest.approx(wanted) if number else wanted)
    return equal and type(got) is type(wanted)


async def test_dbus_send_introspects_down_to_every_leaf(served: Served) -> None:
    service = served.services[0]
    wanted = set(await served.items(service))
    found: set[str] = set()
    todo = ["/"]
    while todo:
        path = todo.pop()
        xml = await run(
            "dbus-send",
            f"--bus={served.address}",
            "--print-reply=literal",
            f"--dest={service}",
            path,
            f"{INTROSPECTABLE}.Introspect",
        )
        children = [node.get("name") for node in ET.fromstring(xml).findall("node")]
        todo += [f"{path.rstrip('/')}/{child}" for child in children]
        if not children:
            found.add(path)
    assert found == wanted


# -- dbus-python ------------------------------------------------------------------

DBUS_PYTHON = f"""
import json, sys, dbus, dbus.bus
bus = dbus.bus.BusConnection(sys.argv[1])
def plain(value):
    if isinstance(value, dbus.Dictionary):
        return {{str(key): plain(each) for key, each in value.items()}}
    if isinstance(value, dbus.Array):
        return [plain(each) for each in value] or None
    for kind in (str, float, int):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(type(value))
result = {{}}
for service in sys.argv[2:]:
    def ask(path, member, **kwargs):
        # The proxy introspects, as most scripts do; without an interface it must work.
        proxy = bus.get_object(service, path)
        return plain(getattr(proxy, member)(**kwargs))
    items = ask("/", "GetItems", dbus_interface="{ITEM}")
    result[service] = {{
        "items": items,
        "value": {{p: ask(p, "GetValue", dbus_interface="{ITEM}") for p in items}},
        "text": {{p: ask(p, "GetText") for p in items}},
        "tree": ask("/", "GetValue"),
    }}
print(json.dumps(result))
"""


async def test_dbus_python_reads_the_same(served: Served) -> None:
    python = Path(SYSTEM_PYTHON)
    if not python.exists() or await asyncio.to_thread(_lacks_dbus_python):
        pytest.skip(f"{SYSTEM_PYTHON} has no dbus-python (package python3-dbus)")
    for service in served.services:

        async def read(service: str = service) -> Any:  # noqa: ANN401
            words = (SYSTEM_PYTHON, "-c", DBUS_PYTHON, served.address, service)
            return json.loads(await run(*words))[service]

        await served.agree(service, read, in_four_ways)


def in_four_ways(items: Items) -> dict[str, Any]:
    """Return what DBUS_PYTHON is to print of a service."""
    return {
        "items": items,
        "value": {path: row["Value"] for path, row in items.items()},
        "text": {path: row["Text"] for path, row in items.items()},
        "tree": relative(items),
    }


def _lacks_dbus_python() -> bool:
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import dbus"], capture_output=True, check=False
    )
    return done.returncode != 0
