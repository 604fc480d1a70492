"""The time at this site: that of the process, or of the zone which the GX is set to."""

import ctypes
import os
import time
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

import tzdata

UNSYNCHRONIZED = 5  # TIME_ERROR of sys/timex.h: what adjtimex returns
ZONE_DATA = "/usr/share/zoneinfo"
OWN_DATA = Path(tzdata.__file__).parent / "zoneinfo"  # for images that have none


def use_zone(zone: str) -> str:
    """Set the time zone of this process, such as "Europe/Berlin".

    Zones that the image has no data of are read from the package tzdata. An unknown
    zone counts as UTC; then the text that is returned says so, otherwise it is "".
    """
    name = zone.strip().lstrip("/")  # Victron's default is "/UTC"
    trouble = ""
    for folder in (Path(os.environ.get("TZDIR", ZONE_DATA)), OWN_DATA):
        if _has_data(folder, name):
            os.environ["TZ"] = f":{folder / name}"
            break
    else:
        os.environ["TZ"] = "UTC0"
        if name != "UTC":
            trouble = f"the GX's time zone {name!r} is unknown; days begin at 0:00 UTC"
    time.tzset()
    _day_of.cache_clear()
    return trouble


def _has_data(folder: Path, name: str) -> bool:
    """Tell whether `folder` has the data of a zone."""
    try:
        with (folder / name).open("rb") as file:
            return bool(name) and ".." not in name and file.read(4) == b"TZif"
    except (OSError, ValueError):
        return False


def local_now() -> datetime:
    """Return the local time at this site, without zone; follows changes of the zone."""
    time.tzset()
    return datetime.now(UTC).astimezone().replace(tzinfo=None)


def local_today() -> date:
    """Return the local date at this site; a new time zone counts within a minute."""
    return _day_of(int(time.time() // 60))


@lru_cache(maxsize=1)  # so the zone is read once a minute, and not at every poll
def _day_of(minute: int) -> date:
    """Return the local date of a minute of UTC; every midnight is a whole minute."""
    time.tzset()
    return date.fromtimestamp(60 * minute)  # noqa: DTZ012 - at this site


def synchronized() -> bool:
    """Tell whether this machine gets its time from elsewhere, by what Linux knows.

    False where that is not known: on other systems, and before the first answer of a
    time server.
    """
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)))
    except (OSError, AttributeError):
        return False
    return 0 <= state < UNSYNCHRONIZED
