"""Writes the safe settings to inverters at free ports, for the dead-man."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from mppdbus.control.dead_man_orders import UnitOrder
from mppdbus.control.dvcc import safe_settings
from mppdbus.control.journal import Journal
from mppdbus.control.known_unit import InterviewedUnit
from mppdbus.control.unit_control import UnitControl, sentence
from mppdbus.control.write_check import ControlLevel
from mppdbus.control.write_history import SAFE
from mppdbus.errors import LinkError, MppdbusError, NoReply, NotWritten
from mppdbus.inverter.detection import Interview, linked
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.identification import Identification
from mppdbus.transport.port_url import parse_port

ATTEMPTS = 5  # to reach an inverter
PAUSE = 2.0  # s between them
ASKED = ("QID", "QPIRI", "QMCHGCR", "QMUCHGCR")
BY = f"{SAFE}: mppdbus was lost"

log = logging.getLogger("mppdbus.dead_man")


async def make_all_safe(orders: Sequence[UnitOrder], folder: Path) -> bool:
    """Make all inverters safe at once, and tell whether all are."""
    journal = Journal(folder)
    done = await asyncio.gather(*(_make_safe(order, journal) for order in orders))
    return all(done)


async def _make_safe(order: UnitOrder, journal: Journal) -> bool:
    """Write to one inverter, once it can be reached."""
    for attempt in range(ATTEMPTS):
        try:
            return await _write(order, journal)
        except LinkError as error:
            level = logging.DEBUG if attempt + 1 < ATTEMPTS else logging.ERROR
            log.log(level, "%s: %s", order.name, error)
        except MppdbusError as error:
            log.error("%s: %s", order.name, error)  # noqa: TRY400 - a plain sentence
            return False
        await asyncio.sleep(PAUSE)
    return False


async def _write(order: UnitOrder, journal: Journal) -> bool:
    port = parse_port(order.port)
    async with linked(
        port, name=order.name, baud=order.baud, patience=order.patience
    ) as link:
        interview = Interview(link)
        for query in ASKED:
            await interview.try_read(query)
        answers = interview.answers
        if "QPIRI" not in answers.readings:
            raise NoReply("it does not tell its settings")
        if order.serial and (answers.serial or order.serial) != order.serial:
            raise NotWritten(f"another inverter is there now: {answers.serial}")
        found = answers.identification
        found = Identification(
            *(DIALECTS[order.dialect], 1.0, (), found.family, found.nominal_voltage)
        )
        unit = InterviewedUnit(order.unit, link, interview, found)
        control = UnitControl(unit, journal, level=ControlLevel(order.level))
        return await _write_all(order, control)


async def _write_all(order: UnitOrder, control: UnitControl) -> bool:
    """Write one after the other; what cannot be written does not stop the rest."""
    shown = {each.name: each for each in control.settings()}
    wanted, troubles = safe_settings(shown, order.safe)
    for trouble in troubles:
        log.error("%s: %s", order.name, trouble)
    for name, value in wanted.items():
        try:
            write = await control.set(name, value, by=BY, confirmed=True)
        except NotWritten as error:
            troubles.append(f"{error}")
            log.error("%s: %s", order.name, error)  # noqa: TRY400 - a plain sentence
        else:
            log.warning("%s: %s", order.name, sentence(shown[name], write))
            if not write.done:
                troubles.append(write.why)
    return not troubles
