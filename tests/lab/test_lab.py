"""The daemon beside Victron's own programs: what they make of our services."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from helpers.processes import FAST, Wanted, running, until
from lab.scenes import SCENES, WATTS
from lab.stack import LAB, Stack
from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.dbus.service import Service

OURS = "com.victronenergy.acsystem.mppdbus"
MEASURED = ("/Ac/In/1/L1/", "/Ac/Out/L1/P", "/Dc/0/", "/Yield/Power", "/Soc")
OWN_PERCENT = 'soc = "inverter"'  # the simulator pins the battery, and with it this
HOLD = 1.3  # s that a right picture must stay right: more than a tick of systemcalc

pytestmark = LAB


def differences(shown: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what is not as wanted: path → (shown, wanted)."""
    return {
        path: (shown[path], value)
        for path, value in wanted.items()
        if shown[path] != (value if value is None else pytest.approx(value))
    }


async def shows(stack: Stack, wanted: dict[str, Any], seconds: float = 12) -> None:
    """Wait until systemcalc shows what is wanted; it must then stay so."""
    wrong: dict[str, Any] = {}

    async def right() -> bool:
        wrong.clear()
        wrong.update(differences(await stack.system(wanted), wanted))
        return not wrong

    await until(right, lambda: f"systemcalc shows {wrong}", seconds)
    end = asyncio.get_running_loop().time() + HOLD
    while asyncio.get_running_loop().time() < end:
        assert await right(), f"it did not stay: {wrong}"
        await asyncio.sleep(0.1)


async def serve(stack: Stack, name: str, values: Mapping[str, float | str]) -> Service:
    """Put a service of fixed values on the bus."""
    kinds = {int: ItemType.INT, float: ItemType.DOUBLE, str: ItemType.TEXT}
    items = [Item(path, kinds[type(value)]) for path, value in values.items()]
    service = Service(name, items, address=stack.address)
    service.update(dict(values))
    await service.start()
    return service


# -- the flows ----------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENES)
async def test_a_scene_from_the_start(stack: Stack, tmp_path: Path, name: str) -> None:
    async with running(
        tmp_path, stack.address, Wanted(f"scene {name}"), battery=OWN_PERCENT
    ):
        await shows(stack, SCENES[name].system())


@pytest.mark.slow
async def test_every_change_of_scene(stack: Stack, tmp_path: Path) -> None:
    around = ["bat", "mains+pv", "bat+pv", "mains", "bat", "bat+pv", "mains+pv"]
    wanted = Wanted("scene mains", (), FAST)
    async with running(tmp_path, stack.address, wanted, battery=OWN_PERCENT) as plant:
        for name in around:
            await plant.simulated[0].tell(f"scene {name}")
            await shows(stack, SCENES[name].system())


async def test_without_the_acsystem_victrons_overview_lacks_the_input(
    stack: Stack, tmp_path: Path
) -> None:
    """Why we publish one; and proof that `shows` can fail."""
    scene = SCENES["mains"]
    wanted = Wanted("scene mains", (), FAST)
    async with running(tmp_path, stack.address, wanted, battery=OWN_PERCENT) as plant:
        await shows(stack, scene.system())
        items = await stack.items(plant.services[0])
        plant.daemon.kill()
    known = {path: value for path, value in items.items() if value is not None}
    alone = await serve(stack, plant.services[0], known)
    lacking = {
        **scene.system(),
        "/SystemState/State": 0,
        "/Ac/In/NumberOfAcInputs": 0,
        "/Ac/In/0/Connected": None,
        "/Ac/In/0/Source": None,
        "/Ac/In/0/ServiceType": None,
        "/Ac/HasAcLoads": 0,
    }
    await shows(stack, lacking)
    await alone.close()


# -- loss -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("how", ["silence", "unplugged", "killed"])
async def test_no_watts_stay_behind(stack: Stack, tmp_path: Path, how: str) -> None:
    gone = dict.fromkeys((*WATTS, "/Dc/Battery/Soc")) | {
        # What systemcalc says of a system whose services are all gone, or are there
        # and say nothing.
        "/SystemState/State": 0 if how == "killed" else 255,  # invalid would read "Off"
        "/Ac/ActiveIn/Source": None if how == "killed" else 240,
    }
    wanted = Wanted("scene mains+pv")
    async with running(tmp_path, stack.address, wanted, battery=OWN_PERCENT) as plant:
        await shows(stack, SCENES["mains+pv"].system())
        match how:
            case "silence":
                await plant.simulated[0].tell("fault silence forever")
            case "unplugged":
                await plant.simulated[0].tell("fault disconnect 5s")
            case "killed":
                plant.daemon.kill()
        await shows(stack, gone, seconds=7.5)  # 5 s, and a tick of systemcalc
        if how == "killed":
            assert await stack.names() >= {"com.victronenergy.system"}
            assert not await stack.names() & {OURS, *plant.services}
            return
        items = await stack.items(plant.services[0])
        assert {v for p, v in items.items() if p.startswith(MEASURED)} == {None}
        await plant.simulated[0].tell("fault off")
        await shows(stack, SCENES["mains+pv"].system(), seconds=25)


# -- Victron's dbus-acsystem ---------------------------------------------------------

# What it waits for before it adopts a multi; with these it makes a service of its own.
ADOPTABLE: dict[str, float | str] = {
    "/N2kSystemInstance": 0,
    "/FirmwareVersion": 0x10200,
    "/Mode": 3,
    "/Ac/In/1/CurrentLimit": 30.0,
    "/Ac/In/1/Type": 1,
    "/Settings/Ess/MinimumSocLimit": 10.0,
    "/Settings/Ess/Mode": 3,
    "/Ess/DisableFeedIn": 0,
    "/Devices/0/Gateway": "lab",
    "/Devices/0/Nad": 1,
    "/DeviceInstance": 300,
    "/ProductId": 0xA442,
}


async def acsystems(stack: Stack) -> set[str]:
    return {
        n for n in await stack.names() if n.startswith("com.victronenergy.acsystem")
    }


async def test_victrons_acsystem_leaves_ours_alone(tmp_path: Path) -> None:
    wanted = Wanted("scene mains+pv")
    async with (
        Stack(tmp_path, acsystem=True) as stack,
        running(tmp_path, stack.address, wanted, battery=OWN_PERCENT) as plant,
    ):
        await shows(stack, SCENES["mains+pv"].system())
        assert await acsystems(stack) == {OURS}
        # It does run, and does adopt: a multi of the other kind gets one from it.
        other = await serve(stack, "com.victronenergy.multi.adoptable", ADOPTABLE)

        async def adopted() -> bool:
            return len(await acsystems(stack)) == 2

        await until(adopted, lambda: stack.said("acsystem"))
        theirs = (await acsystems(stack) - {OURS}).pop()
        items = await stack.items(theirs)
        listed = {v for path, v in items.items() if path.endswith("/Service")}
        assert listed == {other.name}
        assert plant.services[0] not in listed
        await other.close()


# -- other shapes ----------------------------------------------------------------------


async def test_three_units_add_up(stack: Stack, tmp_path: Path) -> None:
    wanted = [Wanted("scene mains+pv", (), FAST)] * 3
    async with running(tmp_path, stack.address, *wanted, battery=OWN_PERCENT) as plant:
        # systemcalc takes one service for the battery: ours, which adds them up.
        await shows(stack, SCENES["mains+pv"].system(units=3))
        for simulated in plant.simulated:
            await simulated.tell("scene bat")
        await shows(stack, SCENES["bat"].system(units=3))
        assert await acsystems(stack) == {OURS}


async def test_three_units_on_three_phases(stack: Stack, tmp_path: Path) -> None:
    wanted = [Wanted("scene mains", (f"phase = {n}",), FAST) for n in (1, 2, 3)]
    scene = SCENES["mains"]
    async with running(tmp_path, stack.address, *wanted, battery=OWN_PERCENT):
        each = {
            f"/Ac/{what}/L{phase}/Power": watts
            for what, watts in (("Grid", scene.grid), ("Consumption", scene.load))
            for phase in (1, 2, 3)
        }
        await shows(stack, scene.system(units=3) | each)


async def test_profile_inverter_has_all_but_the_mains(
    stack: Stack, tmp_path: Path
) -> None:
    wanted = Wanted("scene bat+pv", ('profile = "inverter"',), FAST)
    async with running(tmp_path, stack.address, wanted, battery=OWN_PERCENT) as plant:
        no_input = {
            "/Ac/Grid/L1/Power": None,
            "/Ac/ActiveIn/Source": 240,
            "/Ac/In/NumberOfAcInputs": 0,
            "/Ac/In/0/Connected": None,
            "/Ac/In/0/Source": None,
            "/Ac/In/0/ServiceType": None,
        }
        for name, scene in SCENES.items():
            await plant.simulated[0].tell(f"scene {name}")
            await shows(stack, scene.system() | no_input)
        assert not await acsystems(stack)


@pytest.mark.slow
async def test_a_lone_unit_is_the_battery_after_every_start(
    stack: Stack, tmp_path: Path
) -> None:
    """systemcalc chooses its battery when a service comes, by a valid /Soc."""
    wanted = Wanted("grid off; pv 0; load 700", (), ("--profile", "mks-5000", *FAST))
    battery = {"/Dc/Battery/Soc": None, "/Dc/Battery/Power": None}
    for start in range(3):
        folder = tmp_path / str(start)
        folder.mkdir()
        async with running(folder, stack.address, wanted):
            for _ in range(50):
                shown = await stack.system(battery)
                if None not in shown.values():
                    break
                await asyncio.sleep(0.1)
            assert shown["/Dc/Battery/Soc"] is not None
            assert shown["/Dc/Battery/Power"] < 0


@pytest.mark.slow
async def test_a_bms_takes_over_and_gives_back(stack: Stack, tmp_path: Path) -> None:
    wanted = Wanted("grid off; pv 0; load 700", (), ("--profile", "mks-5000", *FAST))
    values: dict[str, float | str] = {
        "/DeviceInstance": 300,
        "/ProductName": "BMS",
        "/Mgmt/Connection": "CAN",
        "/Connected": 1,
        "/Soc": 42.0,
        "/Dc/0/Voltage": 52.0,
        "/Dc/0/Current": -9.0,
        "/Dc/0/Power": -468.0,
    }
    battery = {"/Dc/Battery/Soc": None, "/Dc/Battery/Power": None}
    async with running(tmp_path, stack.address, wanted):

        async def ours() -> bool:
            shown = await stack.system(battery)
            return None not in shown.values() and shown["/Dc/Battery/Power"] < -600

        await until(ours, lambda: "systemcalc has no battery", 10)
        name = "com.victronenergy.battery.bms"
        bms = await serve(stack, name, values)
        await shows(stack, {"/Dc/Battery/Soc": 42.0, "/Dc/Battery/Power": -468.0})
        await bms.close()
        await until(ours, lambda: "systemcalc lost our battery", 15)
