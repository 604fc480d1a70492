"""The time at this site."""

import time
from datetime import UTC, date, datetime
from functools import lru_cache


def local_now() -> datetime:
    """Return the time at this site, also after its zone was changed; without zone."""
    time.tzset()
    return datetime.now(UTC).astimezone().replace(tzinfo=None)


def local_today() -> date:
    """Return the day it is at this site; another zone shows within a minute."""
    return _day_of(int(time.time() // 60))


@lru_cache(maxsize=1)  # so the zone is read once a minute, and not at every poll
def _day_of(minute: int) -> date:
    """Return the day of a whole minute of UTC, such as midnight is in every zone."""
    time.tzset()
    return date.fromtimestamp(60 * minute)  # noqa: DTZ012 - at this site
