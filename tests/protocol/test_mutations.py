"""From damaged bytes to the bus: never an exception, never an impossible value.

A long run: ``MPPDBUS_EXAMPLES=1000000 pytest tests/protocol/test_mutations.py``.
"""

from __future__ import annotations

import os
import random
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.frames import FRAMES
from mppdbus.errors import MppdbusError, UnknownLayout
from mppdbus.model.snapshot import Snapshot
from mppdbus.model.victron_codes import State
from mppdbus.model.views import SystemView, Unit, UnitView
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.explain import warnings_of
from mppdbus.protocol.framing import ResponseFramer, encode_reply
from mppdbus.protocol.identification import identify
from mppdbus.protocol.plausibility import Plausibility
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.protocol.replies.status import (
    DeviceMode,
    GeneralStatus,
    SecondPhase,
    SecondTracker,
    SecondTrackerDuo,
    Warnings,
)
from mppdbus.venus.tables.row import values_of
from mppdbus.venus.tables.system import SYSTEM, SYSTEM_PHASE
from mppdbus.venus.unit_service import INVERTER, MULTI

EXAMPLES = int(os.environ.get("MPPDBUS_EXAMPLES", "1500"))
SHOWN = ("QPIGS", "QPIGS2", "QMOD", "QPIWS", "QPIRI")
GOOD = [f for f in FRAMES if f.is_good and not f.is_nak and f.command in SHOWN]
UNIT = Unit("garage", "/dev/ttyUSB0", 288)

# What may be published at most, by the end of a path; below zero only the battery's.
MOST = {
    "/V": 600.0,
    "/F": 70.0,
    "/P": 160_000.0,
    "/S": 40_000.0,
    "/I": 40_000.0,
    "/Power": 120_000.0,
    "/Voltage": 66.0,
    "/Current": 600.0,
    "/Soc": 100.0,
    "/Mppdbus/Load": 300.0,
    "/State": 11,
    "/Mode": 4,
}
SIGNED = ("/Dc/0/Current", "/Dc/0/Power")

LETTERS = b"0123456789. -+eE_:xPNABSDL()\r\xe0\x00"


def accident(seed: int) -> tuple[str, bytes]:
    """A good reply dropped, inserted into, flipped, cut or merged, one to three times.

    The checksum is right again in half of the cases, as if the damage were before it.
    One number makes it all: a draw for each step would be ten times slower.
    """
    chance = random.Random(seed)
    frame, healed = chance.choice(GOOD), chance.random() < 0.5
    data = bytearray(frame.payload if healed else frame.response)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(max(1, len(data)))
        match chance.randrange(5):
            case 0:
                del data[place : place + 1]
            case 1:
                data.insert(place, chance.choice(LETTERS))
            case 2 if data:
                data[place] ^= 1 << chance.randrange(8)
            case 3:
                del data[place:]
            case 4:
                other = chance.choice(GOOD)
                data[place:] = (other.payload if healed else other.response)[place:]
    return frame.command, encode_reply(bytes(data)) if healed else bytes(data)


def read(command: str, wire: bytes, filter_: Plausibility) -> Reading | None:
    """Go the way of the daemon from bytes to a reading that may be shown."""
    found: Reading | None = None
    for frame in ResponseFramer().feed(wire):
        if not frame.intact:
            continue
        try:
            found = decode(command, frame.payload)
        except UnknownLayout as error:
            found = cast("Reading | None", error.partial)
        except MppdbusError:
            continue
        if found is not None:
            found, _ = filter_.check(found, 0.0)
    return found


def shown(reading: Reading | None) -> dict[str, Any]:
    """Publish a reading on every service, and return all values by path."""
    second = SecondTracker | SecondTrackerDuo | SecondPhase
    mode = reading if isinstance(reading, DeviceMode) else None
    warned = reading if isinstance(reading, Warnings) else None
    snapshot = Snapshot(
        online=True,
        status=reading if isinstance(reading, GeneralStatus) else None,
        second=reading if isinstance(reading, second) else None,
        trackers=2,
        mode=mode.mode if mode else "L",
        warnings=warned,
        ratings=reading if isinstance(reading, Ratings) else None,
    )
    found = identify(Evidence.gather({"QPIWS": warned} if warned else {}))
    if warned is not None:
        warnings_of(found.dialect, warned.bits)
    view = UnitView.of(UNIT, snapshot)
    system = SystemView((view,))
    return (
        values_of(MULTI, view, 1)
        | values_of(INVERTER, view, 1)
        | values_of((*SYSTEM, *SYSTEM_PHASE), system, 1)
    )


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, 2**64).map(accident))
def test_damage_never_reaches_the_bus(reply: tuple[str, bytes]) -> None:
    command, wire = reply
    values = shown(read(command, wire, Plausibility()))
    for path, value in values.items():
        if not isinstance(value, int | float) or path.startswith("/Mgmt"):
            continue
        most = next((m for end, m in MOST.items() if path.endswith(end)), None)
        if most is not None and value is not State.UNAVAILABLE:
            assert abs(value) <= most, (path, value)
        assert value >= 0 or path in SIGNED, (path, value)
