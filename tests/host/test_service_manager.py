"""What systemd is told, on real sockets."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from helpers.notify import NotifySocket
from mppdbus.host.service_manager import ServiceManager


@pytest.mark.parametrize("kind", ["path", "abstract"])
async def test_each_message_is_one_datagram(kind: str, tmp_path: Path) -> None:
    named = f"@mppdbus-{os.getpid()}" if kind == "abstract" else str(tmp_path / "n")
    listener = NotifySocket(named)
    manager = ServiceManager({"NOTIFY_SOCKET": named})
    manager.ready()
    manager.status("garage: line mode;\nshed: does not answer")
    manager.status("garage: line mode;\nshed: does not answer")  # nothing new
    before = time.monotonic_ns() // 1000
    manager.reloading()
    manager.alive()
    manager.stopping()
    ready, status, reloading, *rest = listener.drain()
    listener.close()
    assert ready == "READY=1"
    assert status == "STATUS=garage: line mode; shed: does not answer"
    first, second = reloading.splitlines()
    assert first == "RELOADING=1"
    name, _, at = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(at) <= time.monotonic_ns() // 1000
    assert rest == ["WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize(
    "named", ["", "/nonexistent/notify", "vsock:2:1234", "relative", "@nobody-here"]
)
def test_where_nobody_listens_nothing_fails(named: str) -> None:
    ServiceManager({"NOTIFY_SOCKET": named}).ready()


async def test_a_full_socket_does_not_block(tmp_path: Path) -> None:
    listener = NotifySocket(str(tmp_path / "n"))
    manager = ServiceManager({"NOTIFY_SOCKET": listener.address})
    for _ in range(2000):  # more than its queue holds
        manager.alive()
    assert 0 < len(listener.drain()) < 2000
    listener.close()


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "42"}, 0.5),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "43"}, None),  # of another one
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_within_what_time_it_wants_to_hear(
    env: dict[str, str], seconds: float | None
) -> None:
    assert ServiceManager(env, pid=42).watchdog == seconds
