"""The time at this site."""

import time
from datetime import UTC, date, datetime
from functools import lru_cache


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
