"""Finds the optional queries that a unit answers."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from mppdbus.errors import CorruptReply, EchoedRequest, NoReply, Refused, UnknownLayout
from mppdbus.protocol.optional_queries import CAPABILITIES, Capabilities, Outcome
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.other import Clock

Ask = Callable[[str], Awaitable[Reading]]  # sends one query, and never repeats it

CLOCK = "QT"
UNSURE = (Outcome.REFUSED, Outcome.SILENT)  # it may be a mishap: asked once more


async def probe_capabilities(
    ask: Ask,
    queries: Iterable[str] = tuple(CAPABILITIES),
    *,
    now: datetime | None = None,
) -> Capabilities:
    """Ask each query and remember NAK and silence, if they come in two rounds.

    A query is repeated at once after a damaged reply. Dated queries use the inverter's
    clock, asked before them, else `now`; without both they are left out. Raises what
    `ask` raises for a lost port or another protocol.
    """
    outcomes: dict[str, Outcome] = {}
    readings: dict[str, Reading] = {}
    for again in (False, True):
        for query in queries:
            if again and outcomes.get(query) not in UNSURE:
                continue
            clock = readings.get(CLOCK)
            theirs = clock.time if isinstance(clock, Clock) else None
            if (command := CAPABILITIES[query].command(theirs or now)) is None:
                continue
            outcomes[query], reading = await _once(ask, command)
            if outcomes[query] is Outcome.DAMAGED:
                outcomes[query], reading = await _once(ask, command)
            if reading is not None:
                readings[query] = reading
    return Capabilities(outcomes, readings)


async def _once(ask: Ask, command: str) -> tuple[Outcome, Reading | None]:
    try:
        return Outcome.ANSWERED, await ask(command)
    except Refused:
        return Outcome.REFUSED, None
    except UnknownLayout as error:
        return Outcome.STRANGE, error.partial
    except NoReply:
        return Outcome.SILENT, None
    except (CorruptReply, EchoedRequest):
        return Outcome.DAMAGED, None
