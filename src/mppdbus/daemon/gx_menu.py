"""What the user sets in the menu of the GX: the time zone, and what its AC input is."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from mppdbus.host.clock import use_zone
from mppdbus.model.victron_codes import AcInput
from mppdbus.venus.settings.setting import Setting, SettingValue
from mppdbus.venus.settings.store import LocalSettings

TIME_ZONE = Setting("/Settings/System/TimeZone", "/UTC")  # of the GX
AC_INPUT = "/Settings/SystemSetup/AcInput1"

log = logging.getLogger("mppdbus.settings")


class GxMenu:
    """Follows these settings; `input_changed` is called for another AC input."""

    def __init__(
        self, settings: LocalSettings, input_changed: Callable[[], None]
    ) -> None:
        self._settings, self._input_changed = settings, input_changed
        self._listens_to_input = False
        self._zone_task: asyncio.Task[None] | None = None  # uses another time zone

    def close(self) -> None:
        """End what is under way."""
        if self._zone_task is not None:
            self._zone_task.cancel()

    # -- time zone --------------------------------------------------------------------

    def follow_zone(self) -> None:
        """Use the time zone of the GX, now and when it changes; else that of the OS."""
        self._start(self._follow_zone())

    async def zone_used(self) -> None:
        """Wait until the last choice of a zone is in use."""
        if self._zone_task is not None:
            await asyncio.shield(self._zone_task)

    async def _follow_zone(self) -> None:
        self._settings.on_change(TIME_ZONE.path, self._zone_changed)
        await self._settings.add([TIME_ZONE])
        if self._settings.available:
            await self._use_zone(str(self._settings.value(TIME_ZONE.path) or ""))

    def _zone_changed(self, _path: str, zone: SettingValue | None) -> None:
        self._start(self._use_zone(str(zone or "")))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._zone_task = asyncio.get_running_loop().create_task(work)

    async def _use_zone(self, zone: str) -> None:
        if trouble := await asyncio.to_thread(use_zone, zone):
            log.warning("%s", trouble)

    # -- AC input ---------------------------------------------------------------------

    async def follow_input(self) -> AcInput:
        """Return the GX's setting of the AC input, and follow it from now on."""
        if not self._listens_to_input:
            self._listens_to_input = True
            self._settings.on_change(AC_INPUT, lambda *_: self._input_changed())
            grid = Setting(AC_INPUT, int(AcInput.GRID), 0, int(AcInput.SHORE))
            await self._settings.add([grid])
        return self.ac_input

    @property
    def ac_input(self) -> AcInput:
        """What the AC input is by the GX; the grid while it does not say."""
        value = self._settings.value(AC_INPUT)
        return AcInput.GRID if value is None else AcInput(int(value))
