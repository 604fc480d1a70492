"""One exchange at a time: a real serial transport on the pty of a simulated unit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from helpers.line import linked as in_memory
from helpers.simulator import warped
from mppdbus.errors import (
    CorruptReply,
    EchoedRequest,
    LinkError,
    NoReply,
    OtherProtocol,
    PortLost,
    Refused,
)
from mppdbus.inverter import timing
from mppdbus.inverter.link import Link, Priority
from mppdbus.protocol.framing import encode_reply
from mppdbus.protocol.queries import decode
from mppdbus.simulator.line.simulator import Responder, Response, Simulator, simulate
from mppdbus.simulator.line.speed import Overrun, Pace
from mppdbus.simulator.ports.server import serve_pty
from mppdbus.simulator.unit.recording import Recording
from mppdbus.transport import open_transport

QUICK = 115200  # a pty has no speed, and time-outs are reckoned from the one asked for
PATIENCE = 1.0  # s; a busy machine answers late


@pytest.fixture(autouse=True)
def driver_that_never_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail where the driver blocks the loop that it shares here with the simulator."""
    monkeypatch.setattr(timing, "SETTLE", 0.05)
    decode("QMOD", b"L")  # once, pydantic looks for its plugins on the disk
    with blockbuster_ctx("mppdbus", excluded_modules=["mppdbus.simulator"]):
        yield


class Heard:
    """A source that keeps, in order, what was asked."""

    def __init__(self, source: Responder) -> None:
        self.commands: list[str] = []
        self._source = source

    def reply(self, command: str) -> bytes | None:
        self.commands.append(command)
        return self._source.reply(command)


class Listening(Simulator):
    """A simulator that keeps every request byte for byte."""

    def respond(self, request: bytes, now: float) -> Response | None:
        self.__dict__.setdefault("requests", []).append(request)
        return super().respond(request, now)


@asynccontextmanager
async def linked(
    folder: Path,
    simulator: Simulator | None = None,
    *,
    patience: float = PATIENCE,
    attempts: int = 2,
    baud: int = QUICK,
) -> AsyncIterator[tuple[Link, Simulator, Heard]]:
    simulator = simulator or simulate(pace=Pace.instant())
    heard = Heard(simulator.source)
    simulator.source = heard
    link = Link("garage", patience=patience, attempts=attempts)
    async with serve_pty(simulator, folder / "tty"):
        url = f"serial:{folder / 'tty'}"
        link.attach(await open_transport(url, link, baud=baud))
        try:
            yield link, simulator, heard
        finally:
            await link.close()


async def ask(link: Link, command: str, *, attempts: int | None = None) -> bytes:
    return await link.exchange(command, bytes, attempts=attempts)


def says(reply: bytes | None) -> Simulator:
    """A device that answers everything with the same bytes."""
    simulator = simulate(pace=Pace.instant())
    simulator.source = Recording("other", {}, reply)
    return simulator


# -- turns -------------------------------------------------------------------


async def test_who_waits_goes_in_order_of_priority_then_of_arrival(
    tmp_path: Path,
) -> None:
    simulator = simulate(pace=Pace(think=0.01, paced=False, overrun=Overrun.CORRUPT))
    async with linked(tmp_path, simulator) as (link, _, heard):
        waiting = [
            ("QPIGS", Priority.POLL),  # in flight before the others come
            ("QMOD", Priority.POLL),
            ("QPIWS", Priority.POLL),
            ("QID", Priority.ASK),
            ("POP02", Priority.WRITE),
            ("QMN", Priority.ASK),
            ("POP01", Priority.WRITE),
        ]
        await asyncio.gather(
            *(link.exchange(command, bytes, priority=p) for command, p in waiting)
        )
        assert heard.commands == [
            *("QPIGS", "POP02", "POP01", "QID", "QMN", "QMOD", "QPIWS")
        ]
        # One at a time: a request into a reply would have been lost and damaged it.
        assert (link.stats.exchanges, link.stats.retries) == (7, 0)
        assert link.stats.quality(0.0) == 100.0


async def test_a_retry_keeps_its_turn(tmp_path: Path) -> None:
    simulator = simulate(pace=Pace.instant(), scene="fault corrupt 1")
    async with linked(tmp_path, simulator) as (link, _, heard):
        first = asyncio.create_task(ask(link, "QMOD"))
        await asyncio.sleep(0)
        await link.exchange("POP02", bytes, priority=Priority.WRITE)
        assert first.done()
        assert heard.commands == ["QMOD", "QMOD", "POP02"]


async def test_a_cancelled_waiter_does_not_wedge_the_line(tmp_path: Path) -> None:
    async with linked(tmp_path) as (link, _, heard):
        loop = asyncio.get_running_loop()

        def accept(payload: bytes) -> bytes:
            # Runs before it learns that the line has just been handed to it.
            loop.call_soon(waiting[2].cancel)
            return payload

        first = asyncio.create_task(link.exchange("QPGS0", accept))
        waiting = [asyncio.create_task(ask(link, f"QPGS{n}")) for n in range(1, 6)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[1].cancel()
        results = await asyncio.gather(first, *waiting, return_exceptions=True)
        assert [isinstance(r, asyncio.CancelledError) for r in results] == [
            *(False, True, True, True, False, False)
        ]
        # All say the same here, so it is asked again whether that is meant.
        assert [*dict.fromkeys(heard.commands)] == ["QPGS0", "QPGS4", "QPGS5"]
        assert await ask(link, "QMOD") == b"L"


async def test_cancelling_the_exchange_in_flight_frees_the_line(tmp_path: Path) -> None:
    async with linked(tmp_path, says(None), patience=0.5) as (link, simulator, _):
        mute = asyncio.create_task(ask(link, "QPIGS"))
        await asyncio.sleep(0.05)
        mute.cancel()
        with pytest.raises(asyncio.CancelledError):
            await mute
        simulator.source = Recording("any", {"QPIGS": [encode_reply("1")]})
        assert await ask(link, "QPIGS") == b"1"


# -- what goes wrong on the wire ------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "retries"),
    [
        *(("silence", 1), ("lost", 1), ("corrupt", 1), ("cut", 1), ("half", 1)),
        *(("noise", 0), ("extra", 0), ("echo", 0), ("lf", 0)),
    ],
)
async def test_one_mishap_is_got_over(tmp_path: Path, fault: str, retries: int) -> None:
    simulator = simulate(pace=Pace.instant(), scene=f"fault {fault} 1")
    async with linked(tmp_path, simulator) as (link, _, heard):
        assert await ask(link, "QMN") == b"VMIII-5000"
        assert await ask(link, "QID") == b"92932105100123"
        assert link.stats.retries == retries
        assert link.stats.lost == retries
        assert link.stats.failures == retries
        assert len(heard.commands) + simulator.scene.faults.struck >= 2 + retries


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        ("silence", NoReply, "QMOD: no reply within 1.0 s"),
        ("corrupt", CorruptReply, "QMOD: bad checksum in"),
        ("cut", CorruptReply, "QMOD: 2 bytes, but no reply among them; wrong speed"),
        ("loopback", EchoedRequest, "QMOD: only the request itself came back; check"),
    ],
)
async def test_a_lasting_fault_is_named(
    tmp_path: Path, fault: str, error: type[LinkError], text: str
) -> None:
    simulator = simulate(pace=Pace.instant(), scene=f"fault {fault} forever")
    async with linked(tmp_path, simulator) as (link, _, _heard):
        with pytest.raises(error, match=text):
            await ask(link, "QMOD")
        assert simulator.scene.requests.total() == 2
        assert link.stats.failures == 2
        assert link.stats.quality(0.0) == 0.0


async def test_garbage_of_a_wrong_speed_is_named(tmp_path: Path) -> None:
    garbage = bytes.fromhex("00e0f81ce000fc00e4ffe01c0c00e0fce0")
    async with linked(tmp_path, says(garbage)) as (link, _, _heard):
        with pytest.raises(CorruptReply, match=r"17 bytes, but no reply .* wrong"):
            await ask(link, "QPIGS")


async def test_another_protocol_is_named_and_not_asked_again(tmp_path: Path) -> None:
    async with linked(tmp_path, says(b"^0\x1b\xe3\r")) as (link, _, heard):
        with pytest.raises(OtherProtocol, match=r"begins with \^: PI17 or PI18"):
            await ask(link, "QPI")
        assert heard.commands == ["QPI"]


async def test_noise_with_a_caret_is_not_another_protocol(tmp_path: Path) -> None:
    async with linked(tmp_path, says(b"\x01^x\r" + encode_reply("L"))) as (link, _, _h):
        assert await ask(link, "QMOD") == b"L"


async def test_nak_is_an_answer(tmp_path: Path) -> None:
    async with linked(tmp_path, says(encode_reply("NAK"))) as (link, _, heard):
        with pytest.raises(Refused):
            await link.exchange("QPIGS2", partial(decode, "QPIGS2"), known=False)
        assert heard.commands == ["QPIGS2"]
        assert link.stats.retries == 0


async def test_a_nak_to_what_is_known_is_asked_again(tmp_path: Path) -> None:
    async with linked(tmp_path, says(encode_reply("NAK"))) as (link, _, heard):
        with pytest.raises(Refused):
            await link.exchange("QPIGS2", partial(decode, "QPIGS2"))
        assert heard.commands == ["QPIGS2"] * 2


@pytest.mark.parametrize("fault", ["silence", "corrupt", "lost"])
async def test_a_setter_is_never_repeated(tmp_path: Path, fault: str) -> None:
    simulator = simulate(pace=Pace.instant(), scene=f"fault {fault} 1 POP02")
    async with linked(tmp_path, simulator) as (link, _, _heard):
        with pytest.raises(LinkError):
            await ask(link, "POP02", attempts=1)
        assert await ask(link, "QMN") == b"VMIII-5000"
        assert simulator.scene.requests["POP02"] == 1


async def test_the_reply_to_another_query_is_asked_again(tmp_path: Path) -> None:
    simulator = simulate(pace=Pace.instant(), scene="fault wrong 1 QPIGS")
    async with linked(tmp_path, simulator) as (link, _, _heard):
        status = await link.exchange("QPIGS", partial(decode, "QPIGS"))
        assert getattr(status, "ac_output_voltage", None) == 230.0
        assert simulator.scene.requests["QPIGS"] == 2


async def test_a_checksum_with_00_is_sent_the_other_way_on_a_retry(
    tmp_path: Path,
) -> None:
    base = simulate(pace=Pace.instant(), scene="fault silence 1")
    simulator = Listening(base.source, base.scene)
    async with linked(tmp_path, simulator) as (link, _, _heard):
        await ask(link, "QCHGS")
    requests = simulator.__dict__["requests"]
    assert requests == [b"QCHGS\x00\xe2", b"QCHGS\x01\xe2"]


def test_before_a_retry_the_line_is_left_alone_for_a_moment() -> None:
    """What is still on its way after a damaged reply must not meet the next one."""

    async def main() -> list[float]:
        simulator = simulate(pace=Pace(think=0.06), scene="fault corrupt 1")
        times = []

        class Timed(Heard):
            def reply(self, command: str) -> bytes | None:
                times.append(asyncio.get_running_loop().time())
                return super().reply(command)

        simulator.source = Timed(simulator.source)
        assert await ask(in_memory(simulator), "QMOD") == b"L"
        return times

    first, second = warped(main)
    reply, request = 0.06 + 5 / 240, 7 / 240
    assert second - first - reply >= 0.05
    assert second - first - reply - request < 0.1


async def test_a_reply_that_has_grown_is_waited_for(tmp_path: Path) -> None:
    """After a NAK of 7 bytes, 110 bytes at 2400 baud still have the time they take."""
    pace = Pace(think=0.0, paced=True)
    simulator = simulate(pace=pace, scene="fault nak 1 QPIGS")
    async with linked(tmp_path, simulator, baud=2400) as (link, _, _heard):
        assert await ask(link, "QPIGS") == b"NAK"
        assert len(await ask(link, "QPIGS")) == 106


# -- replies that come too late ---------------------------------------------------


async def test_a_late_reply_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    """QMN takes any text: QID's number, 0.1 s late, would be the model's name."""
    simulator = simulate(pace=Pace.instant(), scene="fault slow 1 QID 1.1s")
    async with linked(tmp_path, simulator) as (link, _, heard):
        with pytest.raises(NoReply):
            await ask(link, "QID", attempts=1)
        assert await ask(link, "QMN") == b"VMIII-5000"
        assert heard.commands == ["QID", "QMN"]
        assert link.stats.retries == 0


async def test_the_reply_to_a_cancelled_request_is_not_taken_for_the_next_one(
    tmp_path: Path,
) -> None:
    simulator = simulate(pace=Pace.instant(), scene="think 0.06")
    async with linked(tmp_path, simulator) as (link, _, _heard):
        given_up = asyncio.create_task(ask(link, "QID"))
        await asyncio.sleep(0.02)
        given_up.cancel()
        assert await ask(link, "QMN") == b"VMIII-5000"
        assert link.stats.retries == 0


async def test_a_reply_that_never_comes_holds_the_line_no_longer_than_it_could_be_late(
    tmp_path: Path,
) -> None:
    simulator = simulate(pace=Pace.instant(), scene="fault silence 1 QID")
    async with linked(tmp_path, simulator, patience=0.3) as (link, _, _heard):
        with pytest.raises(NoReply):
            await ask(link, "QID", attempts=1)
        async with asyncio.timeout(10):
            assert await ask(link, "QMN") == b"VMIII-5000"


# -- the port goes away -------------------------------------------------------------


async def test_a_lost_port_ends_the_exchange_in_flight_and_all_later_ones(
    tmp_path: Path,
) -> None:
    simulator = simulate(pace=Pace.instant(), scene="fault disconnect 1 QPIGS 30s")
    async with linked(tmp_path, simulator, patience=60) as (link, _, _heard):
        flying, waiting = (asyncio.create_task(ask(link, c)) for c in ("QPIGS", "QMOD"))
        with pytest.raises(PortLost) as lost:
            await flying
        with pytest.raises(PortLost):
            await waiting
        with pytest.raises(PortLost, match="is the cable still plugged in"):
            await ask(link, "QID")
        text = str(lost.value)
        assert text.count(str(tmp_path / "tty")) == 1
        assert link.lost.is_set()
        assert link.stats.retries == 0


async def test_a_port_lost_while_a_late_reply_is_awaited(tmp_path: Path) -> None:
    simulator = simulate(pace=Pace.instant(), scene="fault silence 1 QID")
    async with linked(tmp_path, simulator, patience=0.3) as (link, _, _heard):
        with pytest.raises(NoReply):
            await ask(link, "QID", attempts=1)
        next_one = asyncio.create_task(ask(link, "QMN"))
        await asyncio.sleep(0.01)
        link.connection_lost(PortLost("/dev/x was lost"))
        with pytest.raises(PortLost, match=r"^/dev/x was lost$"):
            await next_one


async def test_closing_ends_what_is_in_flight(tmp_path: Path) -> None:
    async with linked(tmp_path, says(None), patience=60) as (link, _, _heard):
        flying = asyncio.create_task(ask(link, "QPIGS"))
        await asyncio.sleep(0.02)
        await link.close()
        with pytest.raises(PortLost, match="is closed"):
            await flying


# -- sleeping through the reply -------------------------------------------------------


async def test_it_is_woken_a_few_times_for_a_reply_and_not_for_each_byte(
    tmp_path: Path,
) -> None:
    simulator = simulate(pace=Pace(think=0.06))
    async with linked(tmp_path, simulator, baud=2400) as (link, _, _heard):
        wakeups = []
        for _ in range(4):
            before = link.stats.wakeups
            assert len(await ask(link, "QPIGS")) == 106
            wakeups.append(link.stats.wakeups - before)
        # About 50 the first time; fewer where a busy machine gathers the bytes.
        assert max(wakeups[2:]) <= 6 < wakeups[0]
        # A short answer is found all the same, when the known time is over.
        simulator.scene.apply("fault nak 1 QPIGS")
        assert await ask(link, "QPIGS") == b"NAK"
        assert len(await ask(link, "QPIGS")) == 106
