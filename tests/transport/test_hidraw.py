import asyncio
import fcntl
import gc
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from helpers.transport import Pty, Recorder, pty_pair, until
from mppdbus.errors import PortError, PortLost
from mppdbus.protocol.framing import encode_request
from mppdbus.transport import HidrawTransport, hidraw, open_transport


@pytest.fixture(autouse=True)
def no_blocking_call() -> Iterator[None]:
    with blockbuster_ctx("mppdbus.transport"):
        yield


@pytest.fixture
def pty() -> Iterator[Pty]:
    with pty_pair() as pair:
        yield pair


@pytest.fixture
def seen() -> Recorder:
    return Recorder()


class FakeHid:
    """The device behind a hidraw node: takes 9-byte writes, gives 8-byte reports."""

    def __init__(self) -> None:
        self.wire, node = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        node.setblocking(False)
        self.wire.setblocking(False)
        self.fd = node.detach()
        self.times: list[float] = []

    def send(self, data: bytes) -> None:
        for at in range(0, len(data), 8):
            self.wire.send(data[at : at + 8].ljust(8, b"\0"))

    async def request(self) -> list[bytes]:
        """Return the reports up to the one with the CR, as they were written."""
        reports: list[bytes] = []

        def complete() -> bool:
            try:
                reports.append(self.wire.recv(64))
            except BlockingIOError:
                return False
            self.times.append(time.monotonic())
            return b"\r" in reports[-1]

        await until(complete)
        return reports


@pytest.fixture
def hid() -> Iterator[FakeHid]:
    device = FakeHid()
    yield device
    device.wire.close()


@pytest.fixture
async def node(hid: FakeHid, seen: Recorder) -> AsyncIterator[HidrawTransport]:
    transport = HidrawTransport(hid.fd, "/dev/hidraw7", seen)
    yield transport
    await transport.close()


COMMANDS = [
    *("QPI", "QMOD", "QPIGS", "QPIGS2", "QVFW3:1", "QMCHGCR1", "MUCHGC119"),
    *("MNCHGC0127", "PBEQMAX060A", "QED20261123", "QPGSQPGSQPGS", "QPGSQPGSQPGS1"),
    *("QPGSQPGSQPGS12", "POP02", "QCHGS", "PBCV25.2"),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("zero_as_one", [False, True])
async def test_hidraw_sends_every_length(
    node: HidrawTransport,
    hid: FakeHid,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    *,
    zero_as_one: bool,
) -> None:
    monkeypatch.setattr(hidraw, "PIECE_GAP", 0.001)
    request = encode_request(command, zero_as_one=zero_as_one)
    node.write(request)
    reports = await hid.request()
    assert {len(report) for report in reports} == {9}
    assert {report[0] for report in reports} == {0}
    sent = b"".join(report[1:] for report in reports)
    assert sent == request.ljust(-(-len(request) // 8) * 8, b"\0")


def test_the_commands_cover_every_length_and_a_zero() -> None:
    assert {len(command) for command in COMMANDS} == set(range(3, 15))
    assert b"\0" in encode_request("QCHGS")


async def test_hidraw_keeps_a_gap_between_pieces(
    node: HidrawTransport, hid: FakeHid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hidraw, "PIECE_GAP", 1.0)
    began = time.monotonic()
    node.write(encode_request("QPIGS2"))
    await hid.request()
    first, second = (at - began for at in hid.times)
    assert first < 1.0 <= second


@pytest.mark.parametrize(
    ("reports", "data"),
    [
        ([b"(B\xe7\xc9\r\0\0\0"], b"(B\xe7\xc9\r"),
        ([b"(ACK9 \r\0"], b"(ACK9 \r"),
        ([b"(abcdef\r"], b"(abcdef\r"),
        # a checksum byte 00, last of one report, first of the next, and both
        ([b"(abcdef\0", b"\xe7\r\0\0\0\0\0\0"], b"(abcdef\0\xe7\r"),
        ([b"(abcdefg", b"\0\xe7\r\0\0\0\0\0"], b"(abcdefg\0\xe7\r"),
        ([b"(abcde\0\0", b"\r\0\0\0\0\0\0\0"], b"(abcde\0\0\r"),
        ([b"(abcdefg", b"\0\0\r\0\0\0\0\0"], b"(abcdefg\0\0\r"),
        # reports of padding only, after a reply and before the next
        (
            [b"(B\xe7\xc9\r\0\0\0", bytes(8), bytes(8), b"(L\x06\x07\r\0\0\0"],
            b"(B\xe7\xc9\r(L\x06\x07\r",
        ),
        # CR and LF
        ([b"(B\xe7\xc9\r\n\0\0"], b"(B\xe7\xc9\r\n"),
        # a report short of its padding
        ([b"(B\xe7", b"\xc9\r"], b"(B\xe7\xc9\r"),
    ],
)
@pytest.mark.parametrize("paused", [False, True])
async def test_hidraw_strips_padding_and_nothing_else(
    node: HidrawTransport,
    hid: FakeHid,
    seen: Recorder,
    *,
    reports: list[bytes],
    data: bytes,
    paused: bool,
) -> None:
    if paused:
        node.pause_reading()
    for report in reports:
        hid.wire.send(report)
        await asyncio.sleep(0.001)
    node.resume_reading()
    await until(lambda: len(seen.data) >= len(data))
    assert seen.data == data
    if paused:
        assert len(seen.pieces) == 1


async def test_hidraw_discards_what_was_not_delivered(
    node: HidrawTransport, hid: FakeHid, seen: Recorder
) -> None:
    node.pause_reading()
    node.pause_reading()
    hid.send(b"(cut without an end")
    await asyncio.sleep(0.01)
    assert seen.pieces == []
    node.discard_input()
    node.resume_reading()
    node.resume_reading()
    hid.send(b"(B\xe7\xc9\r")
    await until(lambda: seen.data)
    assert seen.pieces == [b"(B\xe7\xc9\r"]


async def test_hidraw_tells_what_came_before_the_unplugging(
    node: HidrawTransport, hid: FakeHid, seen: Recorder
) -> None:
    hid.send(b"(B\xe7\xc9\r")
    hid.wire.close()
    await until(lambda: seen.ends)
    assert seen.pieces == [b"(B\xe7\xc9\r"]
    assert seen.pieces_at_end == 1
    (error,) = seen.ends
    assert isinstance(error, PortLost)
    assert str(error).startswith("/dev/hidraw7 was lost (")
    node.write(b"QMOD")
    node.discard_input()
    node.resume_reading()
    await node.close()
    assert len(seen.ends) == 1


async def test_hidraw_write_to_a_lost_device_ends_the_pipe(
    node: HidrawTransport, hid: FakeHid, seen: Recorder
) -> None:
    node.pause_reading()  # so that the writer meets the error: EPIPE
    hid.wire.close()
    node.write(encode_request("QPIGS2"))
    await until(lambda: seen.ends)
    assert isinstance(seen.ends[0], PortLost)
    assert "Broken pipe" in str(seen.ends[0])
    await node.close()
    assert len(seen.ends) == 1


def fill(fd: int) -> int:
    """Write until the device takes no more; return how many writes it took."""
    for count in range(100_000):
        try:
            os.write(fd, bytes(9))
        except BlockingIOError:
            return count
    raise AssertionError


async def test_hidraw_waits_for_a_device_that_takes_nothing_yet(
    node: HidrawTransport, hid: FakeHid, seen: Recorder
) -> None:
    stuck = fill(hid.fd)
    node.write(encode_request("QMOD"))
    await asyncio.sleep(0.03)
    for _ in range(stuck):
        assert hid.wire.recv(64) == bytes(9)
    (report,) = await hid.request()
    assert report[1:].rstrip(b"\0") == encode_request("QMOD")
    assert seen.ends == []


async def test_hidraw_gives_up_on_a_device_that_takes_nothing(
    node: HidrawTransport, hid: FakeHid, seen: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hidraw, "WRITE_PATIENCE", 0.05)
    fill(hid.fd)
    node.write(encode_request("QMOD"))
    await until(lambda: seen.ends)
    assert isinstance(seen.ends[0], PortLost)
    assert "takes no data" in str(seen.ends[0])


async def test_closed_hidraw_sends_no_more_pieces(
    node: HidrawTransport,
    hid: FakeHid,
    seen: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(hidraw, "PIECE_GAP", 0.02)
    node.write(encode_request("QPGSQPGSQPGS12"))
    await until(lambda: readable(hid))
    await asyncio.gather(node.close(), node.close())
    await asyncio.sleep(0.03)
    gc.collect()  # a task that died in the meantime would be reported now
    assert caplog.messages == []
    assert seen.ends == [None]
    assert len(hid.wire.recv(64)) == 9
    assert hid.wire.recv(64) == b""  # the end: our side is closed
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(hid.fd)


def readable(hid: FakeHid) -> bool:
    try:
        return bool(hid.wire.recv(64, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@pytest.fixture
def hid_sysfs(pty: Pty, tmp_path: Path) -> Path:
    """A /sys by which the pseudo-terminal is a hidraw node."""
    number = Path(pty.path).stat().st_rdev
    entry = tmp_path / "dev/char" / f"{os.major(number)}:{os.minor(number)}"
    entry.mkdir(parents=True)
    (entry / "subsystem").symlink_to("../../../class/hidraw")
    return tmp_path


async def test_hidraw_is_opened_by_what_it_is_not_by_its_name(
    pty: Pty, seen: Recorder, hid_sysfs: Path
) -> None:
    port = f"hidraw:{pty.path}"
    transport = await open_transport(port, seen, sysfs=hid_sysfs)
    assert transport.label == pty.path
    assert transport.sends_zero_as_one
    assert transport.byte_time == 1 / 240
    with pytest.raises(BlockingIOError):
        fcntl.flock(pty.slave, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(PortError, match="in use by this very program"):
        await open_transport(port, Recorder(), sysfs=hid_sysfs)
    transport.write(b"QMOD\x49\xc1\r")
    assert await pty.read(9) == b"\0QMOD\x49\xc1\r\0"
    await transport.close()
    await (await open_transport(port, Recorder(), sysfs=hid_sysfs)).close()
