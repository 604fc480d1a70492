import asyncio
import errno
import fcntl
import itertools
import logging
import os
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from helpers.transport import Pty, Recorder, pty_pair, until
from mppdbus.errors import PortError, PortLost
from mppdbus.transport import Transport, open_transport
from mppdbus.transport.base import in_thread
from mppdbus.transport.open_errors import busy, cannot_open
from mppdbus.transport.port_url import PortUrl

QPIGS = b"(230.0 49.9 230.0 49.9 0161 0119 003\x00\xe7\r"  # with a checksum byte 00
TIOCGEXCL = 0x80045440  # asm-generic/ioctls.h; not in termios


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


# -- serial ---------------------------------------------------------------------


@pytest.fixture
async def serial(pty: Pty, seen: Recorder) -> AsyncIterator[Transport]:
    transport = await open_transport(pty.path, seen)
    yield transport
    await transport.close()


async def test_serial_carries_bytes_both_ways(
    pty: Pty, seen: Recorder, tmp_path: Path
) -> None:
    link = tmp_path / "by-id"
    link.symlink_to(pty.path)
    everything = bytes(range(256))
    transport = await open_transport(PortUrl("serial", str(link)), seen)
    transport.write(everything)
    assert await pty.read(256) == everything
    os.write(pty.master, everything)
    await until(lambda: len(seen.data) == 256)
    assert seen.data == everything
    assert transport.label == str(link)
    assert not transport.sends_zero_as_one
    await transport.close()


@pytest.mark.parametrize("baud", [2400, 9600])
async def test_serial_knows_its_pace(pty: Pty, seen: Recorder, baud: int) -> None:
    transport = await open_transport(pty.path, seen, baud=baud)
    assert transport.byte_time == 10 / baud
    speeds = termios.tcgetattr(pty.slave)[4:6]
    assert speeds == [getattr(termios, f"B{baud}")] * 2
    await transport.close()


async def test_what_comes_while_paused_arrives_in_one_piece(
    pty: Pty, serial: Transport, seen: Recorder
) -> None:
    serial.pause_reading()
    serial.pause_reading()
    for at in range(0, len(QPIGS), 8):
        os.write(pty.master, QPIGS[at : at + 8])
        await asyncio.sleep(0.005)
    assert seen.pieces == []
    serial.resume_reading()
    serial.resume_reading()
    await until(lambda: seen.pieces)
    assert seen.pieces == [QPIGS]


async def test_without_a_pause_every_burst_wakes_us(
    pty: Pty, serial: Transport, seen: Recorder
) -> None:
    await asyncio.sleep(0)
    for at in range(0, len(QPIGS), 8):
        os.write(pty.master, QPIGS[at : at + 8])
        await asyncio.sleep(0.005)
    await until(lambda: seen.data == QPIGS)
    assert len(seen.pieces) > 3
    assert serial.label


async def test_serial_discards_what_was_not_delivered(
    pty: Pty, serial: Transport, seen: Recorder
) -> None:
    serial.pause_reading()
    os.write(pty.master, b"stale")
    await asyncio.sleep(0.01)
    serial.discard_input()
    serial.resume_reading()
    os.write(pty.master, b"fresh")
    await until(lambda: seen.data)
    assert seen.data == b"fresh"


@pytest.mark.parametrize("writing", [False, True])
async def test_unplugged_serial_is_told_once(
    pty: Pty,
    serial: Transport,
    seen: Recorder,
    caplog: pytest.LogCaptureFixture,
    *,
    writing: bool,
) -> None:
    if writing:
        serial.pause_reading()  # so that the writer meets the error
    pty.unplug()
    if writing:
        serial.write(b"QMOD")
    await until(lambda: seen.ends)
    serial.write(b"QMOD")
    serial.discard_input()
    serial.resume_reading()
    await serial.close()
    await serial.close()
    (error,) = seen.ends
    assert isinstance(error, PortLost)
    assert serial.label in str(error)
    assert "cable" in str(error)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_close_does_not_wait_for_unsent_bytes(
    pty: Pty, serial: Transport, seen: Recorder
) -> None:
    serial.write(b"x" * 200_000)  # the pseudo-terminal takes some of it
    await asyncio.sleep(0.02)
    async with asyncio.timeout(60):
        await serial.close()
    assert seen.ends == [None]
    assert pty.path == serial.label


async def test_close_leaves_to_a_thread_what_an_adapter_can_hold_up(
    pty: Pty, serial: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    closers: set[threading.Thread] = set()
    drained: list[int] = []
    real_close = os.close

    def close(fd: int) -> None:
        closers.add(threading.current_thread())
        real_close(fd)

    monkeypatch.setattr(termios, "tcdrain", drained.append)
    monkeypatch.setattr(os, "close", close)
    serial.write(b"QMOD")
    await serial.close()
    assert closers
    assert threading.main_thread() not in closers
    assert drained == []
    assert serial.label == pty.path


async def test_closed_serial_is_free_at_once(pty: Pty) -> None:
    for _ in range(3):
        seen = Recorder()
        transport = await open_transport(pty.path, seen)
        await asyncio.gather(transport.close(), transport.close())
        await transport.close()
        transport.write(b"QMOD")
        transport.discard_input()
        os.write(pty.master, b"late")
        await asyncio.sleep(0.01)
        assert seen.ends == [None]
        assert seen.pieces == []


def is_exclusive(fd: int) -> bool:
    (flag,) = struct.unpack("i", fcntl.ioctl(fd, TIOCGEXCL, bytes(4)))
    return bool(flag)


async def test_a_serial_port_leaves_no_file_open(seen: Recorder) -> None:
    """However it ends, also while reading is paused, which an unplugged one may be."""
    open_files = Path("/proc/self/fd")
    before = len([*open_files.iterdir()])
    for unplugged, paused in itertools.product((False, True), repeat=2):
        with pty_pair() as pty:
            seen.ends.clear()
            transport = await open_transport(pty.path, seen)
            await asyncio.sleep(0)
            if paused:
                transport.pause_reading()
            if unplugged:
                pty.unplug()
                await until(lambda: seen.ends)  # nobody resumes reading
            await transport.close()
    assert len([*open_files.iterdir()]) == before


async def test_serial_is_locked_while_open(pty: Pty, seen: Recorder) -> None:
    transport = await open_transport(pty.path, seen)
    assert is_exclusive(pty.slave)
    with pytest.raises(BlockingIOError):
        fcntl.flock(pty.slave, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(PortError, match=f"^{pty.path} is in use by this very program;"):
        await open_transport(pty.path, Recorder())
    await transport.close()
    assert not is_exclusive(pty.slave)
    fcntl.flock(pty.slave, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.fixture
def squatter(pty: Pty) -> Iterator[int]:
    """Another program that has the port open, without any lock."""
    script = "import sys; port = open(sys.argv[1], 'rb'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, pty.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        process.kill()


@pytest.mark.parametrize("scheme", ["serial", "hidraw"])
async def test_busy_port_names_who_has_it(
    pty: Pty, seen: Recorder, squatter: int, scheme: str
) -> None:
    with pytest.raises(PortError) as caught:
        await open_transport(f"{scheme}:{pty.path}", seen)
    message = str(caught.value)
    assert message.startswith(f"{pty.path} is in use by pid {squatter} (")
    assert f"input() {pty.path})" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("port", "message"),
    [
        ("/dev/ttyUSB97", "/dev/ttyUSB97 does not exist; is the cable plugged in? pre"),
        ("hidraw:/dev/hidraw97", "/dev/hidraw97 does not exist; is the cable plugged"),
        ("/etc/hosts/tty", "/etc/hosts/tty does not exist"),
        ("/dev", "/dev is a directory; name the device in it"),
        (f"serial:{__file__}", f"{__file__} is no device; name one such as"),
        ("/dev/full", "/dev/full is no serial port; name another device"),
        ("hidraw:/dev/full", "/dev/full is no hidraw device; for a tty write serial:"),
    ],
)
async def test_message_for_a_wrong_device(
    seen: Recorder, port: str, message: str
) -> None:
    with pytest.raises(PortError) as caught:
        await open_transport(port, seen)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert seen.ends == []


async def test_text_that_is_no_port_is_the_users_mistake(seen: Recorder) -> None:
    with pytest.raises(ValueError, match="unknown kind of port"):
        await open_transport("usb:/dev/ttyUSB0", seen)


@pytest.mark.parametrize(
    ("mode", "name", "advice"),
    [
        (0o660, "ttyUSB0", "usermod -aG"),
        (0o600, "hidraw0", 'KERNELS=="0003:0665:5161.*"'),
        (0o600, "ttyUSB0", "only root may"),
    ],
)
def test_message_for_a_forbidden_device(
    tmp_path: Path, mode: int, name: str, advice: str
) -> None:
    device = tmp_path / name
    device.touch()
    device.chmod(mode)
    if os.geteuid() == 0:
        os.chown(device, 0, 5)
    message = str(cannot_open(str(device), OSError(errno.EACCES, "")))
    assert message.startswith(f"{device} may not be opened by you; ")
    assert advice in message


def test_message_for_a_port_held_by_somebody_we_may_not_see() -> None:
    message = str(cannot_open("/dev/ttyUSB97", OSError(errno.EBUSY, "")))
    assert message.startswith("/dev/ttyUSB97 is in use by another program;")
    assert "in use by another program;" in str(busy("/dev/ttyUSB97", []))


async def test_a_cancelled_opening_gives_back_what_it_got() -> None:
    opened, go_on = threading.Event(), threading.Event()
    released: list[str] = []

    def acquire() -> str:
        opened.set()
        go_on.wait(2)
        return "port"

    task = asyncio.create_task(in_thread(acquire, released.append))
    await until(opened.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await until(lambda: released)
    assert released == ["port"]
