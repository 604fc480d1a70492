"""Which queries a unit knows: the table is right, and each is asked but once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from helpers.frames import Recorded, devices, evidence
from helpers.simulator import inverter_of
from mppdbus.errors import CorruptReply, NoReply, OtherProtocol, PortLost, Refused
from mppdbus.inverter.capability_probe import probe_capabilities
from mppdbus.protocol.dialect import Family
from mppdbus.protocol.dialects import FAMILIES
from mppdbus.protocol.identification import identify
from mppdbus.protocol.optional_queries import CAPABILITIES, Capability, Outcome
from mppdbus.protocol.queries import QUERIES, base_command, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.simulator.line.simulator import simulate

ROWS = CAPABILITIES.values()
CERTAIN = 0.5  # of the family, for a recording to speak for it


def rows_of(frames: Iterable[Recorded]) -> list[tuple[Capability, Recorded]]:
    by_base = {base_command(row.query): row for row in ROWS}
    bases = [(by_base.get(base_command(frame.command)), frame) for frame in frames]
    return [(row, frame) for row, frame in bases if row is not None]


class Unit:
    """Answers from a table, and keeps the commands that it was asked."""

    def __init__(self, **replies: str | Exception | list[str | Exception]) -> None:
        self.replies = replies
        self.commands: list[str] = []

    async def ask(self, command: str) -> Reading:
        self.commands.append(command)
        reply = self.replies.get(command, NoReply("nothing"))
        if isinstance(reply, list):
            reply = reply.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return decode(command, reply.encode())


# -- the table ---------------------------------------------------------------------


def test_every_row_is_a_query_with_a_name() -> None:
    for row in ROWS:
        assert re.fullmatch(r"Q[A-Z0-9]+|VERFW:", row.query)
        assert base_command(row.command(datetime(2026, 7, 1, tzinfo=UTC)) or "") in (
            *QUERIES,
            "QALL",
        )
        assert set(row.documents.split()) <= set("ABCDEFGHI")


def test_every_query_that_can_be_absent_has_a_row() -> None:
    always = {"QPI", "QID", "QVFW", "QPIRI", "QFLAG", "QPIGS", "QMOD", "QPIWS"}
    always.add("QPRTL")  # only clones are asked, by the commands about settings
    assert set(QUERIES) - always == {base_command(row.query) for row in ROWS} - {"QALL"}


@pytest.mark.parametrize("model", devices())
def test_families_that_were_recorded_are_in_the_table(model: str) -> None:
    frames = devices()[model]
    found = identify(evidence(frames))
    for row, frame in rows_of(frames):
        if found.confidence >= CERTAIN:
            family = FAMILIES[found.dialect.name]
            named = family.refuses if frame.is_nak else family.answers
            assert row.query in named.split(), f"{row.query} {frame.id}"


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_what_a_family_answers_or_refuses_has_a_row(family: Family) -> None:
    assert {*family.answers.split(), *family.refuses.split()} <= set(CAPABILITIES)


# -- asking ------------------------------------------------------------------------


async def test_what_is_not_answered_is_asked_once_more_and_the_outcome_kept() -> None:
    unit = Unit(
        QMN="VMIII-5000", QGMN=Refused("NAK"), QPIGS2="05.4 212.5 01156 ", QBEQI="1 2"
    )
    queries = ["QMN", "QGMN", "QPIGS2", "QBEQI", "QBMS"]
    found = await probe_capabilities(unit.ask, queries)
    assert unit.commands == [*queries, "QGMN", "QBMS"]
    assert found.outcomes == {
        "QMN": Outcome.ANSWERED,
        "QGMN": Outcome.REFUSED,
        "QPIGS2": Outcome.ANSWERED,
        "QBEQI": Outcome.STRANGE,
        "QBMS": Outcome.SILENT,
    }
    assert [*found.readings] == ["QMN", "QPIGS2"]
    assert [found.has(q) for q in ("QMN", "QBEQI", "QGMN", "QBMS", "QT")] == [
        *(True, True, False, False, None)
    ]
    assert found.unsupported == {"QGMN", "QBMS"}


@pytest.mark.parametrize("mishap", [NoReply("asleep"), Refused("NAK")])
async def test_one_mishap_is_no_no(mishap: Exception) -> None:
    unit = Unit(QMN=[mishap, "VMIII-5000"], QGMN=NoReply("never"))
    found = await probe_capabilities(unit.ask, ["QMN", "QGMN"])
    assert unit.commands == ["QMN", "QGMN"] * 2
    assert found.unsupported == {"QGMN"}


async def test_noise_is_no_answer() -> None:
    twice = [CorruptReply("noise"), CorruptReply("noise")]
    unit = Unit(QMN="X-1", QT=[CorruptReply("noise"), "20260701120000"], QBMS=[*twice])
    found = await probe_capabilities(unit.ask, ["QMN", "QT", "QBMS"])
    assert unit.commands == ["QMN", "QT", "QT", "QBMS", "QBMS"]
    assert found.has("QT") is True
    assert found.has("QBMS") is None
    assert "QBMS" not in found.unsupported


async def test_dates_are_the_inverters_own() -> None:
    unit = Unit(QT="20240229235959", QED20240229="00001234")
    found = await probe_capabilities(
        unit.ask, ["QT", "QED", "QEY"], now=datetime.now(UTC)
    )
    assert unit.commands == ["QT", "QED20240229", "QEY2024", "QEY2024"]
    assert found.has("QED") is True
    assert found.has("QEY") is False


async def test_without_its_clock_ours_is_taken_and_without_any_none() -> None:
    unit = Unit(QT=Refused("NAK"))
    await probe_capabilities(
        unit.ask, ["QT", "QEM"], now=datetime(2026, 7, 1, tzinfo=UTC)
    )
    assert unit.commands == ["QT", "QEM202607"] * 2
    unit = Unit()
    assert "QEM" not in (await probe_capabilities(unit.ask, ["QMN", "QEM"])).outcomes


@pytest.mark.parametrize("error", [PortLost("gone"), OtherProtocol("PI18")])
async def test_what_ends_the_asking_gets_out(error: Exception) -> None:
    with pytest.raises(type(error)):
        await probe_capabilities(Unit(QMN=error).ask)


@pytest.mark.parametrize("profile", ["axpert-5000", "max-8000"])
async def test_a_simulated_inverter_is_known_through_and_through(profile: str) -> None:
    inverter = inverter_of(simulate(profile))

    async def ask(command: str) -> Reading:
        payload = inverter.answer(command)
        assert payload is not None
        return decode(command, payload.encode())

    found = await probe_capabilities(ask)
    assert set(found.outcomes) == set(CAPABILITIES)
    assert set(found.outcomes.values()) == {Outcome.ANSWERED, Outcome.REFUSED}
    assert found.has("QPIGS2") is (profile == "max-8000")
    assert inverter.writes == []
