"""Which kind of machine this is, and where a program keeps its files on it."""

import os
from collections.abc import Mapping
from pathlib import Path

VENUS = Path("/opt/victronenergy")  # where Venus OS has its programs
NO_HOMES = {"", "/", "/root", "/nonexistent"}  # where services "live"


def on_venus() -> bool:
    """Tell whether this is Venus OS; looks at the disk, which blocks for a moment."""
    return VENUS.exists()


def is_service(env: Mapping[str, str], *, venus: bool) -> bool:
    """Tell whether a supervisor has started this program, and not a person.

    A service has no terminal, and systemd ($INVOCATION_ID) or Venus OS runs it. Opens
    /dev/tty, which blocks for a moment.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return venus or "INVOCATION_ID" in env
    return False


def state_directory(env: Mapping[str, str], *, venus: bool) -> Path:
    """Return where the state belongs; the first of these that applies. Pure.

    $MPPDBUS_STATE, what systemd gives ($STATE_DIRECTORY), /data/mppdbus on Venus OS,
    the user's own state directory ($XDG_STATE_HOME), /var/lib/mppdbus.
    """
    if chosen := env.get("MPPDBUS_STATE"):
        return Path(chosen)
    if given := env.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    if venus:
        return Path("/data/mppdbus")
    if user := env.get("XDG_STATE_HOME"):
        return Path(user) / "mppdbus"
    if (home := env.get("HOME", "")) not in NO_HOMES:
        return Path(home) / ".local" / "state" / "mppdbus"
    return Path("/var/lib/mppdbus")
