"""Programs that know nothing of us read a running daemon.

Whatever way a client reads a path, it gets what GetItems says.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from support_bus import ITEM, BusItemClient, PrivateBus
from support_processes import FAST, Wanted, names, running

SYSTEM_PYTHON = "/usr/bin/python3"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
SYSTEM = "com.victronenergy.acsystem.mppdbus"

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        shutil.which("busctl") is None or shutil.which("dbus-send") is None,
        reason="needs busctl (package systemd) and dbus-send (package dbus-bin)",
    ),
]


class Served(NamedTuple):
    """A daemon on a private bus whose inverters do not change any more."""

    address: str
    client: BusItemClient
    services: list[str]  # a multi, an inverter, and the acsystem

    async def items(self, service: str) -> dict[str, Any]:
        reader = BusItemClient(self.client.bus, service)
        return await reader.get_items()


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
            services = [*reversed(plant.services), SYSTEM]
            assert services[0].startswith("com.victronenergy.multi.")
            yield Served(bus.address, plant.client, services)
    finally:
        bus.stop()


async def run(*words: str) -> str:
    """Run a program to its end; it must not fail."""
    done = await asyncio.to_thread(
        subprocess.run, words, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


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
        items = await served.items(service)
        base = ("busctl", f"--address={served.address}", "--json=short", "call")
        for path, row in items.items():
            for member, wanted in (("GetValue", "Value"), ("GetText", "Text")):
                answer = await run(*base, service, path, ITEM, member)
                assert plain(json.loads(answer)["data"][0]) == row[wanted], path


async def test_busctl_reads_all_at_once(served: Served) -> None:
    for service in served.services:
        items = await served.items(service)
        base = ("busctl", f"--address={served.address}", "--json=short", "call")
        everything = json.loads(await run(*base, service, "/", ITEM, "GetItems"))
        assert everything["type"] == "a{sa{sv}}"
        assert plain(everything["data"][0]) == items
        values = json.loads(await run(*base, service, "/", ITEM, "GetValue"))
        assert plain(values["data"][0]) == {
            path[1:]: row["Value"] for path, row in items.items()
        }


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
        base = (
            "dbus-send",
            f"--bus={served.address}",
            "--print-reply",
            f"--dest={service}",
        )
        for path, row in (await served.items(service)).items():
            value = sent(await run(*base, path, f"{ITEM}.GetValue"))
            # It prints six significant digits of a double's fraction at most.
            assert value == pytest.approx(row["Value"]), path
            assert type(value) is type(row["Value"]), path
            assert sent(await run(*base, path, f"{ITEM}.GetText")) == row["Text"]


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
    words = (SYSTEM_PYTHON, "-c", DBUS_PYTHON, served.address, *served.services)
    read = json.loads(await run(*words))
    for service in served.services:
        items = await served.items(service)
        values = {path: row["Value"] for path, row in items.items()}
        assert read[service]["items"] == items
        assert read[service]["value"] == values
        assert read[service]["text"] == {p: row["Text"] for p, row in items.items()}
        assert read[service]["tree"] == {p[1:]: value for p, value in values.items()}


def _lacks_dbus_python() -> bool:
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import dbus"], capture_output=True, check=False
    )
    return done.returncode != 0
