"""Rules of the config act on a running daemon's inverter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from helpers.processes import LAUNCHER
from helpers.run import MULTI, Daemon, Ports, Watcher, eventually
from mppdbus.simulator.line.simulator import Simulator

IN_A_HURRY = (
    *LAUNCHER,
    *("--set", "mppdbus.control.rules.MINUTE=0.2"),
    *("--set", "mppdbus.control.journal.APART=1"),
    *("--set", "mppdbus.control.write.LATER=0.1"),
    *("--set", "mppdbus.daemon.rule_runner.PATIENT=5"),
    "--",
)
SAFE = 'control = "safe"'
ALWAYS = """
[[rule]]
name = "battery"
setting = "output_source_priority"
value = "SBU"
"""
MAINS = """
[[rule]]
name = "outage"
setting = "buzzer"
value = "off"
grid = false
minutes = 1
[[rule]]
name = "mains"
setting = "buzzer"
value = "on"
grid = true
minutes = 1
"""


def sent(unit: Simulator) -> list[str]:
    """Return the setters that reached the unit, with their number."""
    return [
        f"{command} {count}"
        for command, count in unit.scene.requests.items()
        if command.startswith("P")
    ]


def journal(folder: Path) -> list[dict[str, Any]]:
    path = folder / "state" / "writes.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


async def test_a_rule_writes_once_and_leaves_what_the_user_changes(
    tmp_path: Path, bus_address: str
) -> None:
    async with Ports.below(tmp_path) as ports, Watcher.on(bus_address) as watcher:
        unit = await ports.add("garage", "max-8000")
        lines = [ports.unit("garage", SAFE) + ALWAYS]
        with Daemon(tmp_path, bus_address, lines, program=IN_A_HURRY) as daemon:
            await daemon.says("accepted, and the inverter shows it")
            await eventually(lambda: len(journal(tmp_path)) > 1)
        last = journal(tmp_path)[-1]
        assert last["by"].startswith("rule battery: ")
        assert (last["automatic"], last["observed"]) == (True, 2)
        assert unit.scene.apply("panel POP00").startswith("ok")
        with Daemon(tmp_path, bus_address, lines, program=IN_A_HURRY) as daemon:
            await daemon.says("battery: at work since before the start")
            names = await watcher.names()
            assert any(name.startswith(MULTI) for name in names)
        assert sent(unit) == ["POP02 1"]


async def test_rules_follow_the_mains(tmp_path: Path, bus_address: str) -> None:
    async with Ports.below(tmp_path) as ports:
        unit = await ports.add("garage", "max-8000")
        lines = [ports.unit("garage", SAFE) + MAINS]
        with Daemon(tmp_path, bus_address, lines, program=IN_A_HURRY) as daemon:
            await daemon.says("rule mains")  # it is so already, and nothing is sent
            assert sent(unit) == []
            unit.scene.apply_script("grid off")
            await eventually(lambda: sent(unit) == ["PDa 1"])
            unit.scene.apply_script("grid on")
            await eventually(lambda: sent(unit) == ["PDa 1", "PEa 1"])
            await eventually(lambda: journal(tmp_path)[-1]["observed"] == 1)
        said = [write["by"].split(":")[0] for write in journal(tmp_path)]
        assert list(dict.fromkeys(said)) == ["rule outage", "rule mains"]


async def test_a_rule_that_the_level_forbids_writes_nothing(
    tmp_path: Path, bus_address: str
) -> None:
    async with Ports.below(tmp_path) as ports:
        unit = await ports.add("garage", "max-8000")
        lines = [ports.unit("garage", 'control = "read-only"') + ALWAYS]
        with Daemon(tmp_path, bus_address, lines, program=IN_A_HURRY) as daemon:
            await daemon.says("control is off (read-only)")
        assert sent(unit) == []
