"""What units are called where things are kept for them: uids, one a unit. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import count

from mppdbus.venus.settings.setting import uid_part

PREFIX = "mppdbus"


class Uids:
    """Gives out "mppdbus_<serial number>", and another name where that is not unique.

    `user` is whatever tells the inverters of a configuration apart. A name is taken
    until its user leaves or comes with another serial number or place.
    """

    def __init__(self) -> None:
        self._users: dict[str, object] = {}

    def choose(
        self, user: object, serial: str | None, place: str, kept: Container[str]
    ) -> str:
        """Return the uid of the unit that is plugged in at `place`, and take it.

        Of units with one serial number the first that comes has its plain name; the
        others are named by their places too. `kept` are uids that something is kept
        for: a place that has had such a name before has it again, whoever comes first.
        """
        self.leave(user)
        names = candidates(serial, place)
        if len(names) > 1 and names[1] in kept:
            names.reverse()
        uid = next(name for name in _endless(names) if name not in self._users)
        self._users[uid] = user
        return uid

    def leave(self, user: object) -> None:
        """Free the name of `user`."""
        self._users = {uid: who for uid, who in self._users.items() if who != user}


def candidates(serial: str | None, place: str) -> list[str]:
    """Return the names of a unit, the best first."""
    here = uid_part(place) or "somewhere"
    number = uid_part(serial or "")
    if not number:
        return [f"{PREFIX}_{here}"]
    return [f"{PREFIX}_{number}", f"{PREFIX}_{number}_at_{here}"]


def _endless(names: list[str]) -> Iterator[str]:
    yield from names
    for number in count(2):
        yield f"{names[-1]}_{number}"
