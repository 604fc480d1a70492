"""Builds everything from the config and keeps it running until it is told to end."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable

from mppdbus.config.models import Config
from mppdbus.daemon.bms_follower import BmsFollower
from mppdbus.daemon.clock_keeper import ClockKeeper
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.running import RunningSessions
from mppdbus.daemon.sections import banks_of, levels_of
from mppdbus.daemon.service_report import ServiceReport
from mppdbus.host import serial_starter
from mppdbus.host.platform import is_service, on_venus, state_directory
from mppdbus.host.service_manager import ServiceManager
from mppdbus.host.signals import on_signals, until_signal
from mppdbus.venus.dbus.connection import bus_address

TOGETHER = 3.0  # s that inverters wait for each other at the start
PATIENCE_SETTINGS = 10.0  # s that localsettings may take to appear on Venus OS

log = logging.getLogger("mppdbus.daemon")


async def run(config: Config, read: Callable[[], Config]) -> None:
    """Serve all inverters of the config until SIGTERM, SIGINT or SIGHUP.

    A service, see `is_service`, calls `read` at SIGHUP and follows what has changed.
    It waits for a bus that is not there, and for a name that has another owner. A
    failure of one inverter does not affect the others. Raises `BusError` when the
    config names no bus.
    """
    venus = await asyncio.to_thread(on_venus)
    folder = state_directory(os.environ, venus=venus)
    installation = Installation(
        bus_address(config.dbus.bus),
        folder,
        banks_of(config),
        expected=len(config.inverter),
        patience=PATIENCE_SETTINGS if venus else 0.0,
        together=TOGETHER,
        configs=config.inverter,
        levels=levels_of(config),
    )
    installation.controls.allow_mode(config.control.mode)
    installation.rules.use(config.rule)
    if venus:
        named = [unit.port.path for unit in config.inverter]
        await asyncio.to_thread(serial_starter.forget_all_but, named)
    manager = ServiceManager(os.environ)
    running = RunningSessions(config, installation, manager, read)
    follower = BmsFollower(lambda: running.config, installation, folder)
    serving = _serve(installation, running, manager, follower)
    if await asyncio.to_thread(is_service, os.environ, venus=venus):
        with on_signals(running.reload_soon, signals=(signal.SIGHUP,)):
            await until_signal(serving, signals=(signal.SIGTERM, signal.SIGINT))
    else:
        await until_signal(serving)


async def _serve(
    installation: Installation,
    running: RunningSessions,
    manager: ServiceManager,
    follower: BmsFollower,
) -> None:
    report = ServiceReport(manager, installation, running.sessions)
    keeper = ClockKeeper(
        installation.controls.units, lambda: running.config.control.clock
    )
    tasks = [asyncio.create_task(each.run()) for each in (report, keeper)]
    following: asyncio.Task[None] | None = None
    try:
        await installation.open()
        following = asyncio.create_task(follower.run())
        await running.run()
    except asyncio.CancelledError:
        log.info("told to end")
        if following is not None:
            following.cancel()
        await follower.close()  # on purpose; after a crash the dead-man acts
        raise
    finally:
        manager.stopping()
        await installation.close()
        for task in tasks:
            task.cancel()
