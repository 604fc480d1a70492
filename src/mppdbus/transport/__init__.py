"""Byte pipes to one inverter: serial, hidraw and TCP, opened from a port URL.

They do not know the protocol. A pipe sends bytes, delivers received bytes, can sleep
while the line is known to be busy, and reports its end once.
"""

import asyncio
from pathlib import Path

from mppdbus.transport.base import Receiver, Transport
from mppdbus.transport.hidraw import HidrawTransport, open_hidraw
from mppdbus.transport.port_url import PortUrl, parse_port
from mppdbus.transport.serial_port import open_serial
from mppdbus.transport.tcp import open_tcp

__all__ = ["HidrawTransport", "Receiver", "Transport", "open_transport"]


async def open_transport(
    url: PortUrl | str,
    receiver: Receiver,
    *,
    baud: int = 2400,
    sysfs: Path = Path("/sys"),
) -> Transport:
    """Open a port; `PortError` says in one line why it cannot be, and what to do.

    A device that another program uses is refused, else locked. `baud` is for serial
    ports. Raises ValueError for a text that is no port URL.
    """
    if isinstance(url, str):
        url = await asyncio.to_thread(parse_port, url)
    match url.scheme:
        case "serial":
            return await open_serial(url.path, receiver, baud)
        case "hidraw":
            return await open_hidraw(url.path, receiver, sysfs)
        case "tcp":
            return await open_tcp(url.host, url.port, url.label, receiver)
