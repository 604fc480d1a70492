"""The uid of a unit, after which its service, settings and files are named. Pure."""

import re
from collections.abc import Container
from itertools import chain, count

PREFIX = "mppdbus"


def choose_uid(
    serial: str | None, place: str, *, taken: Container[str], kept: Container[str]
) -> str:
    """Return the uid of the unit that is plugged in at `place`.

    The first unit with a serial number is named by it alone, others with the same one
    by their place too. `taken` are the uids of units at other ports, `kept` those with
    stored settings: a place gets such a uid again, whichever unit comes first.
    """
    names = candidates(serial, place)
    if len(names) > 1 and names[1] in kept:
        names.reverse()
    numbered = (f"{names[-1]}_{number}" for number in count(2))
    return next(name for name in chain(names, numbered) if name not in taken)


def candidates(serial: str | None, place: str) -> list[str]:
    """Return the names of a unit, the best first."""
    here = uid_part(place) or "somewhere"
    number = uid_part(serial or "")
    if not number:
        return [f"{PREFIX}_{here}"]
    return [f"{PREFIX}_{number}", f"{PREFIX}_{number}_at_{here}"]


def uid_part(text: str) -> str:
    """Return `text` with everything but A-Z, a-z and 0-9 made "_"."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
