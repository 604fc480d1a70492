"""Serial servers on the network: raw bytes over TCP."""

import asyncio
import errno
import os
import socket
from contextlib import suppress
from typing import cast

from mppdbus.errors import PortError
from mppdbus.transport.base import INVERTER_BYTE_TIME, Forwarder, Receiver

CONNECT_TIMEOUT = 5.0  # s, the look-up of the name included
NO_NETWORK = (
    "this service may not use the network; run `sudo mppdbus install` again: it gives "
    "it that right where the config has such a port"
)

# A peer that vanished is noticed by the link's time-outs; the probes keep the entry of
# an idle connection alive in routers, and end a dead one after a minute.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


async def open_tcp(
    host: str, port: int, label: str, receiver: Receiver
) -> "TcpTransport":
    """Connect within 5 s; `label` is the address as people write it."""
    transport = TcpTransport(label, receiver, "is the serial server switched on?")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await _connect(host, port, transport)
    except (socket.gaierror, UnicodeError) as error:
        advice = "check the name, or use the address"
        raise PortError(f"{label}: the host {host} is not known; {advice}") from error
    except ConnectionRefusedError as error:
        advice = "is the serial server running, and on this port?"
        raise PortError(f"{label} refuses the connection; {advice}") from error
    except TimeoutError as error:
        what = f"does not answer within {CONNECT_TIMEOUT:.0f} s"
        advice = "is it switched on, and in this network?"
        raise PortError(f"{label} {what}; {advice}") from error
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise PortError(f"{label}: {NO_NETWORK}") from error
        what = f"cannot be reached: {error.strerror or error}"
        raise PortError(f"{label} {what}; check the network") from error
    return transport


class TcpTransport(Forwarder):
    """A connection to a serial server, which has the inverter at 2400 baud."""

    byte_time = INVERTER_BYTE_TIME
    sends_zero_as_one = False
    _pipe: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._pipe = cast("asyncio.Transport", transport)

    def write(self, data: bytes) -> None:
        """Send at once, or queue."""
        if not self._pipe.is_closing():
            self._pipe.write(data)

    def pause_reading(self) -> None:
        """Stop listening."""
        self._pipe.pause_reading()

    def resume_reading(self) -> None:
        """Listen again."""
        self._pipe.resume_reading()

    def discard_input(self) -> None:
        """Read and forget what waits in the socket."""
        if not self._pipe.is_closing():
            peer: socket.socket = self._pipe.get_extra_info("socket")
            with suppress(OSError):  # nothing more waits, or the reader tells of it
                while os.read(peer.fileno(), 4096):
                    pass

    async def close(self) -> None:
        """Drop what is unsent and close."""
        self._closing = True
        self._pipe.abort()
        await self._ended.wait()


async def _connect(host: str, port: int, transport: TcpTransport) -> None:
    """Try each address of the host; raises the error of the last one."""
    loop = asyncio.get_running_loop()
    socket.socket(socket.AF_INET).close()  # fails where a service may not use it
    failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    for family, kind, _, _, address in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        peer = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        try:
            await loop.sock_connect(peer, address)
            for option in _KEEPALIVE:
                peer.setsockopt(*option)
            await loop.create_connection(lambda: transport, sock=peer)
        except OSError as error:
            peer.close()
            failure = error
        except asyncio.CancelledError:
            peer.close()
            raise
        else:
            return
    raise failure
