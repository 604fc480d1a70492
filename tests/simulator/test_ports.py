"""Real ptys, sockets and processes, with clients that know nothing of the driver."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from pathlib import Path

import pytest

from helpers.places import TESTS
from helpers.simulator import ask, opened, read_until
from mppdbus.errors import ConfigError
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.hidraw import (
    serve_hid,
    without_report_number,
    without_report_numbers,
)
from mppdbus.simulator.ports.server import serve_pty, serve_tcp
from mppdbus.simulator.unit.recording import Recording

FRAMES = TESTS / "frames" / "frames.jsonl"
LINE = encode_reply("L")


async def test_clients_of_a_pty_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    path.symlink_to("/nowhere")  # left behind by somebody
    async with serve_pty(simulate(pace=Pace.instant()), path) as port:
        assert port.path == path
        for _ in range(3):
            with opened(path) as fd:
                assert await ask(fd, "QMOD") == LINE
                assert await ask(fd, "POP02") == encode_reply("ACK")
                assert await ask(fd, "POP00") == encode_reply("ACK")
    assert not path.is_symlink()


async def test_a_pty_carries_every_byte_unchanged(tmp_path: Path) -> None:
    everything = bytes(byte for byte in range(256) if byte != 0x0D) + b"\r"
    simulator = simulate(pace=Pace.instant())
    simulator.source = Recording("any", {"QMOD": [everything]})
    async with serve_pty(simulator, tmp_path / "tty"):
        with opened(tmp_path / "tty") as fd:
            assert await ask(fd, "QMOD") == everything


async def test_a_pty_is_paced_like_a_real_line(tmp_path: Path) -> None:
    async with serve_pty(simulate(), tmp_path / "tty"):
        with opened(tmp_path / "tty") as fd:
            ratios: list[float] = []
            while not ratios or (min(ratios) >= 1.1 and len(ratios) < 20):
                began = time.monotonic()
                reply = await ask(fd, "QPIGS")
                took = time.monotonic() - began
                ratios.append(took / ((8 + len(reply)) / 240 + 0.06))
    assert len(reply) == 110
    assert 0.98 < min(ratios) < 1.1  # the best of some: others use this machine


async def test_nobody_reads_and_nothing_blocks(tmp_path: Path) -> None:
    simulator = simulate(pace=Pace.instant())
    async with serve_pty(simulator, tmp_path / "tty"):
        with opened(tmp_path / "tty") as fd:
            async with asyncio.timeout(120):
                for number in range(1, 101):  # 11 kB, more than a terminal keeps
                    os.write(fd, encode_request("QPIGS"))
                    while simulator.scene.requests["QPIGS"] < number:
                        await asyncio.sleep(0.001)
                    await asyncio.sleep(0.001)
            await read_until(fd, b"\r")


async def test_a_disconnected_pty_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    simulator = simulate(pace=Pace.instant(), scene="fault disconnect 0.1s")
    async with serve_pty(simulator, path):
        with opened(path) as fd:
            with pytest.raises(EOFError):
                await ask(fd, "QMOD")
            assert not path.is_symlink()
        async with asyncio.timeout(120):
            while not path.is_symlink():
                await asyncio.sleep(0.01)
        with opened(path) as fd:
            assert await ask(fd, "QMOD") == LINE


async def test_a_pty_that_ends_while_it_is_gone_does_not_come_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tty"
    simulator = simulate(pace=Pace.instant(), scene="fault disconnect 0.05s")
    async with serve_pty(simulator, path):
        with opened(path) as fd, pytest.raises(EOFError):
            await ask(fd, "QMOD")
    await asyncio.sleep(0.1)
    assert not path.is_symlink()


async def test_a_pty_does_not_overwrite_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="exists and is no symlink"):
        async with serve_pty(simulate(), path):
            pass
    with pytest.raises(ConfigError, match="choose another path"):
        async with serve_pty(simulate(), tmp_path / "no" / "folder"):
            pass
    assert path.read_text() == "mine"


async def test_where_there_is_no_pty_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_here() -> tuple[int, int]:  # as in a chroot without /dev/pts
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(os, "openpty", none_here)
    with pytest.raises(ConfigError, match="No such device; is /dev/pts mounted"):
        async with serve_pty(simulate(), tmp_path / "tty"):
            pass


async def test_several_simulators_live_in_one_process(tmp_path: Path) -> None:
    serials = {}
    async with contextlib.AsyncExitStack() as stack:
        for name in ("axpert-5000", "max-8000"):
            simulator = simulate(name, pace=Pace.instant())
            await stack.enter_async_context(serve_pty(simulator, tmp_path / name))
        for name in ("axpert-5000", "max-8000"):
            with opened(tmp_path / name) as fd:
                serials[name] = await ask(fd, "QID")
    assert serials == {
        "axpert-5000": encode_reply("92932105100123"),
        "max-8000": encode_reply("96342107100456"),
    }


async def test_a_cancelled_server_cleans_up(tmp_path: Path) -> None:
    path, ready = tmp_path / "tty", asyncio.Event()

    async def main() -> None:
        async with serve_pty(simulate(), path):
            ready.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(main())
    await ready.wait()
    assert path.is_symlink()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not path.is_symlink()


async def test_tcp(tmp_path: Path) -> None:
    del tmp_path
    simulator = simulate(pace=Pace.instant(), scene="pause")
    async with serve_tcp(simulator) as port:
        reader, writer = await asyncio.open_connection(port.host, port.port)
        writer.write(encode_request("QMOD"))
        assert await reader.readuntil(b"\r") == LINE
        simulator.scene.apply("fault disconnect")
        writer.write(encode_request("QMOD"))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_connection(port.host, port.port)
        writer.write(encode_request("QMOD"))
        assert await reader.readuntil(b"\r") == LINE
        with pytest.raises(ConfigError, match="cannot listen on"):
            async with serve_tcp(simulator, port.host, port.port):
                pass
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()


def reports(request: bytes, *, numbered: bool) -> list[bytes]:
    pieces = [request[at : at + 8].ljust(8, b"\0") for at in range(0, len(request), 8)]
    return [b"\0" + piece if numbered else piece for piece in pieces]


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize(
    "command", ["QPI", "QMOD", "QPIGS", "QPIGS2", "QMUCHGCR", "QED20240621"]
)
async def test_hid_pair(command: str, *, numbered: bool) -> None:
    simulator = simulate("max-8000", pace=Pace.instant(), scene="pause")
    expected = encode_reply(simulate("max-8000").source.answer(command) or "")  # type: ignore[attr-defined]
    async with serve_hid(simulator) as port:
        for report in reports(encode_request(command), numbered=numbered):
            os.write(port.client_fd, report)
        seen: list[bytes] = []
        async with asyncio.timeout(120):
            while b"\r" not in b"".join(seen)[len(expected) - 1 :]:
                with contextlib.suppress(BlockingIOError):
                    seen.append(os.read(port.client_fd, 64))
                await asyncio.sleep(0)
    assert all(len(report) == 8 for report in seen)
    whole = b"".join(seen)
    assert whole == expected.ljust(len(whole), b"\0")
    assert len(whole) - len(expected) < 8


async def test_hid_is_gone_after_a_disconnect() -> None:
    simulator = simulate(pace=Pace.instant(), scene="fault disconnect")
    async with serve_hid(simulator) as port:
        os.write(port.client_fd, b"\0" + encode_request("QPIGS"))
        async with asyncio.timeout(120):
            while True:
                with contextlib.suppress(BlockingIOError):
                    assert os.read(port.client_fd, 64) == b""
                    break
                await asyncio.sleep(0)


def test_report_numbers_are_dropped_as_the_kernel_does() -> None:
    assert without_report_number(b"\0QMOD\x49\xc1\r\0") == b"QMOD\x49\xc1\r\0"
    assert without_report_number(b"QPIGS\xb7\xa9\r") == b"QPIGS\xb7\xa9\r"
    assert without_report_number(b"\0\0\0\0\0\0\0\0") == b"\0\0\0\0\0\0\0"
    long = b"\0QPIGS2h-" + b"\0\r\0\0\0\0\0\0\0"
    assert without_report_numbers(long) == b"QPIGS2h-\r\0\0\0\0\0\0\0"
    assert without_report_numbers(b"QPIGS2h-\r\0\0\0\0\0\0\0")[:9] == b"QPIGS2h-\r"


async def test_hid_over_a_pty(tmp_path: Path) -> None:
    path = tmp_path / "hidraw0"
    async with serve_pty(simulate("max-8000", pace=Pace.instant()), path, hid=True):
        with opened(path) as fd:
            for report in reports(encode_request("QPIGS2"), numbered=True):
                os.write(fd, report)
            data = await read_until(fd, b"\r")
    assert len(data) % 8 == 0
    assert data.rstrip(b"\0").endswith(b"\r")
