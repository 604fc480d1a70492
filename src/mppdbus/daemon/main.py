"""Builds everything from the config and keeps it running until it is told to end."""

import asyncio
import logging
import os
import signal

from mppdbus.config.models import BatteryConfig, Config
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.session import Session
from mppdbus.host.platform import is_service, on_venus, state_directory
from mppdbus.host.signals import on_signals, until_signal
from mppdbus.model.battery.bank import BankSettings
from mppdbus.venus.dbus.connection import bus_address

TOGETHER = 3.0  # s that inverters wait for each other at the start
PATIENCE_SETTINGS = 10.0  # s that localsettings may take to appear on Venus OS

log = logging.getLogger("mppdbus.daemon")


async def run(config: Config) -> None:
    """Serve all inverters of the config until SIGTERM, SIGINT or SIGHUP.

    As a service it goes on after SIGHUP, see `is_service`.
    It waits for a bus that is not there, and for a name that has another owner. A
    failure of one inverter does not affect the others. Raises `BusError` when the
    config names no bus.
    """
    venus = await asyncio.to_thread(on_venus)
    serving = _serve(config, venus=venus)
    if await asyncio.to_thread(is_service, os.environ, venus=venus):
        with on_signals(_hang_up, signals=(signal.SIGHUP,)):
            await until_signal(serving, signals=(signal.SIGTERM, signal.SIGINT))
    else:
        await until_signal(serving)


def _hang_up() -> None:
    log.info("SIGHUP: the config is read only at the start; restart the service for it")


async def _serve(config: Config, *, venus: bool) -> None:
    installation = Installation(
        bus_address(config.dbus.bus),
        state_directory(os.environ, venus=venus),
        banks_of(config),
        expected=len(config.inverter),
        patience=PATIENCE_SETTINGS if venus else 0.0,
        together=TOGETHER,
        configs=config.inverter,
    )
    try:
        await installation.open()
        alone = len(config.inverter) == 1
        async with asyncio.TaskGroup() as sessions:
            for unit in config.inverter:
                others = alone if unit.others == "auto" else unit.others
                session = Session(unit, installation, others=others)
                sessions.create_task(session.run(), name=unit.name)
    except asyncio.CancelledError:
        log.info("told to end")
        raise
    finally:
        await installation.close()


def banks_of(config: Config) -> dict[str, BankSettings]:
    """Return the settings of each battery of the config, by its name."""
    names = [unit.battery for unit in config.inverter]
    return {name: _settings(config.bank(name), names.count(name)) for name in names}


def _settings(said: BatteryConfig, units: int) -> BankSettings:
    return BankSettings(
        source=said.soc,
        chemistry=None if said.chemistry == "auto" else said.chemistry,
        capacity_ah=said.capacity_ah or None,
        cells=said.cells or None,
        units=units,
    )
