"""SetValue: what is refused, what reaches the writer, and what the bus shows when."""

# ruff: noqa: ANN401 - clients write values of any type

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from dbus_fast import Variant

from helpers.bus import BusItemClient, serving
from mppdbus.errors import Refused
from mppdbus.venus.dbus.items import Item, ItemType, Value
from mppdbus.venus.dbus.service import Service
from mppdbus.venus.dbus.writes import ACCEPTED, NOT_WRITABLE, REFUSED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.usefixtures("never_blocking")

LIMIT = "/Ac/In/1/CurrentLimit"
ITEMS = (
    Item("/State", ItemType.INT),
    Item("/Mode", ItemType.INT, writable=True, default=3),
    Item(LIMIT, ItemType.DOUBLE, "{:.0f} A", writable=True, minimum=2, maximum=60),
    Item("/Energy", ItemType.LONG, writable=True),
    Item("/CustomName", ItemType.TEXT, writable=True),
    Item("/Labels", ItemType.TEXTS, writable=True),
    Item("/Steps", ItemType.INTS, writable=True),
)
START: dict[str, Value] = {"/State": 9, "/Mode": 4, LIMIT: 10.0, "/CustomName": "one"}
Written = tuple[str, Value]


class Inverter:
    """A writer that notes what reaches it, and whose verdict the test decides."""

    def __init__(self) -> None:
        self.written: list[Written] = []
        self.decide: Callable[[], int | Awaitable[int]] = lambda: ACCEPTED

    def __call__(self, path: str, value: Value) -> int | Awaitable[int]:
        self.written.append((path, value))
        return self.decide()

    def take_time(self) -> asyncio.Future[int]:
        """Let the next write wait for the future that is returned."""
        verdict: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.decide = lambda: verdict
        return verdict


Served = tuple[Service, BusItemClient, Inverter]


@pytest.fixture
async def served(bus_address: str) -> AsyncIterator[Served]:
    inverter = Inverter()
    async with serving(bus_address, ITEMS, writer=inverter) as (service, client):
        service.update(START)
        await client.next_change()
        yield service, client, inverter


@pytest.mark.parametrize(
    ("path", "signature", "sent", "written"),
    [
        ("/Mode", "i", 3, 3),
        ("/Mode", "d", 3.0, 3),
        ("/Mode", "b", True, 1),
        ("/Mode", "y", 2, 2),
        ("/Mode", "x", 2, 2),
        ("/Mode", "v", Variant("i", 2), 2),
        (LIMIT, "i", 16, 16.0),
        (LIMIT, "d", 16.5, 16.5),
        (LIMIT, "d", 60.0, 60.0),
        (LIMIT, "i", 2, 2.0),
        ("/Energy", "i", 5, 5),
        ("/Energy", "d", float(1 << 40), 1 << 40),
        ("/CustomName", "s", "two", "two"),
        ("/CustomName", "s", "", ""),
        ("/Labels", "as", ["a"], ["a"]),
        ("/Labels", "av", [Variant("s", "a")], ["a"]),
        ("/Steps", "ad", [10.0, 20.0], [10, 20]),
    ],
)
async def test_a_write_arrives_in_the_type_of_the_item(
    served: Served, path: str, signature: str, sent: Any, written: Value
) -> None:
    service, client, inverter = served
    assert await client.set_value(path, signature, sent) == ACCEPTED
    assert inverter.written == [(path, written)]
    assert type(inverter.written[0][1]) is type(written)
    assert await client.next_values() == {path: written}
    assert service.value(path) == written


@pytest.mark.parametrize(
    ("path", "signature", "sent", "verdict"),
    [
        ("/State", "i", 3, NOT_WRITABLE),
        (LIMIT, "b", True, REFUSED),  # a charge of 1 % because of a "true"
        ("/Ac/In", "i", 3, NOT_WRITABLE),
        ("/", "i", 3, NOT_WRITABLE),
        ("/Mode", "d", 3.5, REFUSED),
        ("/Mode", "s", "3", REFUSED),
        ("/Mode", "x", 1 << 40, REFUSED),
        ("/Mode", "d", 1e300, REFUSED),
        ("/Mode", "ai", [], REFUSED),
        ("/Mode", "ai", [3], REFUSED),
        ("/Mode", "a{sv}", {}, REFUSED),
        (LIMIT, "d", 1.9, REFUSED),
        (LIMIT, "d", 60.1, REFUSED),
        (LIMIT, "d", float("nan"), REFUSED),
        (LIMIT, "d", float("inf"), REFUSED),
        (LIMIT, "s", "16", REFUSED),
        ("/CustomName", "i", 1, REFUSED),
        ("/CustomName", "ai", [], REFUSED),
        ("/CustomName", "ay", b"two", REFUSED),
        ("/Labels", "as", [], REFUSED),
        ("/Labels", "ai", [1], REFUSED),
        ("/Steps", "as", ["1"], REFUSED),
    ],
)
async def test_what_does_not_fit_is_refused_and_reaches_nobody(
    served: Served, path: str, signature: str, sent: Any, verdict: int
) -> None:
    service, client, inverter = served
    assert await client.set_value(path, signature, sent) == verdict
    assert inverter.written == []
    assert not client.changes
    assert all(service.value(path) == value for path, value in START.items())


async def test_an_unwrapped_invalid_value_is_refused(served: Served) -> None:
    _, client, inverter = served
    reply = await client.call("/Mode", "SetValue", "ai", [[]])
    assert (reply.signature, reply.body) == ("i", [REFUSED])
    assert inverter.written == []


async def test_what_is_so_already_is_accepted_and_written_nowhere(
    served: Served,
) -> None:
    _, client, inverter = served
    assert await client.set_value(LIMIT, "i", 10) == ACCEPTED
    assert inverter.written == []
    assert not client.changes


async def test_a_confirmation_of_what_is_shown_is_written(served: Served) -> None:
    service, client, inverter = served
    service.add([Item("/Soc", ItemType.DOUBLE, writable=True, confirmable=True)])
    service.update({"/Soc": 98.9})
    assert await client.set_value("/Soc", "d", 98.9) == ACCEPTED
    assert inverter.written == [("/Soc", 98.9)]
    assert service.value("/Soc") == 98.9


async def test_the_default_is_written_like_any_value(served: Served) -> None:
    service, client, inverter = served
    reply = await client.call("/Mode", "SetDefault")
    assert (reply.signature, reply.body) == ("i", [ACCEPTED])
    assert inverter.written == [("/Mode", 3)]
    assert service.value("/Mode") == 3


async def test_without_a_writer_a_fitting_value_is_kept(bus_address: str) -> None:
    async with serving(bus_address, ITEMS) as (service, client):
        assert await client.set_value("/CustomName", "s", "shed") == ACCEPTED
        assert await client.next_values() == {"/CustomName": "shed"}
        assert service.value("/CustomName") == "shed"


@pytest.mark.parametrize("error", [Refused("NAK"), ZeroDivisionError("a bug")])
async def test_a_writer_that_raises_has_refused(
    served: Served, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    service, client, inverter = served

    def explode() -> int:
        raise error

    async def explode_later() -> int:
        await asyncio.sleep(0)
        raise error

    for decide in (explode, explode_later):
        inverter.decide = decide
        assert await client.set_value(LIMIT, "i", 16) == REFUSED
        assert await client.next_values() == {LIMIT: 16}
        assert await client.next_values() == {LIMIT: 10}
        assert service.value(LIMIT) == 10
    assert [record.message for record in caplog.records] == [
        f"{LIMIT}: write failed: {error}"
    ] * 2
    assert all(bool(r.exc_info) != isinstance(error, Refused) for r in caplog.records)


async def test_a_refused_write_is_echoed_and_taken_back_at_once(served: Served) -> None:
    _, client, inverter = served
    inverter.decide = lambda: 7
    assert await client.set_value(LIMIT, "i", 16) == 7
    assert await client.next_values() == {LIMIT: 16}
    assert await client.next_values() == {LIMIT: 10}


async def begin_write(client: BusItemClient, value: int) -> asyncio.Task[int]:
    """Write and return when the echo is here; the task waits for the verdict."""
    task = asyncio.create_task(client.set_value(LIMIT, "i", value))
    assert await client.next_values() == {LIMIT: value}
    return task


async def test_the_verdict_may_come_later_than_the_echo(served: Served) -> None:
    service, client, inverter = served
    verdict = inverter.take_time()
    write = await begin_write(client, 16)
    assert await client.get_value(LIMIT) == 16  # reads do not wait for the writer
    assert not write.done()
    verdict.set_result(ACCEPTED)
    assert await write == ACCEPTED
    assert service.value(LIMIT) == 16
    assert not client.changes


async def test_a_late_refusal_takes_the_echo_back_before_the_answer(
    served: Served,
) -> None:
    service, client, inverter = served
    verdict = inverter.take_time()
    write = await begin_write(client, 16)
    verdict.set_result(3)
    assert await write == 3
    assert client.changes.popleft()[LIMIT]["Value"] == 10
    assert service.value(LIMIT) == 10


@pytest.mark.parametrize(
    ("verdict", "polled", "shown"),
    [
        (ACCEPTED, 10, 16),  # polled before the write took: no news
        (ACCEPTED, 20, 20),  # the inverter made something else of it
        (ACCEPTED, None, None),
        (REFUSED, 20, 20),
        (REFUSED, 10, 10),
    ],
)
async def test_a_poll_does_not_disturb_the_echo_but_counts_afterwards(
    served: Served, verdict: int, polled: Value, shown: Value
) -> None:
    service, client, inverter = served
    pending = inverter.take_time()
    write = await begin_write(client, 16)
    assert service.update({LIMIT: polled, "/State": 3}) == 1
    assert await client.next_values() == {"/State": 3}
    assert service.value(LIMIT) == 16
    pending.set_result(verdict)
    assert await write == verdict
    assert service.value(LIMIT) == shown
    told = [change[LIMIT]["Value"] for change in client.changes]
    assert told == ([] if shown == 16 else [shown])


async def test_what_the_writer_reads_back_is_shown(served: Served) -> None:
    service, client, inverter = served

    async def round_down() -> int:
        await asyncio.sleep(0)
        service.update({LIMIT: 10.0})  # as it was: this unit knows only tens
        return ACCEPTED

    def round_down_now() -> int:
        service.update({LIMIT: 10.0})
        return ACCEPTED

    for decide in (round_down, round_down_now):
        inverter.decide = decide
        assert await client.set_value(LIMIT, "i", 16) == ACCEPTED
        assert await client.next_values() == {LIMIT: 16}
        assert await client.next_values() == {LIMIT: 10}


async def test_the_later_of_two_writes_decides(served: Served) -> None:
    service, client, inverter = served
    first = inverter.take_time()
    one = await begin_write(client, 16)
    second = inverter.take_time()
    two = await begin_write(client, 20)
    first.set_result(REFUSED)
    assert await one == REFUSED
    assert service.value(LIMIT) == 20
    second.set_result(REFUSED)
    assert await two == REFUSED
    assert await client.next_values() == {LIMIT: 10}
    assert inverter.written == [(LIMIT, 16), (LIMIT, 20)]


async def test_a_later_write_that_fails_goes_back_to_the_one_that_took(
    served: Served,
) -> None:
    service, client, inverter = served
    first = inverter.take_time()
    one = await begin_write(client, 16)
    second = inverter.take_time()
    two = await begin_write(client, 20)
    first.set_result(ACCEPTED)
    assert await one == ACCEPTED
    second.set_result(REFUSED)
    assert await two == REFUSED
    assert service.value(LIMIT) == 16
    assert await client.next_values() == {LIMIT: 16}


async def test_the_writer_has_one_write_at_a_time(served: Served) -> None:
    service, client, inverter = served
    first = inverter.take_time()
    one = await begin_write(client, 16)
    second = inverter.take_time()
    two = await begin_write(client, 20)
    assert inverter.written == [(LIMIT, 16)]
    second.set_result(ACCEPTED)  # not asked for yet
    first.set_result(REFUSED)
    assert (await one, await two) == (REFUSED, ACCEPTED)
    assert inverter.written == [(LIMIT, 16), (LIMIT, 20)]
    assert service.value(LIMIT) == 20
    assert not client.changes


async def test_the_newest_value_takes_the_place_of_the_one_that_waits(
    served: Served,
) -> None:
    service, client, inverter = served
    first = inverter.take_time()
    one = await begin_write(client, 16)
    two = await begin_write(client, 20)
    three = await begin_write(client, 30)
    assert await two == REFUSED  # it was never written
    inverter.decide = lambda: ACCEPTED
    first.set_result(ACCEPTED)
    assert (await one, await three) == (ACCEPTED, ACCEPTED)
    assert inverter.written == [(LIMIT, 16), (LIMIT, 30)]
    assert service.value(LIMIT) == 30


@pytest.mark.parametrize("verdict", [ACCEPTED, 7])
async def test_equal_values_share_a_verdict(served: Served, verdict: int) -> None:
    service, client, inverter = served
    pending = inverter.take_time()
    writes = [await begin_write(client, 16)]
    writes += [asyncio.create_task(client.set_value(LIMIT, "i", 16)) for _ in range(2)]
    await client.settled()
    assert not any(write.done() for write in writes)  # nothing is decided yet
    pending.set_result(verdict)
    assert await asyncio.gather(*writes) == [verdict] * 3
    assert inverter.written == [(LIMIT, 16)]
    assert service.value(LIMIT) == (16 if verdict == ACCEPTED else 10)


async def test_equal_values_that_wait_share_a_verdict(served: Served) -> None:
    _, client, inverter = served
    first = inverter.take_time()
    one = await begin_write(client, 16)
    two = await begin_write(client, 20)
    three = asyncio.create_task(client.set_value(LIMIT, "i", 20))
    await client.settled()
    inverter.decide = lambda: 5
    first.set_result(ACCEPTED)
    assert [await one, await two, await three] == [ACCEPTED, 5, 5]
    assert inverter.written == [(LIMIT, 16), (LIMIT, 20)]
    assert await client.next_values() == {LIMIT: 16}


async def test_back_to_what_is_being_written(served: Served) -> None:
    service, client, inverter = served
    first = inverter.take_time()
    one = await begin_write(client, 16)
    two = await begin_write(client, 20)
    three = await begin_write(client, 16)
    assert await two == REFUSED
    first.set_result(ACCEPTED)
    assert (await one, await three) == (ACCEPTED, ACCEPTED)
    assert inverter.written == [(LIMIT, 16)]
    assert service.value(LIMIT) == 16


async def test_writes_of_other_leaves_do_not_wait(served: Served) -> None:
    _, client, inverter = served
    first = inverter.take_time()
    one = await begin_write(client, 16)
    inverter.decide = lambda: ACCEPTED
    assert await client.set_value("/Mode", "i", 2) == ACCEPTED
    assert not one.done()
    first.set_result(ACCEPTED)
    assert await one == ACCEPTED


async def test_what_waits_is_refused_when_the_service_ends(served: Served) -> None:
    service, client, inverter = served
    inverter.take_time()
    one = await begin_write(client, 16)
    two = await begin_write(client, 20)
    await service.close()
    assert (await one, await two) == (REFUSED, REFUSED)
    assert inverter.written == [(LIMIT, 16)]
    assert service.value(LIMIT) == 10


async def test_who_waits_for_a_verdict_hears_when_the_service_ends(
    served: Served,
) -> None:
    service, client, inverter = served
    inverter.take_time()
    write = await begin_write(client, 16)
    await service.close()
    assert await write == REFUSED
    assert service.value(LIMIT) == 10


STEPPER = Item("/Dimming", ItemType.DOUBLE, writable=True, quiet=0.5)


async def hold(client: BusItemClient, *values: float) -> list[int]:
    """Write one value after the other, as a button does that is held."""
    writes = (client.set_value(STEPPER.path, "d", value) for value in values)
    return await asyncio.gather(*writes)


async def test_of_a_held_button_the_last_value_alone_is_written(served: Served) -> None:
    service, client, inverter = served
    service.add([STEPPER])
    service.update({STEPPER.path: 10.0})
    steps = [float(value) for value in range(11, 35)]
    began = asyncio.get_running_loop().time()
    assert await hold(client, *steps) == [REFUSED] * 23 + [ACCEPTED]
    assert asyncio.get_running_loop().time() - began >= STEPPER.quiet
    assert inverter.written == [(STEPPER.path, 34.0)]
    assert service.value(STEPPER.path) == 34.0


async def test_a_held_button_is_echoed_at_once_and_taken_back_when_refused(
    served: Served,
) -> None:
    service, client, inverter = served
    service.add([STEPPER])
    service.update({STEPPER.path: 10.0})
    inverter.decide = lambda: REFUSED
    writes = asyncio.create_task(hold(client, 11.0, 12.0, 12.0))
    while service.value(STEPPER.path) != 12.0:
        await asyncio.sleep(0)
    assert inverter.written == []
    service.update({STEPPER.path: 10.5})  # read meanwhile
    assert await writes == [REFUSED] * 3
    assert inverter.written == [(STEPPER.path, 12.0)]
    assert service.value(STEPPER.path) == 10.5


async def test_what_waits_for_quiet_when_the_service_leaves_is_never_written(
    served: Served,
) -> None:
    service, client, inverter = served
    service.add([STEPPER])
    writes = asyncio.create_task(hold(client, 11.0))
    while service.value(STEPPER.path) != 11.0:
        await asyncio.sleep(0)
    await service.close()
    with suppress(Exception):
        await writes
    await asyncio.sleep(2 * STEPPER.quiet)
    assert inverter.written == []
