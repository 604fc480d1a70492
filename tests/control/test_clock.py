"""The inverter's clock: read, set within two seconds, and left alone where unsure."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from helpers.fast_time import run_fast
from helpers.simulator import inverter_of
from helpers.written import ALLOWED, Unit
from mppdbus.control.clock import ClockReading, InverterClock, worth_setting
from mppdbus.control.journal import WrittenSetting
from mppdbus.control.write_check import ControlLevel, Permission
from mppdbus.errors import NotWritten
from mppdbus.simulator.line.simulator import simulate

HERE = datetime(2026, 6, 1, 12, 0, 0, 400000)  # noqa: DTZ001 - local time
SAFE = Permission(ControlLevel.SAFE)


async def clock_of(
    folder: Path, off: float, profile: str = "axpert-5000", here: datetime = HERE
) -> tuple[Unit, InverterClock]:
    """Return a unit whose clock is `off` s ahead of the time here."""
    unit = await Unit(simulate(profile), folder).learn()
    began = asyncio.get_running_loop().time()

    def now() -> datetime:
        return here + timedelta(seconds=asyncio.get_running_loop().time() - began)

    plant = inverter_of(unit.simulator).plant
    plant.clock = (now() + timedelta(seconds=off)).replace(tzinfo=plant.clock.tzinfo)
    return unit, InverterClock(unit.control, now)


@pytest.mark.parametrize("off", [-86400.0, -61.0, -3.0, 3.0, 3600.0])
def test_a_clock_is_set_within_two_seconds_and_sent_once(
    off: float, tmp_path: Path
) -> None:
    async def work() -> None:
        unit, clock = await clock_of(tmp_path, off)
        before = await clock.read()
        assert before is not None
        assert abs(before.drift - off) <= 1.5
        verdict = await clock.set(SAFE, "a test")
        assert verdict.done, verdict
        after = await clock.read()
        assert after is not None
        assert abs(after.drift) <= 1.5
        assert [sent[:5] for sent in unit.sent] == ["DAT26"]
        assert unit.journal.writes() == [verdict]
        with pytest.raises(NotWritten, match="nothing that was changed"):
            await unit.undo()  # time that has passed does not come back

    run_fast(work())


def test_a_clock_that_is_right_is_not_set(tmp_path: Path) -> None:
    async def work() -> list[str]:
        unit, clock = await clock_of(tmp_path, 1)
        verdict = await clock.set(SAFE, "a test")
        assert (verdict.done, verdict.why) == (True, "it is right already")
        assert unit.journal.writes() == []
        return unit.sent

    assert run_fast(work()) == []


@pytest.mark.parametrize(
    "case",
    [
        ("nak", False, False),
        ("silence", None, False),
        ("lost", None, True),
        ("disconnect", None, False),
    ],
)
def test_a_fault_while_it_is_set(
    case: tuple[str, bool | None, bool], tmp_path: Path
) -> None:
    fault, accepted, done = case

    async def work() -> WrittenSetting:
        unit, clock = await clock_of(tmp_path, 500)
        # Only the moment is not known before, so every DAT is met.
        for second in range(600):
            at = HERE.replace(microsecond=0) + timedelta(seconds=second)
            command = f"DAT{at:%y%m%d%H%M%S}"
            unit.simulator.scene.faults.arm(fault, command=command)
        verdict = await clock.set(SAFE, "a test")
        assert len(unit.sent) == 1
        assert unit.journal.writes() == [verdict]
        return verdict

    verdict = run_fast(work())
    assert (verdict.accepted, verdict.done) == (accepted, done), verdict


def test_what_is_refused(tmp_path: Path) -> None:
    async def refused(
        why: str,
        permission: Permission = ALLOWED,
        profile: str = "axpert-5000",
        here: datetime = HERE,
    ) -> None:
        unit, clock = await clock_of(tmp_path, 500, profile, here)
        with pytest.raises(NotWritten, match=why):
            await clock.set(permission, "a test")
        assert unit.sent == []

    async def no_time() -> None:
        unit, clock = await clock_of(tmp_path, 500)
        unit.simulator.scene.faults.arm("nak", None, command="QT")
        with pytest.raises(NotWritten, match="does not tell its time"):
            await clock.set(SAFE, "a test")
        assert unit.sent == []

    run_fast(refused("control is off", Permission()))
    run_fast(refused("no document of its family", profile="nxpw-4200"))
    run_fast(refused("this machine does not know", here=HERE.replace(year=1970)))
    run_fast(no_time())


@pytest.mark.parametrize(
    "case",
    [
        ("06-01 12:00:59", "06-01 12:00:00", "", False),  # a minute is nothing
        ("06-01 12:01:01", "06-01 12:00:00", "", True),
        ("06-01 11:58:00", "06-01 12:00:00", "", True),
        ("06-01 12:02:00", "06-01 12:00:00", "06-01 00:00:00", False),  # once a day
        ("06-01 12:02:00", "06-01 12:00:00", "05-31 11:00:00", True),
        ("10-25 03:30:00", "10-25 02:30:00", "", True),  # the end of summer time
        ("03-29 01:30:00", "03-29 02:30:00", "", True),  # its beginning
        ("06-01 23:55:00", "06-01 12:00:00", "", False),  # near midnight, there
        ("06-01 23:40:00", "06-02 00:05:00", "", False),  # or here
    ],
)
def test_when_a_clock_is_set_without_being_asked(
    case: tuple[str, str, str, bool],
) -> None:
    inverter, here, last, due = case

    def time(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-{text}")

    reading = ClockReading(time(inverter), time(here))
    assert worth_setting(reading, time(last) if last else None) is due
    old = ClockReading(time(inverter), time(here).replace(year=1970))
    assert not worth_setting(old, None)  # a machine that knows no time
