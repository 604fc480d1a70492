"""One inverter on its port: connects, polls, and starts over after a failure."""

import asyncio
import logging
import re
from datetime import date
from pathlib import Path

from mppdbus.config.models import InverterConfig
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.parallel_units import ParallelUnits
from mppdbus.daemon.sections import unit_of
from mppdbus.errors import (
    LinkError,
    MppdbusError,
    OtherProtocol,
    PortError,
    PortMissing,
)
from mppdbus.host import serial_starter
from mppdbus.host.clock import local_now
from mppdbus.host.port_location import place_of
from mppdbus.inverter import timing
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.energy_meters import EnergyMeters
from mppdbus.inverter.link import Link
from mppdbus.inverter.link_stats import LinkStats
from mppdbus.inverter.modbus_probe import ModbusProbe
from mppdbus.inverter.poller import Poller
from mppdbus.inverter.schedule import FASTEST
from mppdbus.model.snapshot import Snapshot
from mppdbus.transport import Transport, open_transport

MEETING = 10.0  # s that the units of a set wait for each other at the start


class Session:
    """Keeps one inverter connected: opens its port, polls it, and starts over.

    `others`: show also the other units of its parallel set, which it reports.
    """

    def __init__(
        self,
        config: InverterConfig,
        installation: Installation,
        *,
        others: bool = False,
    ) -> None:
        self._config = config
        self._installation = installation
        self._log = logging.getLogger(f"mppdbus.{config.name}")
        self._port = config.port.label
        self._uid: str | None = None  # of the last unit at this port
        self._logged: set[str] = set()  # troubles since the last live value
        self._attempts = 0
        self._modbus_probe = ModbusProbe(config.port, config.baud)
        self._stats = LinkStats()
        self._missing: PortMissing | None = None  # said when it was not there
        self._known: Inverter | None = None  # from this or the last connection
        self._introducing = False  # what takes long now is the bus
        self.introduced = False  # its inverter has been on the bus
        self._poller: Poller | None = None
        self._with_others = others
        self._others = ParallelUnits(installation, unit_of(config))

    @property
    def progress(self) -> object | None:
        """What differs after each exchange and attempt; None: not ours to go on.

        That is so while the bus or the other inverters are waited for.
        """
        if self._introducing:
            return None
        stats = self._stats
        return stats.good, stats.lost, self._attempts

    async def show_others(self, wanted: bool) -> None:  # noqa: FBT001 - a state
        """Show the other units of its parallel set, or take them off the bus."""
        if wanted == self._with_others:
            return
        self._with_others = wanted
        if self._poller is not None:
            self._poller.report_others(self._others.show if wanted else None)
        if not wanted:
            await self._others.forget()

    async def run(self) -> None:
        """Run for ever."""
        with self._installation.replies.of(self._config.name, lambda: self._known):
            await self._keep_connected()

    async def _keep_connected(self) -> None:
        while True:
            try:
                await self._connect()
            except OtherProtocol as error:
                self._complain(error)
                await asyncio.sleep(timing.OTHER_PROTOCOL_PAUSE)
            except MppdbusError as error:
                self._complain(error)
                most = len(timing.BACK_OFF) - 1
                await asyncio.sleep(timing.BACK_OFF[min(self._attempts, most)])
                self._attempts += 1
            except Exception:  # noqa: BLE001 - logged with its traceback
                # A defect of ours must not end the tasks of the other inverters.
                self._log.exception("unexpected; starting this inverter over")
                await asyncio.sleep(timing.BACK_OFF[-1])

    async def _connect(self) -> None:
        """Open the port, identify the inverter, and poll until that fails."""
        config, clock = self._config, asyncio.get_running_loop().time
        patience = config.timeout or timing.PATIENCE[config.port.scheme]
        link = Link(config.name, patience=patience, stats=self._stats)
        try:
            link.attach(await self._open(link))
            inverter = await self._recognise(await self._identify(link))
            interval = None if config.poll == "fast" else config.poll
            poller = Poller(
                inverter,
                self._show,
                clock,
                interval=interval,
                complain=self._complain,
                publish_others=self._others.show if self._with_others else None,
                meters=EnergyMeters(inverter, self._meter, local_now),
            )
            self._poller = poller
            first = await poller.first()
            self._known = inverter
            if self._uid is None:  # so that all names of a set appear together
                first = await poller.meet_others(first, MEETING)
            await self._introduce(first, interval or FASTEST)
            self._others.release()
            self._connected(inverter)
            self._control(inverter, poller)
            await poller.run()
        finally:
            if self._uid is not None and self._known is not None:
                self._installation.controls.leave(self._uid, self._known)
            self._poller = None
            try:
                await self._end_session()
            finally:
                await link.close()

    async def _open(self, link: Link) -> Transport:
        """Open the port; while it is missing, only look whether it is there again.

        What to do about it takes a scan of the machine, and is said once.
        """
        config = self._config
        path, missing = Path(config.port.path), self._missing
        if missing is not None and not await asyncio.to_thread(path.exists):
            raise PortMissing(*missing.args)
        if config.port.scheme == "serial":
            await asyncio.to_thread(serial_starter.claim, config.port.path)
        try:
            transport = await open_transport(config.port, link, baud=config.baud)
        except PortMissing as error:
            self._missing = error
            raise
        self._missing = None
        return transport

    async def _identify(self, link: Link) -> Inverter:
        """Ask who is there; the dialect of the config belongs to the inverter."""
        dialect = self._config.dialect
        inverter = await self._meet(link, dialect)
        serial = inverter.identity.serial
        wanted = self._installation.sections.dialect(serial, self._config)
        return inverter if wanted == dialect else await self._meet(link, wanted)

    async def _meet(self, link: Link, dialect: str) -> Inverter:
        clock = asyncio.get_running_loop().time
        inverter = Inverter(self._config.name, link, clock, dialect=dialect)
        await self._modbus_probe.introduce(inverter)
        self._check_serial(inverter)
        return inverter

    async def _recognise(self, inverter: Inverter) -> Inverter:
        """Return the known inverter if this is it; else forget its reported units."""
        if (before := self._known) is None:
            return inverter
        if before.identity.serial != inverter.identity.serial:
            await self._others.forget()
        return before.resume(inverter)

    async def _end_session(self) -> None:
        """Show this unit and the units it reports as unknown."""
        try:
            if self._known is not None:
                self._show(self._known.away())
        finally:
            await self._others.close()

    async def _introduce(self, snapshot: Snapshot, interval: float) -> None:
        """Put the inverter on the bus."""
        config = self._config
        place = config.port.label
        if path := config.port.path:
            place = await asyncio.to_thread(place_of, path)
        self._others.place = place
        unit = unit_of(config)
        self._introducing = True
        try:
            enter = self._installation.introduce(unit, snapshot, place, interval)
            self._uid = await enter
        finally:
            self._introducing = False
        self.introduced = True

    def _control(self, inverter: Inverter, poller: Poller) -> None:
        if self._uid is not None:
            self._installation.control(self._uid, inverter, self._port, poller.show)

    def _meter(self, day: date | None, wh: float) -> None:
        if self._uid is not None:
            self._installation.meter(self._uid, day, wh)

    def _show(self, snapshot: Snapshot) -> None:
        """Show a snapshot; raises `LinkError` if the unit is shown at another port.

        It may have moved to another port while it did not answer here.
        """
        if snapshot.status is not None:
            self._logged.clear()
        here = self._uid is not None and self._installation.show(
            self._uid, self._port, snapshot
        )
        if not here and snapshot.status is not None:
            raise LinkError(f"{self._port}: this inverter is shown at another port now")

    def _check_serial(self, inverter: Inverter) -> None:
        """Raise `LinkError` if this port is bound to another inverter.

        It may have this one's place, or this one may be bound to another section.
        """
        config, found = self._config, inverter.identity.serial
        if config.serial in ("", found):
            return
        if self._installation.sections.of_serial(found, config.name) is None:
            raise LinkError(
                f"{config.port.label}: inverter {found or 'without a number'} is "
                f"here, but {config.name} is bound to {config.serial}; plug that one "
                'in here, or correct "serial"'
            )

    def _connected(self, inverter: Inverter) -> None:
        who = inverter.identity
        self._log.info(
            "connected on %s: serial %s, %s",
            self._config.port.label,
            who.serial or "unknown",
            who.protocol or "PI30",
        )
        self._attempts = 0
        self._logged.clear()

    def _complain(self, error: MppdbusError) -> None:
        """Log a trouble once, not at every attempt.

        Messages of ports are compared by text, damaged replies by their kind alone.
        """
        kind = type(error).__name__
        if isinstance(error, PortError):  # a changed number (a pid) is not new
            kind = re.sub(r"[0-9]+", "#", str(error))
        level = logging.DEBUG if kind in self._logged else logging.WARNING
        self._log.log(level, "%s", error)
        self._logged.add(kind)
        if self._uid is not None:
            self._installation.self_check.complain(self._uid, error)
