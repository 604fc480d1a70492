"""How a port is written.

``serial:/dev/ttyUSB0``, ``hidraw:/dev/hidraw0``, ``tcp://host:port``, or a plain device
path whose kind is guessed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from os.path import realpath
from typing import Literal, TypeAlias

Scheme: TypeAlias = Literal["serial", "hidraw", "tcp"]

FORMS = '"/dev/ttyUSB0", "hidraw:/dev/hidraw0" or "tcp://host:port"'

_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^/:\s]+):\d+/?")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")
_HIDRAW = re.compile(r"(.*/)?hidraw\d*")
_TTY = re.compile(r"(.*/)?tty(USB|ACM|S|AMA)\d+")


@dataclass(frozen=True, slots=True)
class PortUrl:
    """Where an inverter is reached: the `path` of a device, or `host` and `port`.

    ``str()`` gives the one canonical spelling, which `parse_port` reads.
    """

    scheme: Scheme
    path: str = ""
    host: str = ""
    port: int = 0

    @property
    def label(self) -> str:
        """The name for people: the device path, or ``host:port``."""
        if self.scheme != "tcp":
            return self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}:{'//' if self.scheme == 'tcp' else ''}{self.label}"


def parse_port(text: str, *, resolve: Callable[[str], str] = realpath) -> PortUrl:
    """Read a port as people write it; ValueError says what is wrong and what to do.

    `resolve` follows symbolic links, so that a plain path which leads to a hidraw
    device is known as one; any other plain path is a serial port.
    """
    text = text.strip()
    if not text:
        raise ValueError(f"no port is given; use {FORMS}")
    if not text.isprintable():
        raise ValueError(f"{text!r} has a control character in it; use {FORMS}")
    if text.startswith("/"):
        is_hidraw = _HIDRAW.fullmatch(text) or _HIDRAW.fullmatch(resolve(text))
        return _device("hidraw" if is_hidraw else "serial", text)
    if _HOST_AND_PORT.fullmatch(text):
        raise ValueError(f'"{text}" is a network address; write "tcp://{text}"')
    scheme, colon, rest = text.partition(":")
    if not colon:
        raise ValueError(f'"{text}" is no port; use {FORMS}')
    match scheme.lower():
        case "serial" | "hidraw" as kind:
            return _device(kind, rest.removeprefix("//"))
        case "tcp":
            return _tcp(rest, text)
        case "socket":
            raise ValueError(f'"{text}": write "tcp:{rest}"')
        case other:
            raise ValueError(f'"{text}": unknown kind of port "{other}:"; use {FORMS}')


def _device(scheme: Literal["serial", "hidraw"], path: str) -> PortUrl:
    if not path.startswith("/") or path.endswith("/"):
        example = f"{scheme}:/dev/{'ttyUSB0' if scheme == 'serial' else 'hidraw0'}"
        raise ValueError(f'"{path}" is no device path; write it in full: "{example}"')
    if scheme == "serial" and _HIDRAW.fullmatch(path):
        raise ValueError(f'{path} is no serial port; write "hidraw:{path}"')
    if scheme == "hidraw" and _TTY.fullmatch(path):
        raise ValueError(f'{path} is a serial port; write "serial:{path}"')
    return PortUrl(scheme, re.sub("//+", "/", path))


def _tcp(rest: str, text: str) -> PortUrl:
    if not rest.startswith("//"):
        raise ValueError(f'"{text}": write "tcp://{rest}"')
    host, colon, port = rest[2:].removesuffix("/").rpartition(":")
    if not colon or not host or port.endswith("]"):
        raise ValueError(f'"{text}": host and port are needed: "tcp://host:8899"')
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError(f'"{text}": "{port}" is no port number; use 1 to 65535')
    return PortUrl("tcp", host=_host(host, text), port=int(port))


def _host(host: str, text: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError as error:
            raise ValueError(f'"{text}": "{host}" is no IPv6 address') from error
    if ":" in host:
        advice = 'put an IPv6 address in brackets: "tcp://[::1]:8899"'
        raise ValueError(f'"{text}": {advice}')
    if not _HOST_NAME.fullmatch(host):
        raise ValueError(f'"{text}": "{host}" is no host name or address')
    return host.lower()
