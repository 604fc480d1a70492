"""Two inverters on two battery banks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.field import Field, on_the_bus
from helpers.processes import until
from helpers.run import BATTERY
from helpers.scripted import ScriptedInverter

BATTERIES = "com.victronenergy.battery."
STATUS = (
    "230.9 50.0 230.9 50.0 1824 1773 036 383 {volts} 000 {percent} 0049 00.0 324.7 "
    "00.00 00000 00010110 00 00 01791 010"
)
RATINGS = (
    "220.0 22.7 220.0 50.0 22.7 5000 5000 48.0 46.0 42.0 56.4 54.0 0 30 060 0 2 2 9 01 "
    "0 0 54.0 0 1"
)
HOUSE = ("96322310100001", "53.40", "100")
BARN = ("96322310100002", "49.20", "040")
SHED = ("96322310100003", "49.20", "040")


def unit(serial: str, volts: str, percent: str) -> ScriptedInverter:
    inverter = ScriptedInverter.of("pause-in-reply")
    inverter.replies["QID"] = [serial]
    inverter.replies["QPIGS"] = [STATUS.format(volts=volts, percent=percent)]
    inverter.replies["QPIRI"] = [RATINGS]
    return inverter


async def batteries(field: Field, volts: list[float]) -> list[dict[str, Any]]:
    """Wait for a service of each bank; return their values in the order of `volts`."""
    found: dict[float, dict[str, Any]] = {}

    async def there() -> bool:
        assert field.daemon.running, field.daemon.said
        names = [n for n in await field.watcher.names() if n.startswith(BATTERIES)]
        shown = [await field.watcher.values(name) for name in names]
        found.clear()
        found.update({each.get("/Dc/0/Voltage") or 0.0: each for each in shown})
        return len(names) == len(volts) and set(found) == set(volts)

    await until(there, lambda: f"{sorted(found)}\n{field.daemon.said}")
    return [found[each] for each in volts]


async def test_two_banks_are_two_batteries(tmp_path: Path) -> None:
    more = ('battery = "house"', 'battery = "barn"')
    async with on_the_bus(tmp_path, unit(*HOUSE), unit(*BARN), more=more) as field:
        house, barn = await batteries(field, [53.4, 49.2])
        assert house["/DeviceInstance"] != barn["/DeviceInstance"]
        assert house["/Soc"] > barn["/Soc"]


async def test_two_of_three_share_a_bank(tmp_path: Path) -> None:
    more = ('battery = "house"', 'battery = "barn"', 'battery = "barn"')
    units = (unit(*HOUSE), unit(*BARN), unit(*SHED))
    async with on_the_bus(tmp_path, *units, more=more) as field:
        await batteries(field, [53.4, 49.2])


async def test_one_bank_is_one_battery(tmp_path: Path) -> None:
    async with on_the_bus(tmp_path, unit(*BARN), unit(*SHED)) as field:
        await batteries(field, [49.2])
        assert BATTERY in await field.watcher.names()
