"""Builds everything from the config and keeps it running until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
from datetime import date

from mppdbus.config.models import Config, InverterConfig
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.told_units import Others
from mppdbus.errors import (
    BusAway,
    BusError,
    LinkError,
    MppdbusError,
    OtherProtocol,
    PortError,
)
from mppdbus.host.clock import local_now
from mppdbus.host.platform import on_venus, state_directory
from mppdbus.host.port_location import place_of
from mppdbus.host.signals import on_signals
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.energy_meters import Meters
from mppdbus.inverter.link import Link
from mppdbus.inverter.modbus_probe import Stranger
from mppdbus.inverter.poller import Poller
from mppdbus.inverter.schedule import FASTEST
from mppdbus.inverter.timing import BACK_OFF, PATIENCE
from mppdbus.model.battery.bank import BankSettings
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import AcInput
from mppdbus.model.views import Unit
from mppdbus.transport import open_transport
from mppdbus.venus.dbus.service import bus_address

STRANGER_PAUSE = 60.0  # s before a port that speaks something else is tried again
PATIENCE_SETTINGS = 10.0  # s that localsettings may take to appear on Venus OS

AC_INPUTS = {
    "none": AcInput.NONE,
    "grid": AcInput.GRID,
    "generator": AcInput.GENERATOR,
    "shore": AcInput.SHORE,
    "setting": AcInput.GRID,  # until that is known
}

log = logging.getLogger("mppdbus.daemon")


async def run(config: Config) -> None:
    """Serve all inverters of the config until SIGTERM or SIGINT.

    Raises `BusError` when there is no bus or a name belongs to somebody else; whatever
    happens to one inverter leaves the others alone.
    """
    ended = asyncio.Event()
    with on_signals(ended.set, signals=(signal.SIGTERM, signal.SIGINT)):
        await _serve(config, ended)


async def _serve(config: Config, ended: asyncio.Event) -> None:
    venus = await asyncio.to_thread(on_venus)
    installation = Installation(
        bus_address(config.dbus.bus),
        state_directory(os.environ, venus=venus),
        bank_of(config),
        expected=len(config.inverter),
        patience=PATIENCE_SETTINGS if venus else 0.0,
    )
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[object]] = []
    try:
        await installation.open([unit_of(unit) for unit in config.inverter])
        for index, unit in enumerate(config.inverter):
            alone = len(config.inverter) == 1
            others = alone if unit.others == "auto" else unit.others
            keeper = Keeper(unit, index, installation, others=others)
            tasks.append(loop.create_task(keeper.run(), name=unit.name))
        tasks.append(loop.create_task(ended.wait(), name="signal"))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a BusError ends the daemon
        log.info("told to end")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await installation.close()


def bank_of(config: Config) -> BankSettings:
    """Return what the config says of the battery."""
    said = config.battery
    return BankSettings(
        source=said.soc,
        chemistry=None if said.chemistry == "auto" else said.chemistry,
        capacity_ah=said.capacity_ah or None,
        cells=said.cells or None,
        units=len(config.inverter),
    )


def unit_of(config: InverterConfig) -> Unit:
    """Return the unit that a section of the config describes."""
    return Unit(
        name=config.name,
        connection=config.port.label,
        instance=config.instance,
        phase=1 if config.phase == "auto" else config.phase,
        phase_follows=config.phase == "auto",
        ac_input=AC_INPUTS[config.ac_input],
        ac_input_follows=config.ac_input == "setting",
        profile=config.profile,
        bus_name=config.bus_name,
    )


class Keeper:
    """Keeps one inverter connected: opens its port, polls it, and starts over.

    `others`: show the other units of its set, of which it tells, as well.
    """

    def __init__(
        self,
        config: InverterConfig,
        index: int,
        installation: Installation,
        *,
        others: bool = False,
    ) -> None:
        self._config = config
        self._index = index
        self._installation = installation
        self._log = logging.getLogger(f"mppdbus.{config.name}")
        self._told: set[str] = set()  # troubles since the last live value
        self._attempts = 0
        self._stranger = Stranger(config.port, config.baud)
        self._known: Inverter | None = None  # of this or the last connection
        self._with_others = others
        self._others = Others(installation, index, unit_of(config))

    async def run(self) -> None:
        """Run for ever; only `BusError` gets out."""
        while True:
            try:
                await self._session()
            except OtherProtocol as error:
                self._complain(error)
                await asyncio.sleep(STRANGER_PAUSE)
            except MppdbusError as error:
                if isinstance(error, BusError) and not isinstance(error, BusAway):
                    raise
                self._complain(error)
                await asyncio.sleep(BACK_OFF[min(self._attempts, len(BACK_OFF) - 1)])
                self._attempts += 1
            except Exception:  # noqa: BLE001 - logged with its traceback
                # The outer edge of the task: a defect of ours must not end the others.
                self._log.exception("unexpected; starting this inverter over")
                await asyncio.sleep(BACK_OFF[-1])

    async def _session(self) -> None:
        """Open the port, say who is there, and poll until that fails."""
        config, clock = self._config, asyncio.get_running_loop().time
        patience = config.timeout or PATIENCE[config.port.scheme]
        link = Link(config.name, patience=patience)
        inverter = Inverter(config.name, link, clock, dialect=config.dialect)
        try:
            link.attach(await open_transport(config.port, link, baud=config.baud))
            interval = None if config.poll == "fast" else config.poll
            poller = Poller(
                inverter,
                self._show,
                clock,
                interval=interval,
                complain=self._complain,
                publish_others=self._others.show,
                set_members=self._with_others,
                meters=Meters(inverter, self._meter, local_now),
            )
            await self._stranger.introduce(inverter)
            self._check_serial(inverter)
            await self._recognise(inverter)
            first = await poller.first()
            self._known = inverter
            await self._introduce(first, interval or FASTEST)
            self._connected(inverter)
            await poller.run()
        finally:
            try:
                await self._end_session()
            finally:
                await link.close()

    async def _recognise(self, inverter: Inverter) -> None:
        """Go on with what is known of this unit; another one tells of other units."""
        if (before := self._known) is None:
            return
        if before.identity.serial != inverter.identity.serial:
            await self._others.forget()
        inverter.remember(before)

    async def _end_session(self) -> None:
        """Show that nothing is known any more, of this one and of those it tells of."""
        try:
            if self._known is not None:
                self._show(self._known.away())
        finally:
            self._installation.gone(self._index)
            await self._others.close()

    async def _introduce(self, snapshot: Snapshot, interval: float) -> None:
        """Put the inverter on the bus."""
        config, installation = self._config, self._installation
        place = config.port.label
        if path := config.port.path:
            place = await asyncio.to_thread(place_of, path)
        self._others.place = place
        unit = unit_of(config)
        await installation.introduce(self._index, unit, snapshot, place, interval)

    def _meter(self, day: date | None, wh: float) -> None:
        self._installation.meter(self._index, day, wh)

    def _show(self, snapshot: Snapshot) -> None:
        if snapshot.status is not None:
            self._told.clear()
        self._installation.show(self._index, snapshot)

    def _check_serial(self, inverter: Inverter) -> None:
        wanted, found = self._config.serial, inverter.identity.serial
        if wanted and wanted != found:
            raise LinkError(
                f"{self._config.port.label}: inverter {found or 'without a number'} is "
                f"here, but {self._config.name} is bound to {wanted}"
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
        self._told.clear()

    def _complain(self, error: MppdbusError) -> None:
        """Log a trouble once, not at every attempt.

        Ports differ in what they say. No two damages are alike, so their kind counts.
        """
        kind = type(error).__name__
        if isinstance(error, PortError):  # numbers, such as of processes, are no news
            kind = re.sub(r"[0-9]+", "#", str(error))
        level = logging.DEBUG if kind in self._told else logging.WARNING
        self._log.log(level, "%s", error)
        self._told.add(kind)
