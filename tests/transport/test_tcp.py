import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator, Iterator

import pytest
from blockbuster import blockbuster_ctx

from helpers.transport import Recorder, until
from mppdbus.errors import PortError, PortLost
from mppdbus.transport import Transport, open_transport, tcp
from mppdbus.transport.port_url import PortUrl
from mppdbus.transport.tcp import TcpTransport


@pytest.fixture(autouse=True)
def no_blocking_call() -> Iterator[None]:
    with blockbuster_ctx("mppdbus.transport"):
        yield


@pytest.fixture
def seen() -> Recorder:
    return Recorder()


class Bridge:
    """A serial server on the network, with one client."""

    def __init__(self) -> None:
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.url = ""

    async def accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader, self.writer = reader, writer


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    bridge = Bridge()
    server = await asyncio.start_server(bridge.accept, "127.0.0.1", 0)
    bridge.url = f"tcp://localhost:{server.sockets[0].getsockname()[1]}"
    yield bridge
    server.close()
    if bridge.writer:
        bridge.writer.close()
    await server.wait_closed()


@pytest.fixture
async def network(bridge: Bridge, seen: Recorder) -> AsyncIterator[Transport]:
    transport = await open_transport(bridge.url, seen)
    await until(lambda: bridge.writer)
    yield transport
    await transport.close()


async def test_tcp_carries_bytes_both_ways(
    bridge: Bridge, network: Transport, seen: Recorder
) -> None:
    assert bridge.reader
    assert bridge.writer
    network.write(b"QMOD\x49\xc1\r")
    assert await bridge.reader.readuntil(b"\r") == b"QMOD\x49\xc1\r"
    bridge.writer.write(b"(B\xe7\xc9\r")
    await until(lambda: seen.data)
    assert seen.data == b"(B\xe7\xc9\r"
    assert network.label == bridge.url.removeprefix("tcp://")
    assert network.byte_time == 1 / 240
    assert not network.sends_zero_as_one


async def test_tcp_pauses_and_discards(
    bridge: Bridge, network: Transport, seen: Recorder
) -> None:
    assert bridge.writer
    network.pause_reading()
    network.pause_reading()
    bridge.writer.write(b"stale")
    await asyncio.sleep(0.01)
    network.discard_input()
    for piece in (b"(B", b"\xe7\xc9", b"\r"):
        bridge.writer.write(piece)
        await asyncio.sleep(0.005)
    assert seen.pieces == []
    network.resume_reading()
    network.resume_reading()
    await until(lambda: seen.pieces)
    assert seen.pieces == [b"(B\xe7\xc9\r"]


@pytest.mark.parametrize("reset", [False, True])
async def test_tcp_tells_once_that_the_other_side_is_gone(
    bridge: Bridge, network: Transport, seen: Recorder, *, reset: bool
) -> None:
    assert bridge.writer
    if reset:
        bridge.writer.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        bridge.writer.transport.abort()
    else:
        bridge.writer.close()
    await until(lambda: seen.ends)
    network.write(b"QMOD")
    network.discard_input()
    network.resume_reading()
    await network.close()
    await network.close()
    (error,) = seen.ends
    assert isinstance(error, PortLost)
    assert ("reset" if reset else "end of file") in str(error)


async def test_closed_tcp_ends_the_connection(
    bridge: Bridge, network: Transport, seen: Recorder
) -> None:
    assert bridge.reader
    await asyncio.gather(network.close(), network.close())
    assert seen.ends == [None]
    assert await bridge.reader.read() == b""


async def test_tcp_connection_is_kept_alive_and_sends_at_once(bridge: Bridge) -> None:
    transport = await open_transport(bridge.url, Recorder())
    assert isinstance(transport, TcpTransport)
    peer: socket.socket = transport._pipe.get_extra_info("socket")
    assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await transport.close()


async def test_tcp_refused(seen: Recorder) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(PortError) as caught:
            await open_transport(f"tcp://localhost:{port}", seen)
    assert str(caught.value) == (
        f"localhost:{port} refuses the connection; "
        "is the serial server running, and on this port?"
    )


@pytest.mark.parametrize("host", ["a..b", "no-such-host.invalid"])
async def test_tcp_unknown_host(seen: Recorder, host: str) -> None:
    with pytest.raises(PortError, match=f"^{host}:1: the host {host} is not known;"):
        await open_transport(PortUrl("tcp", host=host, port=1), seen)


async def test_tcp_mute_host(seen: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "CONNECT_TIMEOUT", 0.1)
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())  # and there is room for no more
        url = PortUrl("tcp", host="127.0.0.1", port=full.getsockname()[1])
        with pytest.raises(PortError, match="does not answer within"):
            await open_transport(url, seen)


async def test_a_service_without_the_right_to_the_network_says_so(
    seen: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> socket.socket:  # RestrictAddressFamilies= of systemd
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(socket, "socket", denied)
    with pytest.raises(PortError, match="may not use the network; run `sudo mppdbus"):
        await open_transport("tcp://inverter.example:8899", seen)
