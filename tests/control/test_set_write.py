"""A setting of a whole parallel set through one cable: all units, or none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.fast_time import run_fast
from helpers.set import fleet_of
from helpers.simulator import inverter_of
from helpers.written import Unit
from mppdbus.control.journal import Journal
from mppdbus.control.known_unit import InterviewedUnit
from mppdbus.control.set_write import SetRun, last_of_a_set
from mppdbus.control.unit_control import UnitControl
from mppdbus.control.write_check import ControlLevel, Permission
from mppdbus.errors import NotWritten
from mppdbus.simulator.line.simulator import Response, Simulator
from mppdbus.simulator.unit.settings import ChargerPriority, Settings

SAFE = Permission(ControlLevel.SAFE)
AT = 1  # the unit with the cable, of three
# What is written, the commands that do it, and where each unit keeps it.
WRITES: list[tuple[str, str | float, list[str], str, object]] = [
    (
        "charger_source_priority", "Only solar", ["PPCP003", "PPCP103", "PPCP203"],
        "charger_priority", ChargerPriority.ONLY_SOLAR,
    ),
    (
        "max_charging_current", 20, ["MNCHGC0020", "MNCHGC1020", "MNCHGC2020"],
        "max_charge_a", 20,
    ),
    (
        "max_ac_charging_current", 20, ["MUCHGC020", "MUCHGC1020", "MUCHGC220"],
        "max_ac_charge_a", 20,
    ),
]  # fmt: skip


class Fleet:
    """A set of three, and what writes to it through one cable."""

    def __init__(self, folder: Path) -> None:
        self.made = fleet_of("max-8000", "3")
        self.folder = folder
        self.serial = ""

    async def learn(self) -> Fleet:
        self.unit = await Unit(self.made.simulators[AT], self.folder).learn()
        self.serial = inverter_of(self.made.simulators[AT]).serial
        return self

    @property
    def sent(self) -> list[str]:
        return self.unit.sent

    def run(
        self,
        name: str,
        permission: Permission = SAFE,
        serial: str = "",
        tell: Callable[[str], None] = lambda _: None,
    ) -> SetRun:
        unit = InterviewedUnit(
            serial or self.serial, self.unit.link, self.unit.interview, self.unit.found
        )
        control = UnitControl(unit, Journal(self.folder), level=permission.level)
        return SetRun(control, name, permission, by="a test", tell=tell)

    def held(self, place: str) -> list[object]:
        """Return what each unit holds in truth."""
        return [getattr(held, place) for held in self.settings]

    @property
    def settings(self) -> list[Settings]:
        return [inverter_of(each).plant.settings for each in self.made.simulators]


@pytest.mark.parametrize("case", WRITES, ids=lambda case: case[0])
def test_all_units_are_written_and_undone(
    case: tuple[str, str | float, list[str], str, object], tmp_path: Path
) -> None:
    name, value, commands, place, new = case

    async def work() -> None:
        fleet = await Fleet(tmp_path).learn()
        fleet.settings[2].max_charge_a = 50  # it differs, and will again
        before = fleet.held(place)
        report = await fleet.run(name).set_all(value)
        assert report.done, report
        assert fleet.held(place) == [new] * 3
        assert fleet.sent == commands
        assert (await fleet.run(name).set_all(value)).writes == []  # it is so already
        writes = fleet.unit.journal.writes()
        assert len({write.unit for write in writes}) == 3
        assert all(write.done for write in writes)
        assert last_of_a_set(writes) == name
        assert (await fleet.run(name).undo()).done
        assert fleet.held(place) == before
        assert len(fleet.sent) == 6
        with pytest.raises(NotWritten, match="nothing of this set is left to undo"):
            await fleet.run(name).undo()

    run_fast(work())


@pytest.mark.parametrize("unit", range(3))
@pytest.mark.parametrize("fault", ["nak", "silence", "lost"])
def test_a_unit_that_is_not_written_puts_all_back(
    fault: str, unit: int, tmp_path: Path
) -> None:
    name, value, commands, place, new = WRITES[1]

    async def work() -> None:
        fleet = await Fleet(tmp_path).learn()
        before = fleet.held(place)
        fleet.unit.simulator.scene.faults.arm(fault, command=commands[unit])
        report = await fleet.run(name).set_all(value)
        assert report.left == {}
        if fault == "lost":  # reading shows that it was heard
            assert (report.done, fleet.held(place)) == (True, [new] * 3)
            return
        assert not report.done
        assert fleet.held(place) == before
        assert fleet.sent[: unit + 1] == commands[: unit + 1]
        assert len(fleet.sent) == 2 * unit + 1  # each once, and once back

    run_fast(work())


def test_a_unit_that_goes_away_is_told_and_the_others_put_back(tmp_path: Path) -> None:
    name, value, _, place, _ = WRITES[1]

    async def work() -> None:
        fleet = await Fleet(tmp_path).learn()
        before = fleet.held(place)

        def tell(text: str) -> None:
            if text.startswith("unit"):  # it is being written
                fleet.made.scene.apply("unit 3 off")

        report = await fleet.run(name, tell=tell).set_all(value)
        assert not report.done
        assert [*report.left] == [inverter_of(fleet.made.simulators[2]).serial]
        assert fleet.held(place)[:2] == before[:2]

    run_fast(work())


class WithoutNumbers(Simulator):
    """Takes every number of a unit for its own."""

    def respond(self, request: bytes, now: float) -> Response | None:
        words = re.match(rb"PPCP(\d)(\d\d)", request)
        if words is None:
            return super().respond(request, now)
        command = f"PCP{words[2].decode()}"
        self.scene.requests[words[0].decode()] += 1
        return Response(inverter_of(self).reply(command) or b"")


def test_firmware_that_takes_the_number_of_no_unit_is_noticed(tmp_path: Path) -> None:
    name, value, *_ = WRITES[0]

    async def work() -> None:
        fleet = Fleet(tmp_path)
        made = fleet.made.simulators[AT]
        units = list(fleet.made.simulators)
        units[AT] = WithoutNumbers(made.source, made.scene, name=made.name)
        fleet.made = type(fleet.made)(tuple(units), fleet.made.scene)
        await fleet.learn()
        report = await fleet.run(name).set_all(value)
        assert not report.done
        assert report.left == {fleet.serial: "it shows Only solar"}
        assert fleet.sent == ["PPCP003"]  # and no unit after that

    run_fast(work())


def test_what_is_refused_in_a_set(tmp_path: Path) -> None:
    async def refused(why: str, name: str, value: str | float = 20) -> None:
        fleet = await Fleet(tmp_path).learn()
        with pytest.raises((NotWritten, ValueError), match=why):
            await fleet.run(name).set_all(value)
        assert fleet.sent == []

    async def others() -> None:
        fleet = await Fleet(tmp_path).learn()
        with pytest.raises(NotWritten, match="control is off"):
            fleet.run("max_charging_current", Permission())
        with pytest.raises(NotWritten, match="not told for sure"):
            await fleet.run("max_charging_current", serial="123").set_all(20)
        fleet.made.scene.apply("unit 1 off")
        fleet.made.scene.apply("unit 3 off")
        with pytest.raises(NotWritten, match="not told for sure"):
            await fleet.run("max_charging_current").set_all(20)
        assert fleet.sent == []

    run_fast(refused("no document says whether", "output_source_priority", "SBU"))
    run_fast(refused("no document says whether", "battery_bulk_voltage", 56))
    run_fast(refused("is no setting; did you mean", "max_charging_curent"))
    run_fast(refused("55 A is not allowed; it may be", "max_charging_current", 55))
    run_fast(refused("no value of it", "charger_source_priority", "moon"))
    run_fast(others())
