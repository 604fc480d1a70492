"""The sessions that run now, and how they follow a new config."""

import asyncio
import logging
from collections.abc import Callable

from mppdbus.config.models import Config
from mppdbus.daemon.config_change import ConfigChange
from mppdbus.daemon.installation import Installation
from mppdbus.daemon.sections import banks_of, levels_of
from mppdbus.daemon.session import Session
from mppdbus.errors import ConfigError
from mppdbus.host.service_manager import ServiceManager

log = logging.getLogger("mppdbus.daemon")


class RunningSessions:
    """One session for each `[[inverter]]`, as tasks of `group`.

    `read` reads the config again; what it says is taken where it can be.
    """

    def __init__(
        self,
        config: Config,
        installation: Installation,
        manager: ServiceManager,
        read: Callable[[], Config],
    ) -> None:
        self.config = config
        self._installation, self._manager, self._read = installation, manager, read
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reload_wanted = asyncio.Event()
        self.sessions: dict[str, Session] = {}  # by the name of the section

    def reload_soon(self) -> None:
        """Read the config again as soon as everything runs."""
        self._reload_wanted.set()

    async def run(self) -> None:
        """Run all sessions for ever, and reload when asked to."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._start()
            while True:
                await self._reload_wanted.wait()
                self._reload_wanted.clear()
                self._manager.reloading()
                try:
                    await self._reload()
                finally:
                    self._manager.ready()

    def _start(self) -> None:
        """Start the sessions of all sections that have none."""
        assert self._group is not None  # noqa: S101 - `run` has set it
        for section in self.config.inverter:
            if section.name not in self.sessions:
                others = shows_others(self.config, section.name)
                session = Session(section, self._installation, others=others)
                self.sessions[section.name] = session
                task = self._group.create_task(session.run(), name=section.name)
                self._tasks[section.name] = task

    async def _reload(self) -> None:
        """Take the new config, or none of it if it is wrong."""
        try:
            new = await asyncio.to_thread(self._read)
        except ConfigError as error:
            said = "; ".join(str(error).splitlines())
            log.error("the new config is wrong, the old one goes on: %s", said)  # noqa: TRY400
            return
        change = ConfigChange.between(self.config, new)
        if new.dbus != self.config.dbus:
            log.warning("[dbus] bus: another one needs a restart of the service")
        logging.getLogger().setLevel(new.log.level)
        log.info("the config was read again: %s", change.words)
        await self._stop({*change.removed, *change.changed})
        self.config = new.model_copy(update={"dbus": self.config.dbus})
        self._installation.controls.allow_mode(new.control.mode)
        await self._installation.reconfigure(
            new.inverter, banks_of(new), change.leaving, levels_of(new)
        )
        self._installation.rules.use(new.rule)
        for name, session in self.sessions.items():
            await session.show_others(shows_others(new, name))
        self._start()

    async def _stop(self, names: set[str]) -> None:
        """End these sessions, and those at whose ports their inverters are."""
        ports = {
            view.unit.connection
            for view in self._installation.site.views.values()
            if view.unit.name in names
        }
        names |= {
            section.name
            for section in self.config.inverter
            if section.port.label in ports
        }
        ending = [self._tasks.pop(name) for name in names]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for name in names:
            del self.sessions[name]


def shows_others(config: Config, name: str) -> bool:
    """Tell whether the other units of its set are shown for a section."""
    (section,) = (each for each in config.inverter if each.name == name)
    if section.others == "auto":
        return len(config.inverter) == 1
    return section.others
