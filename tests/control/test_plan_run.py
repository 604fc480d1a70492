"""A plan at work: done as a whole, or put back; undone as a whole, one further back."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.fast_time import run_fast
from helpers.simulator import inverter_of
from helpers.written import Unit
from mppdbus.control.plan import Wanted
from mppdbus.control.plan_run import PlanReport
from mppdbus.control.undo import interrupted
from mppdbus.errors import NotWritten
from mppdbus.simulator.line.simulator import simulate

NIGHT: Wanted = {
    "battery_under_voltage": 45.5,
    "battery_recharge_voltage": 48,
    "max_charging_current": 20,
    "output_source_priority": "SBU",
    "buzzer": "off",
}
STEPS = 5


async def axpert(folder: Path) -> Unit:
    unit = await Unit(simulate("axpert-5000"), folder).learn()
    inverter_of(unit.simulator).plant.settings.battery_type = 2  # "User"
    return await unit.learn()


def truth(unit: Unit) -> dict[str, object]:
    """Return the settings inside the inverter."""
    held = inverter_of(unit.simulator).plant.settings
    return {name: getattr(held, name) for name in held.__slots__}


def test_a_plan_is_done_and_undone_as_a_whole(tmp_path: Path) -> None:
    async def work() -> None:
        unit = await axpert(tmp_path)
        before = truth(unit)
        report = await unit.run(NIGHT)
        assert report.done, report
        assert len(unit.sent) == len(report.writes) == STEPS
        plans = {write.plan for write in unit.journal.writes()}
        assert len(plans) == 1
        night = truth(unit)
        assert (await unit.run(NIGHT)).writes == []  # all is so already
        assert (await unit.write("buzzer", "on")).done
        assert (await unit.undo()).done  # of the last change
        assert truth(unit) == night
        assert (await unit.undo()).done  # one further back: of the plan
        assert truth(unit) == before
        with pytest.raises(NotWritten, match="nothing that was changed from here"):
            await unit.undo()
        assert len(unit.sent) == 2 * STEPS + 2

    run_fast(work())


@pytest.mark.parametrize("fault", ["nak", "silence"])
@pytest.mark.parametrize("step", range(STEPS))
def test_a_step_that_fails_puts_back_what_was_done(
    step: int, fault: str, tmp_path: Path
) -> None:
    async def work() -> None:
        unit = await axpert(tmp_path)
        before = truth(unit)
        steps = unit.writer.plan(NIGHT)
        tried = steps[step].commands[: None if fault == "nak" else 1]
        for command in tried:
            unit.simulator.scene.faults.arm(fault, command=command)
        report = await unit.run(NIGHT)
        assert not report.done
        assert not report.left
        assert report.why.startswith(f"{steps[step].shown.name}: ")
        assert len(report.put_back) == step
        assert truth(unit) == before
        there = step + len(tried)
        assert len(unit.sent) == step + there  # each once, and once back
        writes = unit.journal.writes()
        assert [w.undoes for w in writes[:there]] == [""] * there
        assert {w.undoes for w in writes[there:]} == {w.time for w in writes[:step]}
        assert interrupted(writes, unit.writer.name, unit.settings.values()) == ""
        with pytest.raises(NotWritten, match="nothing that was changed"):
            await unit.undo()

    run_fast(work())


def test_what_cannot_be_put_back_is_told(tmp_path: Path) -> None:
    async def work() -> PlanReport:
        unit = await axpert(tmp_path)
        first, second, *_ = unit.writer.plan(NIGHT)
        back = unit.writer.planned(first.shown.name, first.shown.value or 0).command
        unit.simulator.scene.faults.arm("nak", command=second.command)
        unit.simulator.scene.faults.arm("nak", command=back)
        report = await unit.run(NIGHT)
        assert [*report.left] == [first.shown.name]
        assert unit.values[first.shown.name] == first.value
        assert (await unit.undo()).done  # what is left can still be taken back
        assert unit.values[first.shown.name] == first.shown.value
        return report

    assert not run_fast(work()).done


def test_a_battery_type_and_all_its_voltages_are_undone(tmp_path: Path) -> None:
    async def work() -> None:
        unit = await axpert(tmp_path)
        await unit.run({"battery_float_voltage": 54.3, "battery_bulk_voltage": 57.1})
        before = truth(unit)
        assert (await unit.write("battery_type", "AGM")).done
        agm = truth(unit)
        assert agm["bulk_v"] != before["bulk_v"]
        assert (await unit.undo()).done
        assert truth(unit) == before

    run_fast(work())


def test_what_somebody_else_has_changed_since_is_not_undone(tmp_path: Path) -> None:
    async def work() -> None:
        unit = await axpert(tmp_path)
        await unit.write("max_charging_current", 20)
        unit.simulator.scene.apply("panel MNCHGC040")
        await unit.learn()
        with pytest.raises(NotWritten, match="it is 40 A now, and not 20 A as written"):
            await unit.undo()
        assert unit.sent == ["MNCHGC020"]

    run_fast(work())
