"""How often a setting was written lately, as the decisions on limits need it; pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from mppdbus.control.dvcc import FALLING, Written
from mppdbus.control.journal import WrittenSetting, same

# Who writes, in the journal; a reason follows.
FOLLOWS = "DVCC"
HOLDS = "DVCC, held"  # charging or discharging, which is set back later
SAFE = "safe settings"  # the limits were lost; set back later


def history(
    writes: Iterable[WrittenSetting],
    unit: str,
    values: Mapping[str, float | None],
    now: datetime,
) -> dict[str, Written]:
    """Return name → `Written` of one unit; `writes` are those of the journal.

    `values` are what the unit shows now.
    """
    by_name: dict[str, list[WrittenSetting]] = {}
    for write in writes:
        if write.unit == unit:
            by_name.setdefault(write.setting, []).append(write)
    return {
        name: _written(mine, values.get(name), now) for name, mine in by_name.items()
    }


def _written(mine: list[WrittenSetting], value: float | None, now: datetime) -> Written:
    times = [datetime.fromisoformat(write.time) for write in mine]
    today = now.date().isoformat()
    falls = [
        write
        for write, time in zip(mine, times, strict=True)
        if write.by.startswith(FOLLOWS) and write.old is not None
        if write.value < write.old and now - time <= FALLING
    ]
    before = None
    if same(mine[-1].value, value):
        for write in reversed(mine):
            if not write.by.startswith((HOLDS, SAFE)):
                break
            before = write.old
    return Written(
        today=sum(write.time.startswith(today) for write in mine),
        last=times[-1],
        falls=len(falls),
        before=before,
    )
