"""Two units with one serial number: the same unit at another port, or really two."""

import asyncio
from collections.abc import Callable

from mppdbus.model.site import Site
from mppdbus.model.views import Unit, UnitView

WAIT = 10.0  # s at most, to see which of two units with one number still answers
POLLS_WAITED = 2.5  # polls, if they take longer
LOOK = 0.1  # s between two checks


def twins_of(site: Site, unit: Unit, serial: str | None) -> list[UnitView]:
    """Return the units of this serial number at other ports than that of `unit`."""
    return [
        view
        for view in site.views.values()
        if serial is not None
        and view.snapshot.identity.serial == serial
        and view.unit.connection != unit.connection
    ]


async def wait_for_twins(
    site: Site,
    unit: Unit,
    serial: str | None,
    interval: float,
    clock: Callable[[], float],
) -> None:
    """Wait until it is clear whether this unit is also where it was before.

    A unit that has just been moved may still count as online at its old port.
    `interval` s of `clock` is the time between two polls.
    """
    patience, arrived = max(WAIT, POLLS_WAITED * interval), clock()
    while clock() - arrived < patience:
        if not any(
            view.snapshot.online
            and not view.unit.reported
            and site.heard(view.unit.uid) < arrived
            for view in twins_of(site, unit, serial)
        ):
            return
        await asyncio.sleep(LOOK)
