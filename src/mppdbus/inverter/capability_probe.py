"""Finds the optional queries that a unit answers: asks each of them once."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from mppdbus.errors import CorruptReply, EchoedRequest, NoReply, Refused, UnknownLayout
from mppdbus.protocol.optional_queries import CAPABILITIES, Capabilities, Outcome
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.other import Clock

Ask = Callable[[str], Awaitable[Reading]]  # sends one query, and never repeats it

CLOCK = "QT"


async def probe_capabilities(
    ask: Ask,
    queries: Iterable[str] = tuple(CAPABILITIES),
    *,
    now: datetime | None = None,
) -> Capabilities:
    """Ask each query once and remember NAK and silence.

    A query is repeated only after a damaged reply, or if it is the first and gets no
    answer: some units lose the first request after a pause. Dated queries use the
    inverter's clock, asked before them, else `now`; without both they are left out.
    Raises what `ask` raises for a lost port or another protocol.
    """
    outcomes: dict[str, Outcome] = {}
    readings: dict[str, Reading] = {}
    for query in queries:
        capability = CAPABILITIES[query]
        clock = readings.get(CLOCK)
        theirs = clock.time if isinstance(clock, Clock) else None
        command = capability.command(theirs or now)
        if command is None:
            continue
        again = (Outcome.DAMAGED,) if outcomes else (Outcome.DAMAGED, Outcome.SILENT)
        outcome, reading = await _once(ask, command)
        if outcome in again:
            outcome, reading = await _once(ask, command)
        outcomes[query] = outcome
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
