"""What a daemon says on the bus: what has changed, once a poll, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dbus_fast import Message, MessageType, Variant

from helpers.processes import UNITS
from helpers.run import SYSTEM, Daemon, Ports, Watcher, eventually
from mppdbus.inverter.schedule import ONCE
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.simulator import Simulator

# Counters that go on while every reading stays as it is.
COUNTERS = (
    *("/Energy/", "/Yield/User", "/Yield/System", "/History/", "/Soc"),
    "/Mppdbus/Doctor",  # it sees replies that a busy machine has delayed
)
NAK = encode_reply("NAK")
HOUSE = "grid on; pv 900; load 600; battery 52 6"
Rows = dict[str, dict[str, Variant]]


@dataclass
class Book:
    """What services say, in their order; a cycle is counted by the QPIGS so far."""

    simulator: Simulator
    known: dict[str, dict[str, object]] = field(default_factory=dict)
    sent: list[tuple[str, int, set[str]]] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)  # sent without a change

    @property
    def polls(self) -> int:
        return self.simulator.scene.requests["QPIGS"]

    @property
    def paths(self) -> Counter[str]:
        return Counter(path for _, _, paths in self.sent for path in paths)

    def take(self, message: Message) -> bool:
        sender = message.sender or ""
        if message.signature != "a{sa{sv}}":
            return False
        rows: Rows = message.body[0]
        values = {path: row["Value"] for path, row in rows.items()}
        if message.message_type is MessageType.METHOD_RETURN:
            self.known[sender] = dict(values)
        elif (known := self.known.get(sender)) is not None:
            self.idle += [path for path in values if values[path] == known.get(path)]
            self.sent.append((sender, self.polls, set(values)))
            known |= values
        return False

    def most_in_a_poll(self) -> int:
        """Return the most ItemsChanged of one service between two QPIGS."""
        each = Counter((sender, poll) for sender, poll, _ in self.sent)
        return max(each.values(), default=0)

    async def polled(self, times: int) -> None:
        """Wait until the inverter was polled again so often."""
        wanted = self.polls + times
        await eventually(lambda: self.polls >= wanted)


@dataclass
class House:
    watcher: Watcher
    book: Book
    services: list[str]

    async def read(self) -> None:
        """Read all services; the book takes note of it."""
        for service in self.services:
            await self.watcher.raw(service)


@asynccontextmanager
async def house(folder: Path, address: str) -> AsyncIterator[House]:
    """A daemon that has learnt all that is asked once, and a book on what it says."""
    async with Ports.below(folder) as ports, Watcher.on(address) as watcher:
        simulator = await ports.add("tty", scene=HOUSE)
        book = Book(simulator)
        watcher.client.bus.add_message_handler(book.take)
        daemon = Daemon(folder, address, [ports.unit("tty")])
        try:
            asked = simulator.scene.requests
            refused = {q for q in ONCE if simulator.source.reply(q) == NAK}
            await eventually(lambda: asked.keys() >= set(ONCE), 30)
            await eventually(lambda: all(asked[q] > 1 for q in refused), 30)
            await book.polled(2)
            names = await watcher.names()
            units = [name for name in names if name.startswith(UNITS)]
            it = House(watcher, book, [SYSTEM, *units])
            await it.read()
            yield it
        finally:
            daemon.stop()


@pytest.fixture
async def settled(tmp_path: Path, bus_address: str) -> AsyncIterator[House]:
    async with house(tmp_path, bus_address) as it:
        yield it


def weather() -> Iterator[str]:
    """Sun and load, each time other than before; the mode stays as it is."""
    for step in range(8):
        yield f"pv {900 + 100 * step}; load {600 + 30 * (step % 3)}; soc {60 + step}"


async def test_one_signal_a_poll_with_nothing_but_changes(settled: House) -> None:
    book = settled.book
    for scene in weather():
        book.simulator.scene.apply_script(scene)
        await book.polled(1)
    await book.polled(1)

    assert book.idle == []
    assert book.most_in_a_poll() == 1
    assert book.paths["/Yield/Power"] >= 7
    assert len({sender for sender, _, _ in book.sent}) == 2
    told = {sender: dict(values) for sender, values in book.known.items()}
    await settled.read()
    assert told == book.known, "a client that only listens knows all"


async def test_only_news_of_the_mode_may_follow_in_the_same_poll(
    settled: House,
) -> None:
    book = settled.book
    for scene in ("grid off", "grid on", "grid off"):
        book.simulator.scene.apply_script(scene)
        await book.polled(2)

    assert book.idle == []
    assert book.paths["/Mppdbus/Mode"] == 3
    assert book.most_in_a_poll() <= 2
    twice = [key for key, n in Counter(s[:2] for s in book.sent).items() if n > 1]
    for key in twice:
        _, second = (paths for *who, paths in book.sent if tuple(who) == key)
        assert second & {"/State", "/Mppdbus/Mode", "/Mppdbus/Warnings"}


async def test_nothing_is_said_while_nothing_changes(settled: House) -> None:
    book = settled.book
    await book.polled(12)

    assert [p for p in book.paths if not p.startswith(COUNTERS)] == []
    assert book.idle == []
    assert book.paths.total() <= 4, "hundredths of a kWh take a minute each"

    book.simulator.scene.apply_script("load 700")
    await eventually(lambda: book.paths["/Ac/Out/L1/P"])
