"""Writing a setting: on every personality, with every fault, at most one command."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from helpers.fast_time import run_fast
from helpers.personalities import ALL
from helpers.written import ALLOWED, UNIT, Unit, learnt
from mppdbus.commands.query import parse_query
from mppdbus.control.journal import INTERRUPTED, MOST_A_DAY, Journal, WrittenSetting
from mppdbus.control.settings import ON_OFF, Allowed, ShownSetting
from mppdbus.control.write_check import ControlLevel, Permission, allows, plan_write
from mppdbus.errors import ConfigError, NotWritten
from mppdbus.protocol.dialects import FAMILIES
from mppdbus.protocol.identification import Identification
from mppdbus.protocol.settings.meanings import SETTINGS
from mppdbus.protocol.settings.never_sent import never_sent
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.unit.profile import UnitProfile


def other_values(shown: ShownSetting) -> Iterator[float]:
    """Yield a few legal values that the setting does not have now."""
    legal = shown.allowed
    if legal is None:
        return
    values = [*legal.values]
    if legal.least is not None and legal.most is not None:
        step = legal.step or 1
        values += [legal.least, legal.most, round((shown.value or 0) + step, 2)]
    chosen = [v for v in values if allows(legal, v) and v != shown.value]
    yield from random.Random(shown.name).sample(chosen, min(3, len(chosen)))


@pytest.mark.parametrize("profile", ALL, ids=lambda profile: profile.name)
def test_each_setting_of_each_unit_is_set_or_refused(
    profile: UnitProfile, tmp_path: Path
) -> None:
    async def write_all() -> list[str]:
        unit = await Unit(simulate(profile), tmp_path).learn()
        done = list[str]()
        for name in list(unit.settings):
            for value in other_values(unit.settings[name]):
                before = unit.journal.writes()
                with suppress(NotWritten):
                    verdict = await unit.write(name, value)
                    done += [name] if verdict.done else []
                    assert bool(verdict.accepted) == verdict.done, verdict
                    *others, last = unit.journal.writes()[len(before) :]
                    assert last == verdict
                    assert all(each.accepted is False for each in others)
                    commands = [each.command for each in (*others, last)]
                    assert len(commands) == len({*commands})  # never one twice
                assert len(unit.sent) == len(unit.journal.writes())
        return done

    done = run_fast(write_all())
    assert done or profile.name in UNTOUCHED


# No commands, two phases, a family that nothing shows.
UNTOUCHED = ("revo-5500", "lv5048", "mks-5000")


# What must come of a write that a fault meets: (the reply's fault, is it written).
FAULTS = {
    "silence": (None, False),
    "lost": (None, True),
    "nak": (False, False),
    "corrupt": (None, True),
    "cut": (None, True),
    "echo": (True, True),
    "noise": (True, True),
    "extra": (True, True),
    "wrong": (None, True),
    "slow": (None, True),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_never_makes_a_second_command(fault: str, tmp_path: Path) -> None:
    async def write() -> tuple[WrittenSetting, list[str]]:
        unit = await Unit(simulate("axpert-5000"), tmp_path).learn()
        unit.simulator.scene.faults.arm(fault, command="PDa")
        return await unit.write("buzzer", "off"), unit.sent

    verdict, sent = run_fast(write())
    accepted, written = FAULTS[fault]
    assert sent == ["PDa"]
    assert verdict.done is written, verdict
    assert verdict.accepted in (accepted, True if written else accepted), verdict
    assert verdict.why


def test_an_acknowledged_write_that_is_none_is_told(tmp_path: Path) -> None:
    async def write() -> WrittenSetting:
        unit = await Unit(simulate("axpert-5000"), tmp_path).learn()
        unit.simulator.scene.apply("bug ack-only on")
        return await unit.write("output_source_priority", "SBU")

    verdict = run_fast(write())
    assert not verdict.done
    assert verdict.why == "accepted, but the inverter shows Utility first"


def test_what_is_so_already_is_not_sent(tmp_path: Path) -> None:
    async def write() -> tuple[WrittenSetting, list[str]]:
        unit = await Unit(simulate("axpert-5000"), tmp_path).learn()
        return await unit.write("buzzer", "ON"), unit.sent

    verdict, sent = run_fast(write())
    assert (verdict.done, verdict.why, sent) == (True, "it is so already", [])


def test_a_change_at_the_panel_is_seen_before_a_write(tmp_path: Path) -> None:
    async def write() -> tuple[WrittenSetting, list[str]]:
        unit = await Unit(simulate("axpert-5000"), tmp_path).learn()
        unit.simulator.scene.apply("panel PDa")
        return await unit.write("buzzer", "off"), unit.sent

    verdict, sent = run_fast(write())
    assert (verdict.why, sent) == ("it is so already", [])


def test_a_budget_is_kept_over_restarts(tmp_path: Path) -> None:
    async def write() -> list[str]:
        unit = await Unit(simulate("axpert-5000"), tmp_path).learn()
        for n in range(MOST_A_DAY):
            await unit.write("buzzer", "off" if n % 2 == 0 else "on")
        unit.journal = Journal(tmp_path)  # a new process
        with pytest.raises(NotWritten, match="written 50 times today"):
            await unit.write("buzzer", "off")
        unit.now += timedelta(days=1)
        assert (await unit.write("buzzer", "off")).done
        return unit.sent

    assert len(run_fast(write())) == MOST_A_DAY + 1


def test_a_journal_that_cannot_be_written_forbids_writing(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file, not a folder")

    async def write() -> list[str]:
        unit = await Unit(simulate("axpert-5000"), folder).learn()
        with pytest.raises(NotWritten, match="cannot be"):
            await unit.write("buzzer", "off")
        return unit.sent

    assert run_fast(write()) == []


def test_a_write_whose_end_is_not_known_is_settled_by_reading(tmp_path: Path) -> None:
    async def write() -> WrittenSetting:
        unit = await Unit(simulate("axpert-5000"), tmp_path).learn()
        unit.simulator.scene.faults.arm("disconnect", command="PDa")
        return await unit.write("buzzer", "off")

    lost = run_fast(write())
    assert (lost.accepted, lost.observed, lost.done) == (None, None, False)
    assert "does not tell the value now" in lost.why
    journal = Journal(tmp_path)
    journal.begin(replace(lost, time="later", why=INTERRUPTED))  # and killed
    with journal.path.open("ab") as file:
        file.write(b'{"half of a li')  # the power went
    assert [each.why for each in journal.writes()] == [lost.why, INTERRUPTED]
    journal.settle("another", {"buzzer": 0})
    journal.settle(UNIT, {"buzzer": None})
    assert journal.writes()[-1].why == INTERRUPTED
    for value, found in ((1, "not written"), (0, "it was written"), (2, "another")):
        at = f"later by {value}"
        journal.begin(replace(lost, time=at))
        journal.settle(UNIT, {"buzzer": value})
        last = journal.writes()[-1]
        assert (last.time, last.observed, last.done) == (at, value, value == 0)
        assert found in last.why


def test_a_disk_that_fills_up_within_a_write_hides_no_verdict(tmp_path: Path) -> None:
    class Full(Journal):
        def end(self, write: WrittenSetting) -> None:
            del write
            raise NotWritten("writes.jsonl: the journal cannot be written (full)")

    async def write() -> WrittenSetting:
        unit = await Unit(simulate("axpert-5000"), tmp_path).learn()
        unit.journal = Full(tmp_path)
        return await unit.write("buzzer", "off")

    verdict = run_fast(write())
    assert verdict.done
    assert "the inverter shows it; but the journal could not be" in verdict.why
    assert [each.why for each in Journal(tmp_path).writes()] == [INTERRUPTED]


# -- what is refused ------------------------------------------------------------------


Case = tuple[str, str | float, str, bool, str]
REFUSED: list[Case] = [
    ("buzzer", "off", "read-only", False, "control is off"),
    ("battery_float_voltage", 54.1, "safe", True, 'needs level = "full"'),
    ("battery_float_voltage", 54.1, "full", False, "confirm: --yes"),
    ("battery_float_voltage", 57.0, "full", True, "at most battery_bulk_voltage"),
    ("battery_bulk_voltage", 53.9, "full", True, "at most battery_bulk_voltage"),
    ("battery_bulk_voltage", 99, "full", True, "is not allowed; it may be 48 to 61"),
    ("battery_bulk_voltage", 56.45, "full", True, "is not allowed"),
    ("battery_under_voltage", 47.9, "full", True, "below battery_recharge_voltage"),
    ("battery_recharge_voltage", 46.5, "full", True, "is not allowed"),
    ("max_charging_current", 55, "safe", True, "55 A is not allowed; it may be 10 A"),
    ("max_charging_current", "nan", "safe", True, "no value of it"),
    ("max_charging_current", "1e1", "safe", True, "no value of it"),
    ("max_charging_current", "-10", "safe", True, "no value of it"),
    ("max_charging_current", "10 V", "safe", True, "no value of it"),
    ("output_source_priority", "SBX", "safe", True, "it may be Utility first, Solar"),
    ("output_source_priority", 3, "safe", True, "no value of it"),
    ("output_source_priority", 0.5, "safe", True, "no value of it"),
    ("charger_source_priority", "Utility first", "safe", True, "is not allowed"),
    ("output_mode", "parallel", "full", True, "it needs --i-know-what-this-does"),
    ("output_frequency", 60, "full", True, "it needs --i-know-what-this-does"),
    ("solar_feed_to_grid", "on", "safe", True, "does not show a setting"),
]


@pytest.fixture(scope="module")
def axpert() -> Unit:
    return learnt("axpert-5000")


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_the_reason(case: Case, axpert: Unit) -> None:
    name, value, level, yes, why = case
    permission = Permission(ControlLevel(level), confirmed=yes)
    settings = axpert.settings.values()
    with pytest.raises((NotWritten, ValueError), match=re.escape(why)):
        plan_write(settings, axpert.found, name, value, permission)


def test_a_unit_of_a_set_is_left_alone() -> None:
    unit = learnt("axpert-5000")
    readings = unit.interview.answers.readings
    readings["QPIRI"] = readings["QPIRI"].model_copy(update={"output_mode": 1})
    with pytest.raises(NotWritten, match=r"works with others \(parallel\)"):
        plan_write(unit.settings.values(), unit.found, "buzzer", "off", ALLOWED)


def test_a_code_without_a_proven_meaning_is_not_written() -> None:
    unit = learnt("vevor-4000")
    with pytest.raises(NotWritten, match="not proven"):
        plan_write(
            unit.settings.values(), unit.found, "output_source_priority", 1, ALLOWED
        )


# Never sent, whatever the value, in words of the documents and not of `never_sent`.
NEVER = re.compile(
    r"PF|ATE|BTA|PBMS|PBATCD|HOSTCR|SW(ON|OFF)|\^S|EXTCT|EZCTP|PBCCHGC|PBDCHGC|QKPWR|"
    r"PSAVE|RTEY|RTDL|SRS|M[NUS]?CHGC\d*49[78]$"
)
BAD_WORDS = (
    *(
        "PF",
        "ATE1",
        "ATE0",
        "BTA1028.00",
        "BTA0",
        "BTA+01",
        "PBATCD111",
        "QKPWR",
        "ate1",
    ),
    *("PBMS0 086 0 0 0 532 532 450 0120 0240", "EXTCT", "EZCTP", "SWON", "SWOFF"),
    *("HOSTCRCEN", "HOSTCRCDN", "^S007CLE", "RTEY", "RTDL", "PSAVE", "PBCCHGC010"),
    *("MNCHGC0497", "MNCHGC1498", "MNCHGC497", "MUCHGC0498", "MCHGC497", "qkpwr00"),
)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_must_never_be_sent_cannot_be_built(family: str) -> None:
    """Every setting of each family with every value that a unit could call legal."""
    found = Identification(FAMILIES[family].dialect, 1.0, (), family, 48)
    built = set[str]()
    values = (*range(1000), *(n / 10 for n in range(400, 640)))
    for setting in SETTINGS:
        names = {n: str(n) for n in range(1000)} if setting.query != "QFLAG" else ON_OFF
        row = ShownSetting(setting, -1, "A", names, Allowed(values))
        for value in names:
            try:
                write = plan_write([row], found, setting.name, value, ALLOWED)
            except NotWritten:
                continue
            built.update(write.commands)
    assert built or family in ("revo", "pi41")  # these are not written
    assert not [command for command in built if NEVER.match(command)]


def test_no_setter_of_any_family_spells_a_forbidden_command() -> None:
    """Beside the settings: whatever a table of setters can be made to spell."""
    texts = ("", "111", "0", "497", "a", "260101120000")
    for family in FAMILIES.values():
        for setter in family.setters:
            for value in (*texts, *range(1000)):
                for form in setter.forms:
                    with suppress(ValueError):
                        command = form.command(value)
                        country = setter.name == "country"  # no setting has this name
                        assert country or not NEVER.match(command), command
    assert "country" not in {each.name for each in SETTINGS}


@pytest.mark.parametrize("word", BAD_WORDS)
def test_no_query_is_a_command_that_is_never_sent(word: str) -> None:
    assert never_sent(word)
    with pytest.raises(ConfigError, match="nothing was sent"):
        parse_query(word)
