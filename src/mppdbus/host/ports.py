"""The ports of this machine that may lead to an inverter, and who uses them.

All of it is read from /sys, /dev, /run and /proc below `root`; no port is opened. The
functions block for some milliseconds: call them in a thread.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mppdbus.host.port_holders import Holder, all_holders, held_by_us, holders
from mppdbus.host.usb_adapters import PortVerdict, judge_hid, judge_serial

__all__ = ["Candidate", "Holder", "PortVerdict", "candidates", "held_by_us", "holders"]

_NAME = re.compile(r"(hidraw|ttyACM|ttyUSB|[A-Za-z]+)(\d*)")
_NO_8250 = "0"  # sysfs "type" of a ttyS number without hardware behind it


@dataclass(frozen=True, slots=True)
class Candidate:
    """A port, and whether it is worth probing."""

    path: str  # "/dev/ttyUSB0"
    kind: Literal["hidraw", "serial"]  # the scheme of its port URL
    usb_id: str | None  # "1a86:7523"; None: not on USB
    product: str  # manufacturer and product, as the device says
    driver: str | None  # the kernel's, "ch341-uart"
    by_id: str | None  # a name that survives a restart, in /dev/serial
    verdict: PortVerdict
    reason: str  # for the user, in plain words


def candidates(root: Path = Path("/")) -> list[Candidate]:
    """Return every HID and serial port, judged, in a natural order. Never raises."""
    found = sorted((*_hid_ports(root), *_serial_ports(root)), key=_natural)
    users = all_holders((port.path for port in found), root)
    for place, port in enumerate(found):
        if users[port.path] and port.verdict is not PortVerdict.FOREIGN:
            reason = f"in use by {', '.join(map(str, users[port.path]))}"
            found[place] = replace(port, verdict=PortVerdict.HELD, reason=reason)
    return found


def is_hidraw(path: str, sysfs: Path = Path("/sys")) -> bool:
    """Tell whether the node at `path`, whatever its name, is a hidraw device."""
    try:
        number = Path(path).stat().st_rdev
        entry = sysfs / "dev/char" / f"{os.major(number)}:{os.minor(number)}"
        return (entry / "subsystem").readlink().name == "hidraw"
    except OSError:
        return False


def _natural(port: Candidate) -> tuple[bool, str, int]:
    match = _NAME.fullmatch(Path(port.path).name)
    stem, number = match.groups() if match else (port.path, "")
    return port.usb_id is None, stem, int(number or -1)


def _hid_ports(root: Path) -> Iterator[Candidate]:
    for name in _entries(root / "sys/class/hidraw"):
        device = root / "sys/class/hidraw" / name / "device"
        uevent = _properties(device / "uevent", "")
        numbers = uevent.get("HID_ID", "").lower().split(":")  # bus:vendor:product
        usb_id = ":".join(number[-4:] for number in numbers[1:3])
        product = uevent.get("HID_NAME", "")
        verdict, reason = judge_hid(usb_id, product)
        yield Candidate(
            path=f"/dev/{name}",
            kind="hidraw",
            usb_id=usb_id,
            product=product,
            driver=uevent.get("DRIVER"),
            by_id=None,
            verdict=verdict,
            reason=reason,
        )


def _serial_ports(root: Path) -> Iterator[Candidate]:
    by_id, by_path = (_links(root, folder) for folder in ("by-id", "by-path"))
    for name in _entries(root / "sys/class/tty"):
        tty = root / "sys/class/tty" / name
        device = tty / "device"
        if not device.exists() or _text(tty / "type") == _NO_8250:
            continue  # a console, a pseudo-terminal, or a socket without a chip
        usb = _usb_device(device)
        # Two adapters without serial numbers share one name in by-id.
        stable = (by_id, by_path) if usb and _text(usb / "serial") else (by_path, by_id)
        usb_id, product = _describe(usb) if usb else (None, "")
        # Venus OS says in VE_SERVICE to which of its programs it gives the port.
        udev = _properties(root / f"run/udev/data/c{_text(tty / 'dev')}", "E:")
        service = udev.get("VE_SERVICE", "")
        verdict, reason = judge_serial(usb_id, product, service)
        yield Candidate(
            path=f"/dev/{name}",
            kind="serial",
            usb_id=usb_id,
            product=product,
            driver=_link_name(device / "driver"),
            by_id=stable[0].get(name) or stable[1].get(name),
            verdict=verdict,
            reason=reason,
        )


def _describe(usb: Path) -> tuple[str, str]:
    """Return the USB id, and the product with its maker, who is named only once."""
    maker, product = _text(usb / "manufacturer"), _text(usb / "product")
    name = product if maker in product else f"{maker} {product}".strip()
    return f"{_text(usb / 'idVendor')}:{_text(usb / 'idProduct')}", name


def _usb_device(device: Path) -> Path | None:
    """Return the folder of the USB device that a class device belongs to."""
    real = device.resolve()
    folders = (real, *real.parents)
    return next((one for one in folders if (one / "idVendor").exists()), None)


def _links(root: Path, folder: str) -> dict[str, str]:
    """Return tty name → its link in /dev/serial/`folder`."""
    links: dict[str, str] = {}
    for link in _entries(root / "dev/serial" / folder):
        if name := _link_name(root / "dev/serial" / folder / link):
            links.setdefault(name, f"/dev/serial/{folder}/{link}")
    return links


def _entries(folder: Path) -> list[str]:
    with suppress(OSError):
        return sorted(entry.name for entry in folder.iterdir())
    return []


def _link_name(link: Path) -> str | None:
    with suppress(OSError):
        return link.readlink().name
    return None


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_bytes().decode("utf-8", "replace").strip()
    return ""


def _properties(file: Path, prefix: str) -> dict[str, str]:
    """Return the NAME=value lines that begin with `prefix`, without it."""
    lines = (line for line in _text(file).splitlines() if line.startswith(prefix))
    pairs = (line.removeprefix(prefix).partition("=") for line in lines)
    return {name: value for name, _, value in pairs}
