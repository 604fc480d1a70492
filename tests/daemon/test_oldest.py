"""The oldest dependencies, under the standard library of the oldest GX devices.

`./dev oldest` runs all tests so; here is what can be seen in seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from helpers.bus import PrivateBus
from helpers.places import ROOT, TESTS
from helpers.processes import LAUNCHER, MPPDBUS, daemon, until
from helpers.published import Tree, difference, steady
from helpers.run import Ports, Watcher

OLDEST = TESTS / "oldest.txt"
VENV = ROOT / ".venv-oldest-here"  # of the Python that runs the tests
PROFILES = ("max-8000", "lv5048", "axpert-5000")
SCENE = "pause; load 1500; grid on; pv 900; soc 70"
SERVICES = len(PROFILES) + 2  # with those of the system and of the battery


def wanted() -> list[str]:
    lines = OLDEST.read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_the_oldest_are_those_that_we_promise() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = dict(
        text.split(",")[0].split(">=") for text in project["dependencies"]
        if ">=" in text
    )  # fmt: skip
    oldest = dict(line.split("==") for line in wanted())
    assert oldest.keys() == bounds.keys()
    for name, version in oldest.items():
        assert f"{version}.".startswith(f"{bounds[name]}."), name


@pytest.fixture(scope="module")
def old_python() -> str:
    """Return a Python with the oldest dependencies, which is made once."""
    python, made = VENV / "bin" / "python", VENV / ".made"
    what = f"{sys.version}\n{OLDEST.read_text()}"
    if not made.exists() or made.read_text() != what:
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        pip: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "-r",
            OLDEST,
            "tzdata",
        ]
        subprocess.run(pip, check=True)
        made.write_text(what)
    return str(python)


async def tree(watcher: Watcher, folder: Path) -> Tree:
    """Return all that is shown, but for the order in which the units came."""
    found = {}
    for name in await watcher.names():
        values = steady(await watcher.values(name), str(folder))
        lists = {path for path in values if path.startswith("/Devices/")}
        found[name] = {path: values[path] for path in values.keys() - lists}
    return found


@pytest.mark.lengthy
async def test_they_show_the_same(
    tmp_path: Path, old_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    old = (old_python, *LAUNCHER[1:], "--venus", "ccgx", "--")
    async with AsyncExitStack() as stack:
        folders, watchers = [], []
        for name, mppdbus in (("new", MPPDBUS), ("old", old)):
            folder = tmp_path / name
            folder.mkdir()
            bus = PrivateBus(folder)
            bus.start()
            stack.callback(bus.stop)
            ports = await stack.enter_async_context(Ports.below(folder))
            for profile in PROFILES:
                await ports.add(profile, profile, SCENE)
            watchers.append(await stack.enter_async_context(Watcher.on(bus.address)))
            units = [ports.unit(profile) for profile in PROFILES]
            program = daemon(folder, bus.address, units, program=mppdbus)
            stack.callback(program.stop)
            folders.append(folder)
        seen: list[Tree] = []

        async def alike() -> bool:
            assert program.running, program.said
            seen[:] = [
                await tree(watcher, folder)
                for watcher, folder in zip(watchers, folders, strict=True)
            ]
            complete = all(len(each) == SERVICES for each in seen)
            return complete and not difference(*seen)

        await until(alike, lambda: f"{difference(*seen)}\n{program.said}")
        shown = [value for each in seen[1].values() for value in each.values()]
        assert len([value for value in shown if value is not None]) > 200
        assert program.stop() == 0
        assert "Traceback" not in program.said
