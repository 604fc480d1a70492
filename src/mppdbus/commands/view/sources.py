"""Sources of pictures: our own line to an inverter, or the services on a D-Bus."""

import asyncio
from typing import Protocol

from mppdbus.commands.target import Target
from mppdbus.commands.view.live_values import Picture, of_service, of_unit
from mppdbus.errors import MppdbusError, OtherProtocol
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.poller import Poller
from mppdbus.inverter.schedule import ONCE
from mppdbus.inverter.timing import BACK_OFF
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.views import Unit, UnitView
from mppdbus.venus.dbus.client import BusClient

LONG_ENOUGH = len(ONCE) + 1  # polls until all other queries have been asked


class Source(Protocol):
    """Pictures of one or more inverters, kept up to date."""

    changed: asyncio.Event
    patience: float  # s that a picture may take to become complete
    nothing: str  # what to say when there is none

    async def run(self) -> None:
        """Follow until cancelled; raises errors that a retry cannot solve."""

    def pictures(self) -> list[Picture]:
        """Return the present picture of each inverter."""

    @property
    def complete(self) -> bool:
        """True when the pictures are complete."""


class LineSource:
    """Polls an inverter, and reconnects when it is lost.

    The first connection must succeed, or `run` raises why it did not.
    """

    patience = 15.0
    nothing = "the inverter gives no live values"

    def __init__(self, target: Target, *, once: bool) -> None:
        self.changed = asyncio.Event()
        self._target = target
        self._once = once
        self._clock = asyncio.get_running_loop().time
        self._unit = Unit(target.name, target.port.label, instance=0)
        self._snapshot = Snapshot()
        self._good = self._clock()  # time of the last live values
        self._poller: Poller | None = None
        self._polls = 0
        self._known: Inverter | None = None
        self._trouble: str | None = None  # since the last live values

    async def run(self) -> None:
        """Poll until cancelled, through lost connections."""
        attempts = 0  # since the last live values
        while True:
            good = self._good
            try:
                await self._session()
            except MppdbusError as error:
                hopeless = isinstance(error, OtherProtocol)
                if hopeless or self._once or not self._polls:
                    raise
                self._complain(error)
            self._take(Snapshot(identity=self._snapshot.identity))
            attempts = 0 if self._good > good else attempts
            await asyncio.sleep(BACK_OFF[min(attempts, len(BACK_OFF) - 1)])
            attempts += 1

    async def _session(self) -> None:
        async with self._target.connected() as inverter:
            await inverter.introduce()
            if self._known is not None:
                inverter = self._known.resume(inverter)  # noqa: PLW2901
            self._known = inverter
            poller = Poller(
                inverter,
                self._take,
                self._clock,
                interval=self._target.poll,
                complain=self._complain,
            )
            self._poller = poller
            self._take(await poller.first())
            await poller.run()

    def _take(self, snapshot: Snapshot) -> None:
        status = snapshot.status
        if status is not None and status is not self._snapshot.status:
            self._good = self._clock()
            self._trouble = None
        self._snapshot = snapshot
        self._polls += 1
        self.changed.set()

    def _complain(self, error: MppdbusError) -> None:
        self._trouble = str(error)

    @property
    def complete(self) -> bool:
        """True when model, ratings, warnings and trackers are known, or long asked."""
        known = self._snapshot
        parts = (known.status, known.ratings, known.warnings, known.trackers)
        complete = None not in (*parts, known.identity.model)
        return complete or self._polls >= LONG_ENOUGH

    def pictures(self) -> list[Picture]:
        """Return the picture of the inverter, without values that are too old."""
        age = self._clock() - self._good
        if not self._polls:
            return [Picture(self._unit.name, self._unit.connection)]
        picture = of_unit(UnitView.of(self._unit, self._snapshot), age=age)
        # A slow line makes the poller keep values for longer, as it goes.
        keep = self._poller.keep["QPIGS"] if self._poller else 0.0
        if not self._snapshot.online or age > keep:
            picture = picture.gone(age, self._trouble)
        return [picture]


# -- D-Bus -------------------------------------------------------------------------

CLASSES = ("multi", "inverter", "acsystem")  # the first of these on the bus is shown


class BusSource:
    """Follows the inverters on a D-Bus as Victron's programs do.

    `service` is a name or its beginning; without one, the inverters are shown.
    """

    patience = 6.0
    nothing = "no inverter on this D-Bus gives values; does mppdbus run serve on it?"

    def __init__(self, watcher: BusClient, service: str | None) -> None:
        self.changed = asyncio.Event()
        self._watcher = watcher
        self._service = service
        self._clock = asyncio.get_running_loop().time
        self._heard: dict[str, float] = {}  # time of a service's last change
        self._left: dict[str, Picture] = {}  # the services that have gone

    async def run(self) -> None:
        """Follow until the bus hangs up, which is a `BusError`."""
        async for change in self._watcher.changes():
            name, came = change.service, change.values is not None
            if came:
                self._left.pop(name, None)
            elif name in self._heard:
                self._left[name] = Picture(name, name)
            if came or name in self._heard:
                self._heard[name] = self._clock()
            if self._wanted([name]):
                self.changed.set()

    @property
    def live(self) -> bool:
        """True when there is an inverter that answers."""
        return any(picture.live for picture in self.pictures())

    @property
    def complete(self) -> bool:
        """True when PV and alarms are known, too, which come a little later."""
        late = [(one.pv_power, one.alarms) for one in self.pictures() if one.live]
        return bool(late) and all(None not in pair for pair in late)

    def pictures(self) -> list[Picture]:
        """Return a picture of each service that is wanted."""
        now, shown = self._clock(), []
        for name in self._wanted([*self._watcher.services(), *self._left]):
            age = now - self._heard.get(name, now)
            if name in self._left:
                shown.append(self._left[name].gone(age))
            else:
                shown.append(of_service(name, self._watcher.snapshot(name), age=age))
        return shown or [Picture("no inverter on this bus yet", "")]

    def _wanted(self, names: list[str]) -> list[str]:
        if self._service is not None:
            return [name for name in names if name.startswith(self._service)]
        for kind in CLASSES:
            prefix = f"com.victronenergy.{kind}"
            found = [n for n in names if n == prefix or n.startswith(f"{prefix}.")]
            if found:
                return found
        return []
