"""/Mppdbus/Doctor: the daemon says of each inverter what is wrong and what helps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.bus import BusItemClient, PrivateBus, soon
from helpers.house import House
from helpers.snapshots import online, qpigs
from mppdbus.daemon import self_check
from mppdbus.daemon.self_check import LASTS, LastingTroubles
from mppdbus.doctor.causes import CAUSES
from mppdbus.doctor.facts import Facts, LineFacts
from mppdbus.doctor.findings import Finding, judge
from mppdbus.errors import MppdbusError, NoReply, PortLost, PortMissing
from mppdbus.model.snapshot import LinkState, Snapshot
from mppdbus.model.views import Unit
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.dbus.service import Service
from mppdbus.venus.notifications import INJECT, PLATFORM

LIVE = online(qpigs())
UNIT = Unit("garage", "/dev/ttyUSB0", 288)
DOCTOR = "/Mppdbus/Doctor"


class Watched:
    """An installation with one unit, and what its doctor and the GX say."""

    def __init__(self, house: House, client: BusItemClient, told: list[Value]) -> None:
        self.house, self.client, self.told = house, client, told

    async def says(self, text: str) -> str:
        """Wait until the sentence of the doctor has a text in it ("": all is well)."""
        while True:
            said = await self.client.get_value(DOCTOR)
            if said is not None and (text in said if text else not said):
                return str(said)
            await self.client.next_change()

    def fails(self, error: MppdbusError) -> None:
        """Let the line fail: first the reason, then the snapshot without values."""
        uid = self.house.uids[0]
        self.house.installation.self_check.complain(uid, error)
        self.house.publish(0, Snapshot(identity=LIVE.identity))


@asynccontextmanager
async def watched(address: str, folder: Path) -> AsyncIterator[Watched]:
    told: list[Value] = []

    def take(_: str, value: Value) -> int:
        told.append(value)
        return 0

    item = Item(INJECT, ItemType.TEXT, writable=True)
    platform = Service(PLATFORM, [item], address=address, writer=take)
    await platform.start()
    house = House(address, folder, UNIT)
    await house.open()
    try:
        await house.introduce(0, LIVE)
        name = f"com.victronenergy.multi.{house.uids[0]}"
        client = await BusItemClient.connect(address, name)
        await client.watch()
        try:
            yield Watched(house, client, told)
        finally:
            await client.close()
    finally:
        await house.close()
        await platform.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and call short what takes minutes."""
    monkeypatch.setattr(self_check, "EVERY", 0.05)
    monkeypatch.setattr(self_check, "LASTS", 0.2)


@pytest.mark.usefixtures("quick", "never_blocking")
async def test_the_sentence_follows_the_trouble(
    private_bus: PrivateBus, tmp_path: Path
) -> None:
    async with watched(private_bus.address, tmp_path) as unit:
        assert await unit.says("") == ""
        unit.fails(NoReply("QPIGS: no reply within 1.5 s"))
        said = await unit.says("does not answer")
        assert "QPIGS: no reply within 1.5 s" in said
        assert "What helps: " in said
        await soon(lambda: unit.told)
        unit.house.publish(0, LIVE)
        await unit.says("")
        await soon(lambda: len(unit.told) > 1)
        warning, over = map(str, unit.told)
        assert warning.startswith("0\tgarage\tThe inverter does not answer: QPIGS")
        assert over == "2\tgarage\tOver: the inverter does not answer"


@pytest.mark.usefixtures("quick", "never_blocking")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PortLost("/dev/ttyUSB0 was lost (hung up)"), "The port goes away"),
        (PortMissing("/dev/ttyUSB0 does not exist"), "does not exist"),
    ],
)
async def test_it_knows_the_port_from_the_line(
    error: MppdbusError, words: str, private_bus: PrivateBus, tmp_path: Path
) -> None:
    async with watched(private_bus.address, tmp_path) as unit:
        unit.fails(error)
        assert words in await unit.says("/dev/ttyUSB0")


@pytest.mark.usefixtures("quick")
async def test_a_bad_line_of_an_inverter_that_answers(
    private_bus: PrivateBus, tmp_path: Path
) -> None:
    async with watched(private_bus.address, tmp_path) as unit:
        unit.house.publish(0, replace(LIVE, link=LinkState(quality=61.0)))
        assert "61 % good replies in the last hour" in await unit.says("line is bad")


# -- what lasts ------------------------------------------------------------------------


def finding(said: str) -> Finding:
    return judge(Facts(line=LineFacts(fault=said)), CAUSES)[0]


def test_only_what_lasts_is_told_once() -> None:
    lasting, one = LastingTroubles(), finding("overload")
    assert lasting.begun("u", one, 0.0) is None
    assert lasting.begun("u", one, LASTS - 1) is None
    assert lasting.begun("u", one, LASTS) == one
    assert lasting.begun("u", one, 9 * LASTS) is None  # once
    assert lasting.ended("u", one) is None
    assert lasting.ended("u", None) == one
    assert lasting.ended("u", None) is None


def test_a_trouble_that_comes_and_goes_is_not_told() -> None:
    lasting, one = LastingTroubles(), finding("overload")
    for turn in range(100):
        now = turn * LASTS * 0.6
        assert lasting.begun("u", one if turn % 2 else None, now) is None
        assert lasting.ended("u", one if turn % 2 else None) is None


def test_a_silence_that_began_anew_does_not_last() -> None:
    lasting, one = LastingTroubles(), finding("overload")
    for turn in range(100):
        now = turn * 10.0
        assert lasting.begun("u", one, now, heard=now - 5.0) is None
