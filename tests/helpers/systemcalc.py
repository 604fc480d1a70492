"""What systemcalc makes of the services on a bus, worked out by a client of our own.

Written from how its paths are documented to follow from multi, inverter, acsystem and
battery services; a vebus, chargers and meters are none of ours. The lab proves that it
agrees with the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Self

from mppdbus.errors import BusError
from mppdbus.venus.dbus.client import BusClient

Values = Mapping[str, Any]

PREFIX = "com.victronenergy"
PHASES = ("L1", "L2", "L3")
NO_INPUT = 240
INPUTS = {"Grid": (1, 3), "Genset": (2,)}  # which types of input count as which
DECIDING = {"/Connected", "/ProductName", "/Mgmt/Connection", "/CustomName"}


class Overview:
    """Follows a bus; use with `async with`. `system` answers as systemcalc would."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._seen: dict[str, dict[str, Any]] = {}  # in the order of their coming
        self._battery: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watcher = await BusClient.open(self._address)
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._watcher.close()

    async def system(self, paths: Iterable[str]) -> dict[str, Any]:
        """Return the values at `paths`; None is invalid."""
        assert self._task is not None
        assert not self._task.done(), "the bus has hung up"
        picture = overview(self._seen, self._battery)
        return {path: picture.get(path) for path in paths}

    async def _follow(self) -> None:
        with suppress(BusError):
            async for change in self._watcher.changes():
                new = change.service not in self._seen
                if change.values is None:
                    self._seen.pop(change.service, None)
                else:
                    self._seen.setdefault(change.service, {}).update(change.values)
                if new or change.values is None or DECIDING & change.values.keys():
                    self._battery = choose_battery(self._seen)


def of_type(services: Mapping[str, Values], kind: str) -> list[str]:
    """Return the names of a type that have an instance, the lowest first."""
    wanted = f"{PREFIX}.{kind}"
    found = [
        (values["/DeviceInstance"], name)
        for name, values in services.items()
        if name == wanted or name.startswith(f"{wanted}.")
        if values.get("/DeviceInstance") is not None
    ]
    return [name for _, name in sorted(found)]


def choose_battery(services: Mapping[str, Values]) -> str | None:
    """Return the service that the battery's values are taken from.

    A battery, those with a BMS first; else a multi, else an inverter, the lowest of
    which must have a state of charge. An acsystem never qualifies.
    """
    batteries = [n for n in of_type(services, "battery") if _connected(services[n])]
    with_bms = [n for n in batteries if "/Info/MaxChargeVoltage" in services[n]]
    if batteries:
        return (with_bms or batteries)[0]
    for kind in ("multi", "inverter"):
        units = [n for n in of_type(services, kind) if _connected(services[n])]
        if units and services[units[0]].get("/Soc") is not None:
            return units[0]
    return None


def overview(services: Mapping[str, Values], battery: str | None) -> dict[str, Any]:
    """Return path → value of com.victronenergy.system, as far as it matters here."""
    names = [*of_type(services, "multi"), *of_type(services, "inverter")]
    units = [services[name] for name in names]
    systems = [services[name] for name in of_type(services, "acsystem")]
    chosen = services.get(battery or "", {})
    return {
        "/Dc/Pv/Power": _sum(unit.get("/Yield/Power") for unit in units),
        **_battery(units, chosen if battery is not None else None),
        **dict(_flows(units)),
        **_inputs(systems),
        "/SystemState/State": _state(services),
        "/Ac/HasAcLoads": int(bool(systems or of_type(services, "inverter"))),
        "/Dc/Battery/BatteryService": battery if chosen else None,
    }


def _connected(values: Values) -> bool:
    named = (values.get("/ProductName"), values.get("/Mgmt/Connection"))
    return values.get("/Connected") == 1 and None not in named


def _battery(units: list[Values], chosen: Values | None) -> dict[str, Any]:
    if chosen is not None:
        return {
            f"/Dc/Battery/{name}": chosen.get(path)
            for name, path in (
                ("Power", "/Dc/0/Power"),
                ("Voltage", "/Dc/0/Voltage"),
                ("Current", "/Dc/0/Current"),
                ("Soc", "/Soc"),
            )
        }
    # Watts are then counted of chargers alone, and there is none.
    volts = units[0].get("/Dc/0/Voltage") if units else None
    return {
        "/Dc/Battery/Power": None if volts is None else 0.0,
        "/Dc/Battery/Voltage": volts,
        "/Dc/Battery/Current": 0.0 if volts else None,
        "/Dc/Battery/Soc": None,
    }


def _flows(units: list[Values]) -> Iterator[tuple[str, Any]]:
    """The loads, and what comes in: from the input of the first unit, on all units."""
    active = units[0].get("/Ac/ActiveIn/ActiveInput") if units else None
    kind = NO_INPUT if units else None
    if active in (0, 1):
        found = units[0].get(f"/Ac/In/{active + 1}/Type")
        kind = NO_INPUT if found is None else found
    yield "/Ac/ActiveIn/Source", kind
    for phase in PHASES:
        yield f"/Ac/Consumption/{phase}/Power", _load(units, phase)
        taken = None
        if active in (0, 1):
            path = f"/Ac/In/{active + 1}/{phase}/P"
            taken = _sum(unit.get(path) for unit in units)
        for name, kinds in INPUTS.items():
            yield f"/Ac/{name}/{phase}/Power", taken if kind in kinds else None


def _load(units: list[Values], phase: str) -> float | None:
    loads = []
    for unit in units:
        power, volts, amps = (unit.get(f"/Ac/Out/{phase}/{x}") for x in "PVI")
        if power is None and volts is not None and amps is not None:
            power = volts * amps
        loads.append(power)
    total = _sum(loads)
    return None if total is None else max(0.0, total)


def _inputs(systems: list[Values]) -> dict[str, Any]:
    system = systems[0] if systems else {}
    kind = system.get("/Ac/In/1/Type")
    there = bool(system.get("/Ac/NumberOfAcInputs")) and kind in (1, 2, 3)
    connected = system.get("/Ac/ActiveIn/ActiveInput") == 0
    return {
        "/Ac/In/NumberOfAcInputs": int(there),
        "/Ac/In/0/Connected": int(connected) if there else None,
        "/Ac/In/0/Source": kind if there else None,
    }


def _state(services: Mapping[str, Values]) -> Any:  # noqa: ANN401 - as it is published
    """Of the first acsystem that came, else of the first inverter; 0 without both."""
    for kind in ("acsystem", "inverter"):
        known = set(of_type(services, kind))
        for name, values in services.items():
            if name in known:
                return values.get("/State")
    return 0


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
