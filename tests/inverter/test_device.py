"""One device: who it is, what its replies mean, and for how long. In no real time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import pytest
from pydantic import Field

from helpers.line import linked
from helpers.simulator import warped
from mppdbus.errors import NoReply, OtherProtocol, UnknownLayout
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.readings import SHOWN
from mppdbus.model.snapshot import Snapshot
from mppdbus.protocol.dialect import Family
from mppdbus.protocol.dialects import DIALECTS, FAMILIES
from mppdbus.protocol.framing import encode_reply
from mppdbus.protocol.queries import QUERIES, Layout
from mppdbus.protocol.replies.fields import Percent
from mppdbus.protocol.replies.settings import Ratings
from mppdbus.protocol.replies.status import GeneralStatus, GeneralStatusRevo
from mppdbus.simulator.line.simulator import Simulator
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.unit.recording import Recording

QPIGS = (
    "230.0 50.0 230.0 50.0 0500 0450 010 380 52.00 010 080 0035 02.0 150.0 00.00 00007 "
    "00010110 00 00 00300 110"
)
QPIRI_25 = (
    "230.0 21.7 230.0 50.0 21.7 5000 5000 48.0 46.0 42.0 56.4 54.0 0 30 060 0 1 2 9 01 "
    "0 0 54.0 0 1"
)
QPIRI_REVO = " ".join(QPIRI_25.split()[:21])
DUO = "00.0 {} 00.00 00100 00000000 000 0000 00.0 {} 00.00 00050 00450"
PLAIN = {"QPI": "PI30", "QID": "92932105100123", "QMOD": "B", "QPIGS": QPIGS}
NAK = encode_reply("NAK")


def device(
    replies: Mapping[str, str | Sequence[str]],
    unrecorded: bytes | None = NAK,
    *,
    dialect: str = "auto",
    faults: str = "",
) -> Inverter:
    """An inverter whose unit says these replies, in turn where there are several."""
    framed = {
        query: [encode_reply(reply) for reply in listed(said)]
        for query, said in replies.items()
    }
    source = Recording("unit", framed, unrecorded)
    simulator = Simulator(source, Scene(None, pace=Pace()))
    simulator.scene.apply_script(faults)
    clock = asyncio.get_running_loop().time
    return Inverter("garage", linked(simulator), clock, dialect=dialect)


def listed(said: str | Sequence[str]) -> Sequence[str]:
    return [said] if isinstance(said, str) else said


def now(inverter: Inverter, keep: float = 5.0) -> Snapshot:
    return inverter.snapshot(online=True, keep=dict.fromkeys(SHOWN, keep))


async def learn(inverter: Inverter, *queries: str) -> Inverter:
    await inverter.introduce()
    for query in queries:
        await inverter.try_read(query)
    inverter.refine()
    return inverter


# -- who it is -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("qid", "serial"),
    [
        ("92932105100123", "92932105100123"),
        ("55355535553555", None),  # a number that many units have
        ("12", None),  # unreadable
        ("NAK", None),
        (None, None),  # silent
    ],
)
def test_the_number_is_known_or_unknown_but_never_in_the_way(
    qid: str | None, serial: str | None
) -> None:
    async def main() -> str | None:
        replies = {**PLAIN} | ({} if qid is None else {"QID": qid})
        if qid is None:
            del replies["QID"]
        inverter = await learn(device(replies, None if qid is None else NAK))
        return inverter.identity.serial

    assert warped(main) == serial


def test_noise_does_not_hide_the_number() -> None:
    async def main() -> str | None:
        inverter = device(PLAIN, faults="fault corrupt 3 QID")
        await inverter.introduce()
        return inverter.identity.serial

    assert warped(main) == "92932105100123"


def test_no_unit_and_another_protocol() -> None:
    async def main() -> None:
        with pytest.raises(NoReply):
            await device({}, None).introduce()
        with pytest.raises(OtherProtocol, match="speaks PI18"):
            await device({"QPI": "PI18"}).introduce()
        inverter = await learn(device({}))  # NAK to all
        assert (inverter.identity.protocol, inverter.identity.serial) == (None, None)

    warped(main)


def test_who_it_is_outlives_a_connection() -> None:
    async def main() -> None:
        more = {"QMN": "VMIII-5000", "QPIRI": QPIRI_25, "QGMN": "037"}
        before = await learn(device(PLAIN | more), "QMN", "QPIRI", "QGMN")
        for _ in range(2):
            await before.try_read("QPIGS2")
        assert (before.dialect.name, before.trackers) == ("pi30vm3", 1)
        after = await learn(device(PLAIN))
        assert after.identity.dialect == "pi30"
        identity = before.identity
        after = before.resume(after)
        after.refine()
        assert after.identity == identity
        assert (after.dialect.name, after.trackers) == ("pi30vm3", 1)
        other = await learn(device(PLAIN | {"QID": "96332105100999"}))
        other = before.resume(other)
        assert (other.identity.model, other.trackers) == (None, None)

    warped(main)


@pytest.mark.parametrize("number", ["NAK", "55355535553555", "12"])
def test_a_unit_without_a_number_may_be_another_one(number: str) -> None:
    async def main() -> None:
        plain = PLAIN | {"QID": number}
        more = {"QMN": "VMIII-5000", "QPIRI": QPIRI_25, "QGMN": "037"}
        before = await learn(device(plain | more), "QMN", "QPIRI", "QGMN", "QPIGS")
        await before.try_read("QPIGS2")
        assert before.identity.model == "VMIII-5000"
        after = await learn(device(plain))
        after = before.resume(after)
        after.refine()
        assert (after.identity.model, after.identity.serial) == (None, None)
        assert (after.dialect.name, after.trackers) == ("pi30", None)
        assert [after.readings.last(query) for query in (*more, "QPIGS")] == [None] * 4
        # Whose QPIGS it is has to be found out anew, so what depends on it is unknown.
        await after.read("QPIGS")
        status = now(after).status
        assert status is not None
        assert (status.ac_output_voltage, status.pv_input_current) == (230.0, None)

    warped(main)


def test_the_family_is_not_forgotten_for_less_evidence() -> None:
    async def main() -> list[str]:
        large = QPIGS.replace(" 0500 ", " 10500 ")
        replies = PLAIN | {"QPIGS": [large, QPIGS]}
        inverter = await learn(device(replies), "QPIGS")
        names = [inverter.dialect.name]
        await inverter.read("QPIGS")
        inverter.refine()
        return [*names, inverter.dialect.name]

    assert warped(main) == ["pi30max"] * 2


# -- what its replies mean ----------------------------------------------------------


def test_what_only_a_revo_means_is_unknown_until_it_is_known_to_be_none() -> None:
    async def main() -> list[int | None]:
        inverter = await learn(device(PLAIN | {"QPIRI": QPIRI_25}), "QPIGS")
        seen = []
        for _ in range(2):
            status = now(inverter).status
            assert status is not None
            assert status.ac_output_voltage == 230.0
            seen.append(status.ac_output_apparent_power)
            await inverter.read("QPIRI")
            inverter.refine()
        return seen

    assert warped(main) == [None, 500]


@pytest.mark.parametrize(
    ("dialect", "qpiri"), [("auto", "NAK"), ("auto", "1 2 3"), ("pi30", "230.0")]
)
def test_a_revo_is_ruled_out_by_other_answers_too(dialect: str, qpiri: str) -> None:
    async def main() -> float | None:
        inverter = device(PLAIN | {"QPIRI": qpiri}, dialect=dialect)
        await learn(inverter, "QPIGS")
        if dialect == "auto":
            for _ in range(2):
                await inverter.try_read("QPIRI")
        status = now(inverter).status
        return status.ac_output_apparent_power if status else None

    assert warped(main) == 500


def test_a_revo_is_read_as_one() -> None:
    async def main() -> None:
        inverter = await learn(device(PLAIN | {"QPIRI": QPIRI_REVO}), "QPIGS")
        assert type(inverter.readings.last("QPIGS")) is GeneralStatus
        await inverter.read("QPIRI")
        inverter.refine()
        assert inverter.dialect.name == "revo"
        assert now(inverter).status is None  # it was read with the wrong layout
        status = await inverter.read("QPIGS")
        assert isinstance(status, GeneralStatusRevo)
        assert status.pv_energy_today == 7
        assert status.battery_discharge_current is None

    warped(main)


@pytest.mark.parametrize(
    ("qpigs2", "trackers"),
    [
        ("NAK", [None, 1]),
        ("01.0 202.0 00205 ", [2, 2]),
        ([DUO.format("310.0", "000.0"), DUO.format("310.0", "290.0")], [2, 3]),
        ([DUO.format("310.0", "290.0"), DUO.format("000.0", "000.0")], [3, 3]),
        ("1 2 3 4 5", [None, None]),  # nobody knows; two at least, it seems
    ],
)
def test_the_trackers_are_counted(
    qpigs2: str | list[str], trackers: list[int | None]
) -> None:
    async def main() -> list[int | None]:
        inverter = await learn(device(PLAIN | {"QPIGS2": qpigs2}))
        counts = []
        for _ in range(2):
            await inverter.try_read("QPIGS2")
            counts.append(inverter.trackers)
        return counts

    assert warped(main) == trackers


def test_an_unknown_layout_is_read_at_once_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> list[int]:
        inverter = device(PLAIN | {"QPIGS": QPIGS + " 7 8"})
        retries = []
        for _ in range(3):
            status = await inverter.read("QPIGS")
            assert getattr(status, "ac_output_active_power", None) == 450
            retries.append(inverter.link.stats.retries)
        with pytest.raises(UnknownLayout):
            await device(PLAIN | {"QPIGS": "1 2 3"}).read("QPIGS")
        return retries

    with caplog.at_level(logging.WARNING):
        assert warped(main) == [0, 0, 0]
    assert [r.message[:16] for r in caplog.records] == ["QPIGS: 23 fields"]


def test_a_reading_is_shown_as_long_as_it_holds() -> None:
    async def main() -> list[bool]:
        inverter = await learn(device(PLAIN), "QPIGS", "QMOD")
        seen = [now(inverter).status is not None, now(inverter).mode is not None]
        await asyncio.sleep(4.0)
        seen.append(now(inverter).status is not None)
        await asyncio.sleep(1.1)
        seen += [now(inverter).status is not None, now(inverter).mode is not None]
        offline = inverter.snapshot(online=False, keep=dict.fromkeys(SHOWN, 1e9))
        assert offline == inverter.away()
        assert offline.identity.serial == "92932105100123"
        return seen

    assert warped(main) == [True, True, True, False, False]


# -- words that never fit -----------------------------------------------------------

ODD = QPIGS.replace(" 0035 ", " NTC! ")  # an intact reply with a word that is no number
DAMAGED = QPIGS.replace(" 0500 ", " 05?0 ")


def test_a_word_that_never_fits_costs_its_field_and_not_the_unit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    async def main() -> Snapshot:
        inverter = await learn(device({**PLAIN, "QPIGS": ODD}), "QMOD", "QPIRI")
        for _ in range(4):
            await inverter.try_read("QPIGS")
        return now(inverter)

    status = warped(main).status
    assert status is not None
    assert (status.ac_output_voltage, status.heatsink_temperature) == (230.0, None)
    assert [r.message for r in caplog.records if "NTC!" in r.message] != []
    assert len([r for r in caplog.records if "NTC!" in r.message]) == 1


def test_a_word_that_does_not_fit_now_and_then_costs_its_field_then() -> None:
    async def main() -> list[Snapshot]:
        replies = [QPIGS, DAMAGED, QPIGS, ODD, ODD, QPIGS, DAMAGED, ODD]
        inverter = await learn(device({**PLAIN, "QPIGS": replies}), "QPIRI", "QPIRI")
        seen = []
        for _ in range(6):
            await inverter.try_read("QPIGS")
            seen.append(now(inverter))
        return seen

    seen = [s.status for s in warped(main) if s.status is not None]
    told = [(s.heatsink_temperature, s.ac_output_apparent_power) for s in seen]
    good, damaged, odd = (35, 500), (35, None), (None, 500)
    assert told == [good, damaged, good, odd, odd, good]


@pytest.mark.parametrize("count", [22, 23, 24])
def test_a_rescued_reply_changes_no_family(count: int) -> None:
    """A QPIRI that is cut now, and one that was always."""

    async def main() -> list[str]:
        cut = " ".join(QPIRI_25.split()[:count])
        said = PLAIN | {"QPIRI": [QPIRI_25, cut, cut]}
        inverter = await learn(device(said), "QPIGS", "QPIRI")
        names = [inverter.dialect.name]
        for _ in range(2):
            await inverter.try_read("QPIRI")
            inverter.refine()
            names.append(inverter.dialect.name)
        always = await learn(device(PLAIN | {"QPIRI": cut}), "QPIGS", "QPIRI")
        return [*names, always.dialect.name]

    first, *others, always = warped(main)
    assert others == [first, first]
    assert always == "pi30"


def test_one_reply_of_another_length_changes_no_family() -> None:
    async def main() -> list[str]:
        king = f"{QPIRI_25} 060 0"
        longer = f"{king} 120"
        said = PLAIN | {"QPIRI": [king, king, longer, king, longer, longer]}
        inverter = await learn(device(said), "QPIGS", "QPIRI")
        names = [inverter.dialect.name]
        for _ in range(5):
            await inverter.try_read("QPIRI")
            inverter.refine()
            names.append(inverter.dialect.name)
        return names

    assert warped(main) == ["pi30king"] * 5 + ["pi30max"]


def test_a_strange_reply_is_said_word_by_word_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    longer = f"{QPIGS} 1 02 0003 04.5 77 88"

    async def main() -> None:
        await learn(device({**PLAIN, "QPIGS": longer}), "QPIGS", "QPIGS")

    warped(main)
    assert len([r for r in caplog.records if longer in r.message]) == 1


class RatingsOfItsOwn(Ratings):
    """26 words, as others have them, of which the last means something else."""

    back_to_grid: Percent = None

    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        return (*Ratings.wire_names()[:25], "back_to_grid")


def test_what_was_read_before_the_family_was_known_is_read_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = {"QPIRI": (Layout(RatingsOfItsOwn, frozenset((26,))),)}
    row = replace(DIALECTS["pi30"], name="pi30own", queries=QUERIES | own)
    monkeypatch.setitem(DIALECTS, "pi30own", row)
    monkeypatch.setitem(FAMILIES, "pi30own", Family(row, names={"OWN-": 0.97}))

    async def main() -> None:
        said = {"QPIRI": f"{QPIRI_25} 045", "QMN": "OWN-5000"}
        inverter = await learn(device(PLAIN | said), "QPIGS", "QPIRI")
        assert getattr(now(inverter).ratings, "max_constant_voltage_time", None) == 45
        await learn(inverter, "QMN")
        ratings = now(inverter).ratings
        assert isinstance(ratings, RatingsOfItsOwn)
        assert (ratings.back_to_grid, ratings.max_constant_voltage_time) == (45, None)
        assert now(inverter, keep=0.0).ratings is None  # it is as old as it was

    warped(main)


class RatingsThatRarelyFit(RatingsOfItsOwn):
    """The same, of a family whose last word is at most 10."""

    back_to_grid: Annotated[int | None, Field(le=10)] = None


@pytest.mark.parametrize("counts", [(26,), (24,)])
def test_a_layout_of_its_own_that_does_not_fit_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, counts: tuple[int, ...]
) -> None:
    """The family is known by its name only after QPIRI has been read."""
    own = {"QPIRI": (Layout(RatingsThatRarelyFit, frozenset(counts)),)}
    row = replace(DIALECTS["pi30"], name="pi30own", queries=QUERIES | own)
    monkeypatch.setitem(DIALECTS, "pi30own", row)
    monkeypatch.setitem(FAMILIES, "pi30own", Family(row, names={"OWN-": 0.97}))

    async def main() -> None:
        said = {"QPIRI": f"{QPIRI_25} 045", "QMN": "OWN-5000"}
        inverter = await learn(device(PLAIN | said), "QPIRI", "QPIGS", "QMN")
        assert inverter.identity.dialect == "pi30own"
        await inverter.try_read("QPIRI")
        assert await inverter.read("QPIGS")
        inverter.refine()

    warped(main)
