"""A write that a fault meets at any byte ends in the old value or in the new one.

The setter is sent once, the verdict is never better than the truth, the journal has it,
and an undo restores what was.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from helpers.fast_time import run_fast
from helpers.write_faults import (
    AT_A_BYTE,
    Clamping,
    Delayed,
    OneLate,
    truth_of,
    unit_of,
    write_with_fault,
)
from helpers.written import UNIT
from mppdbus.control.journal import INTERRUPTED, WrittenSetting
from mppdbus.errors import NotWritten

# A setting of QFLAG and one of QPIRI, its old and its new value.
WRITES: list[tuple[str, str | float, float, float]] = [
    ("buzzer", "off", 1, 0),
    ("battery_bulk_voltage", 57.1, 56.4, 57.1),
]
EACH_BYTE = 20  # of the setter and its reply; of the reading back, some
STRIDE = 31


async def undone(name: str, folder: Path, kind: str, at: int) -> None:
    _, value, old, new = next(row for row in WRITES if row[0] == name)
    unit, line = await write_with_fault(folder, name, value, kind, at)
    where = (kind, at)
    truth = truth_of(unit, name)
    assert truth in (old, new), where
    assert (line.sent, line.struck) == (1, True), where
    (write,) = unit.journal.writes()
    assert (write.old, write.value, write.observed) == (old, new, truth), where
    with suppress(NotWritten):  # nothing was changed
        assert (await unit.undo()).done, where
    assert truth_of(unit, name) == old, where
    assert len(unit.journal.writes()) == 1 + (truth == new), where


@pytest.mark.parametrize("kind", AT_A_BYTE)
@pytest.mark.parametrize("name", [row[0] for row in WRITES])
def test_a_fault_at_any_byte_of_a_write(name: str, kind: str, tmp_path: Path) -> None:
    last = 50 if name == "buzzer" else 130  # of the reading back
    places = [*range(EACH_BYTE), *range(EACH_BYTE, last, STRIDE)]
    for at in places:
        run_fast(undone(name, tmp_path / str(at), kind, at))


@pytest.mark.parametrize("late", [1, 2, 3, 5])
def test_replies_that_come_one_late(late: int, tmp_path: Path) -> None:
    async def work() -> None:
        unit = await unit_of(tmp_path, OneLate)
        assert isinstance(unit.simulator, OneLate)
        unit.simulator.late = late
        verdict = await unit.write("battery_bulk_voltage", 57.1)
        assert (verdict.done, unit.sent) == (True, ["PCVV57.1"]), verdict
        assert truth_of(unit, "battery_bulk_voltage") == 57.1

    run_fast(work())


@pytest.mark.parametrize("delay", [0.3, 2.0, 5.0, 8.0])
def test_a_setting_that_acts_late_is_waited_for(delay: float, tmp_path: Path) -> None:
    async def work() -> None:
        unit = await unit_of(tmp_path, Delayed)
        assert isinstance(unit.simulator, Delayed)
        unit.simulator.delay = delay
        verdict = await unit.write("battery_bulk_voltage", 57.1)
        assert (verdict.done, unit.sent) == (True, ["PCVV57.1"]), verdict

    run_fast(work())


def test_a_silent_clamp_is_told_and_undone(tmp_path: Path) -> None:
    async def work() -> None:
        unit = await unit_of(tmp_path, Clamping)
        assert isinstance(unit.simulator, Clamping)
        unit.simulator.instead = "PCVV57.1", "PCVV56.8"
        verdict = await unit.write("battery_bulk_voltage", 57.1)
        assert (verdict.accepted, verdict.done, verdict.observed) == (True, False, 56.8)
        assert verdict.why == "accepted, but the inverter shows 56.8 V"
        assert (await unit.undo()).done
        assert truth_of(unit, "battery_bulk_voltage") == 56.4
        report = await unit.run({"buzzer": "off", "battery_bulk_voltage": 57.1})
        assert (report.done, report.left) == (False, {})  # a plan puts all back
        assert truth_of(unit, "battery_bulk_voltage") == 56.4
        assert truth_of(unit, "buzzer") == 1

    run_fast(work())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def on_a_full_disk(folder: Path, room: int) -> tuple[bool, bool]:
    """Write with `room` bytes for the journal; was it sent, was its end stored?"""
    unit = await unit_of(folder)
    verdict: WrittenSetting | None = None
    with largest_file(room), suppress(NotWritten):
        verdict = await unit.write("buzzer", "off")
    assert len(unit.sent) == (verdict is not None)
    assert truth_of(unit, "buzzer") == (verdict is None), room
    if verdict is None:
        assert unit.journal.writes() == []
    else:
        assert verdict.done
        (write,) = unit.journal.writes()
        assert write == verdict or (
            write.why == INTERRUPTED
            and verdict.why.endswith("but the journal could not be written")
        )
        unit.journal.settle(UNIT, unit.values)
        assert unit.journal.writes()[0].done
        assert (await unit.undo()).done  # with room again
    assert truth_of(unit, "buzzer") == 1
    return verdict is not None, verdict is not None and write == verdict


def test_a_disk_that_is_full_at_any_byte_of_the_journal(tmp_path: Path) -> None:
    found = [
        run_fast(on_a_full_disk(tmp_path / str(room), room))
        for room in range(0, 900, 23)
    ]
    assert set(found) == {(False, False), (True, False), (True, True)}
    assert found == sorted(found)  # the more room, the further it comes
