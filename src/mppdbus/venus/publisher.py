"""Puts inverters on the bus: which services there are, their names, their life.

A service is claimed when the values of its unit are known, keeps its name while the
unit is away for a short time, and is released when it stays away.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass

from mppdbus.errors import BusAway, BusError
from mppdbus.snapshot import Identity, Snapshot

from .bus import Item, Kind, Value, VictronService
from .services import INVERTER, MULTI, SYSTEM, SYSTEM_PHASE, Row, V
from .views import SystemView, Unit, UnitView
from .wire import Wire

PREFIX = "com.victronenergy"
SYSTEM_NAME = f"{PREFIX}.acsystem.mppdbus"
AWAY = 300.0  # s offline after which a name is released

log = logging.getLogger("mppdbus.bus")


@dataclass(frozen=True, slots=True)
class Member:
    """How one inverter is to appear on the bus."""

    unit: Unit
    profile: str = "hybrid"
    bus_name: str = ""


class Publisher:
    """All services of this process; one bus connection each.

    `publish` never waits for the bus. `introduce` connects and claims, and raises
    `BusError` when the name belongs to somebody else, `BusAway` while there is no bus.
    """

    def __init__(self, address: str, members: list[Member]) -> None:
        self._address = address
        self._members = members
        self._views = [UnitView.of(m.unit, Snapshot()) for m in members]
        self._services: dict[int, VictronService] = {}
        self._system: VictronService | None = None
        self._leaving: dict[int, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connect; raises `BusError` when there is no bus, or a name on it is taken.

        Only the names that do not depend on a serial number are known by now.
        """
        names = {member.bus_name for member in self._members if member.bus_name}
        if self._hybrids:
            names.add(SYSTEM_NAME)
        await self._refuse_taken(names)
        if self._hybrids:
            items = self._system_items()
            self._system = VictronService(SYSTEM_NAME, items, address=self._address)
            await self._system.connect()

    async def introduce(self, index: int, snapshot: Snapshot) -> None:
        """Put a unit on the bus, with all its values known before its name is."""
        self._views[index] = UnitView.of(self._members[index].unit, snapshot)
        service = self._services.get(index)
        name = self._name(index, snapshot.identity)
        if service is not None and service.name != name:
            log.info("%s: another inverter now: %s", service.name, name)
            await service.close()
            service = None
        if service is None:
            rows, phase = self._rows(index), self._members[index].unit.phase
            items = [row.item(phase) for row in rows]
            service = VictronService(name, items, address=self._address)
            self._services[index] = service  # the name is taken from here on
        self.publish(index, snapshot)
        await _enter(service)
        log.info("%s is on the bus as %s", self._members[index].unit.name, name)
        if self._system is not None and index in self._hybrids:
            self._list_device(index, service)
            await _enter(self._system)

    def publish(self, index: int, snapshot: Snapshot) -> None:
        """Show a snapshot; only what changed is sent."""
        member = self._members[index]
        view = UnitView.of(member.unit, snapshot)
        self._views[index] = view
        service = self._services.get(index)
        if service is not None:
            values = values_of(self._rows(index), view, member.unit.phase)
            if index in self._hybrids and len(self._hybrids) > 1:
                # systemcalc takes the lowest instance's input for all units.
                values["/Ac/ActiveIn/ActiveInput"] = self._system_view().active_input
            service.update(values)
            self._watch_absence(index, online=snapshot.online)
        if self._system is not None and index in self._hybrids:
            self._system.update(self._system_values())

    async def close(self) -> None:
        """Release all names and disconnect."""
        for timer in self._leaving.values():
            timer.cancel()
        services = [*self._services.values()]
        if self._system is not None:
            services.append(self._system)
        await asyncio.gather(*(service.close() for service in services))

    # -- names ------------------------------------------------------------------

    async def _refuse_taken(self, names: set[str]) -> None:
        """Raise `BusError` that says who has one of `names`; nothing is shown yet."""
        wire = await Wire.open(self._address, lambda _wire, _call: False)
        try:
            taken = [n for n in names if await wire.call("NameHasOwner", "s", n)]
        finally:
            await wire.close()
        for name in taken:
            service = VictronService(name, (), address=self._address)
            try:
                await _enter(service)
            finally:
                await service.close()

    def _name(self, index: int, identity: Identity) -> str:
        member = self._members[index]
        if member.profile == "inverter":
            return (
                member.bus_name or f"{PREFIX}.inverter.{self._suffix(index, identity)}"
            )
        return f"{PREFIX}.multi.{self._suffix(index, identity)}"

    def _suffix(self, index: int, identity: Identity) -> str:
        """Name a unit by its serial, or by its port where that is not unique."""
        port = re.sub(r"[^A-Za-z0-9]+", "_", self._members[index].unit.connection)
        port = port.removeprefix("_dev_").strip("_")
        serial = re.sub(r"[^A-Za-z0-9]+", "_", identity.serial or "")
        others = {s.name for i, s in self._services.items() if i != index}
        if serial and not any(n.endswith(f".mppdbus_{serial}") for n in others):
            return f"mppdbus_{serial}"
        if serial:
            log.warning("two inverters say that they are number %s", identity.serial)
        return f"mppdbus_{port}"

    # -- the system ----------------------------------------------------------------

    @property
    def _hybrids(self) -> list[int]:
        return [i for i, m in enumerate(self._members) if m.profile == "hybrid"]

    @property
    def _phases(self) -> list[int]:
        return sorted({self._members[i].unit.phase for i in self._hybrids})

    def _rows(self, index: int) -> tuple[Row[UnitView], ...]:
        return MULTI if self._members[index].profile == "hybrid" else INVERTER

    def _system_view(self) -> SystemView:
        return SystemView(tuple(self._views[i] for i in self._hybrids))

    def _system_items(self) -> list[Item]:
        items = [row.item(1) for row in SYSTEM]
        for phase in self._phases:
            items += [row.item(phase) for row in SYSTEM_PHASE]
        for place, _ in enumerate(self._hybrids):
            items.append(Item(f"/Devices/{place}/Service", Kind.TEXT))
            items.append(Item(f"/Devices/{place}/Instance", Kind.INT))
        return items

    def _system_values(self) -> dict[str, Value]:
        view = self._system_view()
        values = values_of(SYSTEM, view, 1)
        for phase in self._phases:
            values |= values_of(SYSTEM_PHASE, view.on_phase(phase), phase)
        return values

    def _list_device(self, index: int, service: VictronService | None) -> None:
        place = self._hybrids.index(index)
        instance = self._members[index].unit.instance if service else None
        assert self._system is not None  # noqa: S101 - the caller looked
        self._system.update(
            {
                f"/Devices/{place}/Service": service.name if service else None,
                f"/Devices/{place}/Instance": instance,
            }
        )

    # -- absence -------------------------------------------------------------------

    def _watch_absence(self, index: int, *, online: bool) -> None:
        if online:
            if (timer := self._leaving.pop(index, None)) is not None:
                timer.cancel()
        elif index not in self._leaving:
            loop = asyncio.get_running_loop()
            self._leaving[index] = loop.call_later(AWAY, self._leave, index)

    def _leave(self, index: int) -> None:
        """Release the name of a unit that stays away; after the last, the system's."""
        log.warning("%s stays away: its name is released", self._services[index].name)
        gone = [self._services[index]]
        if self._system is not None and index in self._hybrids:
            self._list_device(index, None)
            if not self._system_view().online:
                gone.append(self._system)
        for service in gone:
            task = asyncio.get_running_loop().create_task(_release(service))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _enter(service: VictronService) -> None:
    """Have a service on the bus under its name."""
    try:
        await service.connect()
        await service.claim()
    except BusError as error:
        if service.connected:
            raise
        raise BusAway(str(error)) from error


async def _release(service: VictronService) -> None:
    try:
        await service.release()
    except BusError as error:
        log.warning("%s", error)


def values_of(rows: tuple[Row[V], ...], view: V, phase: int) -> dict[str, Value]:
    """Return the value of every row."""
    place = phase - 1
    return {row.paths[place]: row.source(view) for row in rows}
