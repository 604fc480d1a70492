"""Gathers facts of the D-Bus: our services there, and what Victron's programs see."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mppdbus.doctor.facts import BusFacts, Heard, LineFacts, VenusFacts
from mppdbus.errors import BusError
from mppdbus.venus.dbus.client import BusClient
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.dbus.service import Service

PREFIX = "com.victronenergy"
SYSTEM = f"{PREFIX}.system"
SETTINGS = f"{PREFIX}.settings"
ACSYSTEM = f"{PREFIX}.acsystem.mppdbus"
PROBE = f"{PREFIX}.multi.mppdbus_doctor"  # claimed for a moment, off Venus OS alone
MAPPING = "/ServiceMapping/"  # of systemcalc: a path for each service that it uses
CHOICE = "/Settings/SystemSetup/BatteryService"
UNITS = (f"{PREFIX}.multi", f"{PREFIX}.inverter")
DRIVERS = re.compile(r"mppsolar|mpp-solar|voltronic|axpert", re.IGNORECASE)
ENOUGH = 8.0  # s for reading all services

Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class BusPicture:
    """The services on a bus with their values, and the facts that follow."""

    bus: BusFacts = field(default_factory=BusFacts)
    venus: VenusFacts = field(default_factory=VenusFacts)
    services: Mapping[str, Values] = field(default_factory=dict)

    def units(self) -> dict[str, Values]:
        """Return the services of our inverters."""
        ours = self.bus.ours or ()
        return {name: self.services[name] for name in ours if name.startswith(UNITS)}

    def unit_at(self, label: str) -> tuple[str, Values] | None:
        """Return the service of the inverter at a port."""
        for name, values in self.units().items():
            if str(values.get("/Mgmt/Connection") or "").strip() == label:
                return name, values
        return None


async def look_at_bus(
    address: str, *, venus: bool, wanted: Iterable[str] = (), claim: bool = True
) -> BusPicture:
    """Read all services; never raises, and ends within some seconds.

    `wanted` are names that the config gives our services. `claim`: try to get a name
    where none of ours is there, to see what the policy says; never on Venus OS.
    """
    try:
        async with asyncio.timeout(ENOUGH):
            client = await BusClient.open(address)
    except (BusError, TimeoutError) as error:
        said = str(error) or f"{address} does not answer"
        return BusPicture(BusFacts(address=address, trouble=said))
    try:
        services = {name: client.snapshot(name) for name in client.services()}
        mute = sorted(set(client.names()) - services.keys())
    finally:
        await client.close()
    bus = _bus_facts(address, services, mute, wanted)
    if claim and not venus and not bus.ours and SYSTEM not in services:
        bus = replace(bus, denied=await _denied(address))
    seen = _venus_facts(services, bus.ours or (), venus=venus)
    return BusPicture(bus, seen, services)


def _bus_facts(
    address: str, services: Mapping[str, Values], mute: list[str], wanted: Iterable[str]
) -> BusFacts:
    ours = tuple(name for name in services if _is_ours(services[name]))
    said = (str(services[name].get("/Mppdbus/Doctor") or "") for name in ours)
    taken = [
        f"{name} belongs to {services[name].get('/Mgmt/ProcessName') or 'a program'}"
        for name in wanted
        if name in services and name not in ours
    ]
    return BusFacts(
        address=address,
        ours=ours,
        others=tuple(n for n in services if n not in ours and _is_driver(n, services)),
        doctor=next(filter(None, said), ""),
        taken="; ".join(taken),
        unanswered=tuple(mute),
    )


def _is_ours(values: Values) -> bool:
    return values.get("/Mgmt/ProcessName") == "mppdbus"


def _is_driver(name: str, services: Mapping[str, Values]) -> bool:
    said = services[name].get("/Mgmt/ProcessName")
    return bool(DRIVERS.search(f"{name} {said}"))


async def _denied(address: str) -> str:
    """Claim a name for a moment; return why we may not have it."""
    service = Service(PROBE, (), address=address)
    try:
        async with asyncio.timeout(ENOUGH):
            await service.start()
    except (BusError, TimeoutError) as error:
        return str(error)
    finally:
        await service.close()
    return ""


# -- what Victron's programs see -----------------------------------------------------


def _venus_facts(
    services: Mapping[str, Values], ours: tuple[str, ...], *, venus: bool
) -> VenusFacts:
    system, settings = services.get(SYSTEM), services.get(SETTINGS)
    units = [name for name in ours if name.startswith(UNITS)]
    multis = [name for name in units if name.startswith(UNITS[0])]
    there = venus or system is not None
    choice = str((settings or {}).get(CHOICE) or "default")
    chosen = choice not in ("default", "nobattery") and "mppdbus" not in choice
    return VenusFacts(
        settings=settings is not None if there else None,
        systemcalc=system is not None if there else None,
        unlisted=_unlisted(system or {}, units),
        disconnected=tuple(n for n in units if services[n].get("/Connected") != 1),
        nameless=tuple(n for n in units if not services[n].get("/ProductName")),
        no_acsystem=bool(multis) and ACSYSTEM not in services,
        clashes=_clashes(services, ours),
        profile_inverter=tuple(n for n in units if n not in multis),
        battery_choice=f"{CHOICE} is {choice}" if chosen else "",
    )


def _unlisted(system: Values, units: list[str]) -> tuple[str, ...]:
    """Return the services that systemcalc leaves out; none if it maps nothing."""
    listed = {value for path, value in system.items() if path.startswith(MAPPING)}
    return tuple(name for name in units if name not in listed) if listed else ()


def _clashes(services: Mapping[str, Values], ours: tuple[str, ...]) -> tuple[str, ...]:
    """Return services of one type with the same instance, one of them ours."""
    same: dict[tuple[str, object], list[str]] = defaultdict(list)
    for name, values in services.items():
        kind = ".".join(name.split(".")[:3])
        same[kind, values.get("/DeviceInstance")].append(name)
    return tuple(
        f"{' and '.join(names)}: instance {number}"
        for (_, number), names in same.items()
        if number is not None and len(names) > 1 and set(names) & set(ours)
    )


def line_of_unit(values: Values) -> LineFacts:
    """Return what the daemon says of its line, by the paths of a unit's service."""

    def text(path: str) -> str:
        return str(values.get(path) or "")

    def number(path: str) -> float | None:
        value = values.get(path)
        return float(value) if isinstance(value, int | float) else None

    online = values.get("/Connected") == 1
    return LineFacts(
        heard=Heard.PI30 if online else Heard.UNKNOWN,
        offline=not online,
        said=text("/Mppdbus/Doctor"),
        quality=number("/Mppdbus/Link/Quality"),
        model=text("/ProductName"),
        serial=text("/Serial") or None,
        dialect=text("/Mppdbus/Dialect"),
        fault=text("/Mppdbus/Fault"),
        battery=text("/Mppdbus/Trouble"),
    )
