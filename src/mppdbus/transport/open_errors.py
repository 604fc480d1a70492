"""Why a device cannot be opened, as one line for its owner.

All of these functions look at the file system: call them in a thread.
"""

import errno
import grp
import os
import stat
from pathlib import Path

from mppdbus.errors import PortError
from mppdbus.host.ports import Holder, PortVerdict, candidates, held_by_us, holders
from mppdbus.host.usb_adapters import VOLTRONIC_HID

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_BUSY = {errno.EBUSY, errno.EAGAIN}
_STOP_TTY = "/opt/victronenergy/serial-starter/stop-tty.sh"  # Venus OS
_RULES = "/etc/udev/rules.d/60-mppdbus.rules"
_RULE = (
    'SUBSYSTEM=="hidraw", ATTRS{{idVendor}}=="{}", ATTRS{{idProduct}}=="{}", '
    'GROUP="dialout", MODE="0660"'
).format(*VOLTRONIC_HID.split(":"))


def check_device(path: str) -> None:
    """Raise `PortError` for what can be told without opening `path`."""
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise cannot_open(path, error) from error
    if stat.S_ISDIR(mode):
        raise PortError(f"{path} is a directory; name the device in it")
    if not stat.S_ISCHR(mode):
        raise PortError(f"{path} is no device; name one such as /dev/ttyUSB0")
    # TIOCEXCL does not stop root, and most programs lock nothing: so find the users.
    if others := holders(path):
        raise busy(path, others)


def cannot_open(path: str, error: OSError) -> PortError:
    """Return the error to raise for `error`, which opening or locking gave."""
    if error.errno in _MISSING:
        return _missing(path)
    if error.errno in _FORBIDDEN:
        return _forbidden(path)
    if error.errno in _BUSY:
        return busy(path, holders(path))
    reason = os.strerror(error.errno) if error.errno else str(error)
    return PortError(f"{path} cannot be opened: {reason}; unplug it and plug it in")


def busy(path: str, others: list[Holder]) -> PortError:
    """Return an error that names who has the port."""
    name = Path(path).resolve().name
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        who = ", ".join(map(str, others[:3])) + more
        stop = "stop it or use another port"
        if Path(_STOP_TTY).exists():
            stop = f"stop it (serial-starter: {_STOP_TTY} {name}) or use another port"
    elif held_by_us(path):
        who, stop = "this very program", "each inverter needs a port of its own"
    else:
        who, stop = "another program", "as root its name is shown here"
    return PortError(f"{path} is in use by {who}; {stop}")


def _missing(path: str) -> PortError:
    ports = [port for port in candidates() if port.verdict is not PortVerdict.FOREIGN]
    present = ", ".join(port.path for port in ports if port.usb_id)
    now = present or "no serial adapter and no inverter on USB"
    advice = f"is the cable plugged in? present now: {now}"
    return PortError(f"{path} does not exist; {advice}")


def _forbidden(path: str) -> PortError:
    status = Path(path).stat()
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    if status.st_gid and status.st_mode & 0o060 == 0o060:
        advice = f"join its group: sudo usermod -aG {group} $USER, then log in again"
    elif Path(path).resolve().name.startswith("hidraw"):
        advice = f"put this line in {_RULES}, then replug: {_RULE}"
    else:
        advice = "only root may; run as root, or let a udev rule give it to a group"
    return PortError(f"{path} may not be opened by you; {advice}")
