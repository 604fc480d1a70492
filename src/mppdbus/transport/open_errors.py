"""Why a device cannot be opened, as one line for its owner.

All of these functions look at the file system: call them in a thread.
"""

import errno
import grp
import os
import stat
from pathlib import Path

from mppdbus.errors import PortError, PortMissing
from mppdbus.host.ports import Holder, PortVerdict, candidates, held_by_us, holders
from mppdbus.host.usb_adapters import VOLTRONIC_HID

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_BUSY = {errno.EBUSY, errno.EAGAIN}
_UNREAL = {errno.ENAMETOOLONG, errno.ELOOP}  # no name of anything
_PORTS = ("tty", "hidraw")  # classes of /sys that inverters are reached by
_STOP_TTY = "/opt/victronenergy/serial-starter/stop-tty.sh"  # Venus OS
_RULES = "/etc/udev/rules.d/60-mppdbus.rules"
_RULE = (
    f'SUBSYSTEM=="hidraw", KERNELS=="0003:{VOLTRONIC_HID}.*", '
    'GROUP="dialout", MODE="0660"'
)


def check_device(path: str) -> None:
    """Raise `PortError` for what can be told without opening `path`."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise cannot_open(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise PortError(f"{path} is a directory; name the device in it")
    if not stat.S_ISCHR(status.st_mode):
        raise PortError(f"{path} is no device; name one such as /dev/ttyUSB0")
    if _kind_of(status.st_rdev) not in ("", *_PORTS):
        return  # many programs have /dev/null open; opening it tells what it is
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
    if error.errno in _UNREAL:
        return PortError(f"{path} is no device: {reason}; name it as ls /dev does")
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


def _missing(path: str) -> PortMissing:
    ports = [port for port in candidates() if port.verdict is not PortVerdict.FOREIGN]
    present = ", ".join(port.path for port in ports if port.usb_id)
    now = present or "no serial adapter and no inverter on USB"
    advice = f"is the cable plugged in? present now: {now}"
    return PortMissing(f"{path} does not exist; {advice}")


def _kind_of(device: int) -> str:
    """Return the class of a device in /sys, such as tty or mem; "" if it has none."""
    number = f"{os.major(device)}:{os.minor(device)}"
    kind = Path(f"/sys/dev/char/{number}/subsystem")
    return kind.resolve().name if kind.exists() else ""


def _forbidden(path: str) -> PortError:
    try:
        status = Path(path).stat()
    except OSError:
        folder = Path(path).parent
        advice = "run as root, or name a device in /dev"
        return PortError(f"{path}: you may not look into {folder}; {advice}")
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
