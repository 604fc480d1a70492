"""Victron's programs beside our controls: nothing that they show changes by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.processes import FAST, Wanted, running, until
from helpers.run import MULTI
from lab.scenes import SCENES
from lab.stack import LAB, SYSTEM, Stack
from lab.test_lab import OURS, OWN_PERCENT, shows

UNIT = MULTI + "92932105100123"
SETTINGS = "com.victronenergy.settings"
ESS, LIMIT = "/Settings/Ess/Mode", "/Settings/ChargeCurrentLimit"
# What counts time, or tells of the run itself.
OF_THE_RUN = ("/Timers", "/Debug", "/Dc/Battery/ConsumedAmphours", "/AvailableBatter")

pytestmark = LAB


async def system(stack: Stack) -> dict[str, Any]:
    """Return what systemcalc shows, once it shows the scene."""
    await shows(stack, SCENES["mains"].system())
    items = await stack.items(SYSTEM)
    return {path: v for path, v in items.items() if not path.startswith(OF_THE_RUN)}


@pytest.mark.parametrize("dvcc", [0, 1])
async def test_controls_change_nothing_that_systemcalc_shows(
    tmp_path: Path, dvcc: int
) -> None:
    seen = {}
    for level in ("read-only", "full"):
        folder = tmp_path / level
        folder.mkdir()
        control = f'{OWN_PERCENT}\n[control]\nlevel = "{level}"\nmode = true'
        async with Stack(folder) as stack:
            client = type(stack.client)(stack.client.bus, SETTINGS)
            assert await client.set_value("/Settings/Services/Bol", "i", dvcc) == 0
            # A schedule that would charge all day, if the ESS mode let it.
            for name, value in (("Day", 7), ("Duration", 86399), ("Soc", 100)):
                path = f"/Settings/CGwacs/BatteryLife/Schedule/Charge/0/{name}"
                assert await client.set_value(path, "i", value) == 0
            wanted = Wanted("scene mains", (), FAST)
            async with running(folder, stack.address, wanted, battery=control):
                if level == "full":

                    async def controlled() -> bool:
                        system, unit = await stack.items(OURS), await stack.items(UNIT)
                        return system[ESS] == 2 and unit[LIMIT] is not None

                    await until(controlled, lambda: "there are no controls")
                seen[level] = await system(stack)
    assert seen["full"] == seen["read-only"]
