"""What the command line asks of a running service: all settings, or a write.

A request and its answer are JSON, in two paths of the inverter's service. The answer
has its replies, so that the command line shows them as those of a free port.
"""

import json
from dataclasses import asdict
from typing import Any

from mppdbus.control.settings import NAMING, QUERIES
from mppdbus.control.unit_control import UnitControl
from mppdbus.errors import MppdbusError
from mppdbus.inverter.device import Inverter


async def answer(
    control: UnitControl, inverter: Inverter, request: str, by: str
) -> tuple[str, bool]:
    """Do what is requested; return the answer, and whether it was done."""
    try:
        asked = json.loads(request)
        found = await _done(control, inverter, asked, by)
    except MppdbusError as error:
        return json.dumps({"kind": error.kind, "error": str(error)}), False
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        said = f"not understood: {type(error).__name__} {error}"
        return json.dumps({"kind": "error", "error": said}), False
    return json.dumps({"id": asked["id"], **found}), True


async def _done(
    control: UnitControl, inverter: Inverter, asked: dict[str, Any], by: str
) -> dict[str, Any]:
    known = inverter.readings
    if (name := asked.get("setting")) is None:
        before = dict(known.kept)
        await control.learn(anew=True)
        fresh = {q for q in QUERIES if known.kept.get(q) is not before.get(q)}
        return _known(control, inverter, fresh)
    planned = control.plan(name, asked["value"], confirmed=asked["confirmed"] is True)
    write = await control.write(
        planned,
        by=f"{asked['by']}; {by}",
        plan=str(asked["plan"]),
        rest={str(key): float(value) for key, value in asked["rest"].items()},
        undoes=str(asked["undoes"]),
    )
    return {**_known(control, inverter, set(QUERIES)), "write": asdict(write)}


def _known(
    control: UnitControl, inverter: Inverter, queries: set[str]
) -> dict[str, Any]:
    """Return who the inverter is, and its replies to these queries."""
    found, readings = control.unit.found, inverter.readings
    shown = (queries & readings.proven().keys()) - readings.strange
    return {
        "level": str(control.level),
        "journal": str(control.journal.path.parent),
        "dialect": found.dialect.name,
        "confidence": found.confidence,
        "family": found.family,
        "nominal_voltage": found.nominal_voltage,
        "replies": {
            query: payload.hex()
            for query, payload in readings.payloads.items()
            if query in shown or query in NAMING
        },
    }
