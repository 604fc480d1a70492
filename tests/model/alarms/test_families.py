"""Each bit of each simulated inverter, from its frame to the alarm that it raises.

What is expected stands here by position and document, not by the tables of the code.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mppdbus.errors import MppdbusError
from mppdbus.model.alarms.effects import LEAVES
from mppdbus.model.alarms.levels import AlarmState, NoticeKind, sentence
from mppdbus.model.alarms.watch import AlarmWatch
from mppdbus.model.snapshot import Identity, Snapshot
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.framing import ResponseFramer, encode_reply
from mppdbus.protocol.identification import identify
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.status import GeneralStatus, Warnings
from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.simulator.unit.profiles import PROFILES

# Position → (path, level, level with a1). Common to all documents.
PATHS: dict[int, tuple[str, int, int]] = {
    5: ("GridLost", 2, 2),
    6: ("ShortCircuit", 1, 2),
    7: ("LowVoltageAcOut", 2, 2),
    8: ("HighVoltageAcOut", 2, 2),
    9: ("HighTemperature", 1, 2),
    11: ("HighVoltage", 1, 2),
    12: ("LowVoltage", 1, 1),
    14: ("LowVoltage", 2, 2),
    16: ("Overload", 1, 2),
}
OPEN = {22: ("LowVoltage", 2, 2)}
TOO_LOW_TO_CHARGE = ("LowVoltage", 1, 1)
ERRORS = {18: 18}  # position → /ErrorCode, with a1
NOTICES = {2, 3, 4, 10, 17, 19, 20, 21, 23}
SILENT = {0, 15}  # and warnings in words only


class Column:
    """A column of the table of documents: what it has beyond the common rows."""

    def __init__(
        self,
        *profiles: str,
        paths: dict[int, tuple[str, int, int]] | None = None,
        errors: dict[int, int] | None = None,
        notices: set[int] | None = None,
        silent: set[int] | None = None,
        digits: tuple[int, ...] = (),
    ) -> None:
        self.profiles = profiles
        self.paths = PATHS | (paths or {})
        self.errors = ERRORS | (errors or {})
        self.notices = NOTICES | (notices or set())
        self.silent = SILENT | (silent or set())
        self.digits = digits


FIRST = {**OPEN, 29: TOO_LOW_TO_CHARGE}
COLUMNS = (
    Column(
        *("ms-3000", "ms-3000-17", "mks-5000", "nxpw-4200", "nxpw-10200", "vevor-4000"),
        paths=FIRST,
        errors={26: 33, 27: 34},
        notices={24},
        silent={25, 28},
    ),
    Column(
        *("plus-duo-5000", "plus-tri-5000"),
        paths={**FIRST, 33: TOO_LOW_TO_CHARGE, 37: TOO_LOW_TO_CHARGE},
        errors={26: 33, 27: 34, 30: 33, 31: 34, 34: 33, 35: 34},
        notices={24},
        silent={25, 28, 32, 36},
    ),
    Column(
        "lv5048",
        paths={**FIRST, 13: ("HighVoltage", 1, 2)},
        errors={26: 33, 27: 34},
        notices={24, 30},
        silent={25, 28},
    ),
    Column(
        "king-5000",
        paths=FIRST,
        errors={26: 33, 27: 34},
        notices={24, 30},
        silent={25, 28},
        digits=(32, 33),
    ),
    Column("mks2-5000", paths=OPEN, digits=(32, 33)),
    Column(
        *("axpert-5000", "vm3-twin-4000"),
        paths=OPEN,
        notices={34},
        silent={33, 35},
        digits=(31, 32),
    ),
    Column(*("vm4-3200", "max-3600"), notices={34}, silent={33, 35}, digits=(31, 32)),
    Column(
        *("max-7200", "max-8000", "max-11000", "phocos-5000", "eg4-6500", "lv6548"),
        silent={31, 35},
        digits=(32, 33),
    ),
)
WITHOUT_QPIWS = {"revo-5500"}

# Code of a fault → (path or None, /ErrorCode), by the column of PI30's fault codes.
CODES: dict[int, tuple[str | None, int]] = {
    1: (None, 0),
    2: ("HighTemperature", 0),
    3: ("HighVoltage", 0),
    4: ("LowVoltage", 0),
    5: ("ShortCircuit", 0),
    6: ("HighVoltageAcOut", 0),
    7: ("Overload", 0),
    8: (None, 0),
    9: (None, 0),
    51: (None, 18),
    58: ("LowVoltageAcOut", 0),
    80: (None, 0),
}
CODES_NEWER = {10: (None, 34), 11: (None, 33)}  # C to G
CODES_OLDER = {11: (None, 0), 56: ("LowVoltage", 0)}  # A, B, H: 11 is a relay

IDENTIFYING = (
    *("QPI", "QPIRI", "QPIGS", "QPIGS2", "QMN", "QGMN", "QVFW", "QFLAG", "QPIWS"),
    *("Q1", "QDI", "QPGS0"),
)


def overheard(inverter: SimulatedInverter, command: str) -> Reading | None:
    """Ask, and decode the frame that comes back; None for a no."""
    said = inverter.answer(command)
    if said in (None, "NAK"):
        return None
    [frame] = ResponseFramer().feed(encode_reply(said or ""))
    assert frame.intact
    try:
        return decode(command, frame.payload)
    except MppdbusError:
        return None


def dialect_of(profile: str) -> Dialect:
    inverter = SimulatedInverter(profile=PROFILES[profile])
    readings = {
        command.removesuffix("0"): reading
        for command in IDENTIFYING
        if (reading := overheard(inverter, command)) is not None
    }
    status = (inverter.answer("QPIGS") or "").encode()
    return identify(Evidence.gather(readings, status)).dialect


class Unit:
    """A simulated inverter with the watch of its alarms."""

    def __init__(self, profile: str) -> None:
        self.inverter = SimulatedInverter(profile=PROFILES[profile])
        self.plant = self.inverter.plant
        self.dialect = DIALECT[profile]
        self.plant.forced_warnings = dict.fromkeys(range(40), False)
        self._watch = AlarmWatch()
        self._now = 0.0

    def set(self, *bits: int) -> None:
        self.plant.forced_warnings |= dict.fromkeys(bits, True)

    def see(self, mode: str = "L", *, fault_code: int | None = None) -> AlarmState:
        """Read QPIGS and QPIWS, and feed them."""
        said = (self.inverter.answer("QPIGS") or "").encode()
        status = decode("QPIGS", said, self.dialect.queries)
        warnings = overheard(self.inverter, "QPIWS")
        assert isinstance(status, GeneralStatus)
        assert isinstance(warnings, Warnings)
        self._now += 5.0
        snapshot = Snapshot(
            online=True,
            identity=Identity(dialect=self.dialect.name),
            status=status,
            mode=mode,
            warnings=warnings,
        )
        return self._watch.feed(snapshot, self._now, fault_code=fault_code)

    def settled(self) -> AlarmState:
        self.see()
        return self.see()


DIALECT = {name: dialect_of(name) for name in PROFILES}


def cases() -> Iterator[tuple[Column, str, int]]:
    for column in COLUMNS:
        for name in column.profiles:
            for bit in range(PROFILES[name].qpiws_length):
                if bit != 1 and bit not in column.digits:
                    yield column, name, bit


CASES = [pytest.param(*case, id=f"{case[1]}-a{case[2]}") for case in cases()]


def test_every_personality_has_a_column() -> None:
    named = [name for column in COLUMNS for name in column.profiles]
    assert sorted([*named, *WITHOUT_QPIWS]) == sorted(PROFILES)
    assert len({dialect.name for dialect in DIALECT.values()}) >= len(COLUMNS)
    assert {dialect.name for dialect in DIALECT.values()} <= set(DIALECTS)


def raised(state: AlarmState) -> dict[str, int]:
    return {name: level for name, level in state.levels.items() if level}


@pytest.mark.parametrize(("column", "name", "bit"), CASES)
def test_a_bit_alone(column: Column, name: str, bit: int) -> None:
    unit = Unit(name)
    unit.set(bit)
    state = unit.settled()
    path = column.paths.get(bit)
    assert raised(state) == ({path[0]: path[1]} if path else {})
    assert (state.error_code, state.fault) == (0, None)
    words = bit in column.notices or bit in column.errors
    assert [notice.kind for notice in state.notices] == [NoticeKind.WARNING] * words
    explained = {*column.paths, *column.errors, *column.notices, *column.silent}
    assert state.unknown == (() if bit in explained else (f"a{bit}",))
    assert bool(state.texts) == (bit in explained and bit != 0)


@pytest.mark.parametrize(("column", "name", "bit"), CASES)
def test_a_bit_with_a_fault(column: Column, name: str, bit: int) -> None:
    unit = Unit(name)
    unit.set(1, bit)
    state = unit.settled()
    path = column.paths.get(bit)
    assert raised(state) == ({path[0]: path[2]} if path else {})
    number = column.errors.get(bit)
    assert state.error_code == number
    assert state.fault


@pytest.mark.parametrize("name", sorted(set(PROFILES) - WITHOUT_QPIWS))
def test_nothing_is_wrong_by_night(name: str) -> None:
    unit = Unit(name)
    unit.set(0)
    for _ in range(10):
        assert unit.see() == AlarmState(levels=dict.fromkeys(LEAVES, 0), error_code=0)


def codes() -> Iterator[tuple[str, int, str | None, int]]:
    for column in COLUMNS:
        table = CODES | (CODES_NEWER if column.digits else CODES_OLDER)
        for name in column.profiles:
            for code, (path, error) in table.items():
                yield name, code, path, error


@pytest.mark.parametrize(("name", "code", "path", "error"), list(codes()))
def test_a_fault(name: str, code: int, path: str | None, error: int) -> None:
    """A unit stops with a code: in QPIWS where its family has it there, else QPGS."""
    unit = Unit(name)
    unit.see()
    unit.plant.fault_code = code
    unit.set(1)
    digits = PROFILES[name].fault_digits_at is not None
    state = unit.see("F", fault_code=None if digits else code)
    assert raised(state) == ({path: 2} if path else {})
    assert state.error_code == (error or None)
    assert state.fault is not None
    assert state.fault.endswith(f"(fault {code:02})")
    assert not state.fault.startswith("inverter fault")
    alarms = [notice.text for notice in state.notices]
    # One fault is one alarm: that of its path, of its number, or the text.
    assert alarms == ([] if path or error else [sentence(state.fault)])


def test_a_unit_without_qpiws_still_tells_of_its_fault() -> None:
    assert SimulatedInverter(profile=PROFILES["revo-5500"]).answer("QPIWS") == "NAK"
    watch = AlarmWatch()
    snapshot = Snapshot(online=True, identity=Identity(dialect="revo"), mode="F")
    state = watch.feed(snapshot, 0.0)
    assert (state.levels, state.fault) == (dict.fromkeys(LEAVES), "inverter fault")
