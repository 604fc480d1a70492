"""Builds everything from the config and keeps it running until it is told to end."""

import asyncio
import logging
import os
import signal

from mppdbus.config.models import Config
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.session import Session, unit_of
from mppdbus.host.platform import on_venus, state_directory
from mppdbus.host.signals import on_signals
from mppdbus.model.battery.bank import BankSettings
from mppdbus.venus.dbus.connection import bus_address

PATIENCE_SETTINGS = 10.0  # s that localsettings may take to appear on Venus OS

log = logging.getLogger("mppdbus.daemon")


async def run(config: Config) -> None:
    """Serve all inverters of the config until SIGTERM or SIGINT.

    Raises `BusError` when there is no bus or a name has another owner. A failure of one
    inverter does not affect the others.
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
        for unit in config.inverter:
            alone = len(config.inverter) == 1
            others = alone if unit.others == "auto" else unit.others
            session = Session(unit, installation, others=others)
            tasks.append(loop.create_task(session.run(), name=unit.name))
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
    """Return the battery settings of the config."""
    said = config.battery
    return BankSettings(
        source=said.soc,
        chemistry=None if said.chemistry == "auto" else said.chemistry,
        capacity_ah=said.capacity_ah or None,
        cells=said.cells or None,
        units=len(config.inverter),
    )
