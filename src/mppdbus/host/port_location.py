"""Where a port is plugged in: a name that stays when the kernel renumbers ports."""

import os
from pathlib import Path

_CLASSES = ("tty", "hidraw")


def place_of(path: str, root: Path = Path("/")) -> str:
    """Return "usb 1-1.3:1.0" for a port on USB: bus, sockets, interface.

    The third port behind one interface is "usb 1-1.3:1.0 port 2". A port that is not
    on USB, or missing, gives its name: "ttyS0". Reads a few links below `root`, which
    blocks for a moment; never raises.
    """
    name = Path(os.path.realpath(root / path.lstrip("/"))).name
    for kind in _CLASSES:
        device = Path(os.path.realpath(root / "sys/class" / kind / name / "device"))
        for folder in (device, *device.parents):
            if (folder.parent / "idVendor").exists():
                return f"usb {folder.name}{_port_number(device)}"
    return Path(path).name


def _port_number(device: Path) -> str:
    try:
        number = (device / "port_number").read_text().strip()
    except OSError:
        return ""
    return f" port {number}" if number != "0" else ""
