"""What the log says of a bus that is away: one line for all who need it."""

import logging

log = logging.getLogger("mppdbus.bus")


class OutageLog:
    """Logs once, for all connections of this process, that the bus is away, and back.

    Each connection reports, under its name, when it is lost and when it is back.
    """

    def __init__(self) -> None:
        self._away: set[str] = set()

    def lost(self, who: str, why: object) -> None:
        """Note that `who` has no bus; the first one is logged with the reason."""
        if not self._away:
            log.warning("%s; waiting for it", why)
        self._away.add(who)

    def back(self, who: str) -> None:
        """Note that `who` has a bus, or needs none; the last one is logged."""
        if who in self._away:
            self._away.discard(who)
            if not self._away:
                log.info("the D-Bus is there again")
