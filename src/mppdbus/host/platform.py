"""Which kind of machine this is, and where a program keeps its files on it."""

from collections.abc import Mapping
from pathlib import Path

VENUS = Path("/opt/victronenergy")  # where Venus OS has its programs
NO_HOMES = {"", "/", "/root", "/nonexistent"}  # where services "live"


def on_venus() -> bool:
    """Tell whether this is Venus OS; looks at the disk, which blocks for a moment."""
    return VENUS.exists()


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
