"""The times of the line: how long to wait, to pause, and to sleep through a reply."""

from dataclasses import dataclass

# -- waiting for a reply -------------------------------------------------------------

# s an inverter may think, by the scheme of its port, until its reply counts as missing.
PATIENCE = {"serial": 1.0, "hidraw": 1.0, "tcp": 2.5}
# The same while a recording is made: much of what is asked then is not answered at all.
PATIENCE_RECORDING = {"serial": 0.6, "hidraw": 0.6, "tcp": 1.5}
BRIEF = 0.5  # part of the patience, for a query that need not be answered
LONGEST_REPLY = 150  # bytes; QPGS of the MAX has 143
LATE_REPLY = 0.5  # s for which a reply may still come after its time
SETTLE = 0.2  # s of silence before a retry, so that a late reply has passed
ATTEMPTS = 2  # of a query
ATTEMPTS_SERIAL = 4  # of QID: the name on the bus hangs on it, noise must not hide it

# -- an inverter that does not answer ------------------------------------------------

FAILED_EVERY = 1.0  # s at least from one failed live poll to the next
FAILURES_OFFLINE = 3  # failed live polls in a row after which nothing is known
FAILURES_REOPEN = 8  # after which the port is opened anew
BACK_OFF = (1.0, 2.0, 5.0)  # s between attempts to reach a silent or missing inverter
OTHER_PROTOCOL_PAUSE = 60.0  # s before a port that speaks another protocol is retried

# -- a query that is not answered ----------------------------------------------------

SILENCES = 3  # silences in a row after which a query counts as not known
SILENCES_OPTIONAL = 2  # the same for a query that many units do not know
SILENT_PAUSE = 60.0  # s until such a query is asked again

# -- who is there --------------------------------------------------------------------

DETECTION = 4.3  # s after which a port has said enough
SECOND_HELLO = 0.5  # s that a unit may think when QPI is asked once more
SWAP = 3.0  # s without a question in which a plug may be swapped unnoticed
MODBUS_PATIENCE = {"serial": 0.25, "tcp": 0.8}  # s that a Modbus station may think
MODBUS_SETTLE = 0.2  # s in which the NAK to a bare CR has come and gone

# -- how long each reply takes -------------------------------------------------------

GUARD = 0.0035  # s before the expected end at which we look: one byte is missing
# Inverters may think unevenly, by tens of ms. With four steps up for one down a reply
# in five is read late at worst, by a few ms; a gentler climb costs more wake-ups.
LATE_STEP = 0.008  # s taken off when the reply was complete before we looked
CLIMB = 0.002  # s added at most when it was not


@dataclass(slots=True)
class _Known:
    length: int
    quiet: float


class ReplyTimes:
    """Learned times of each command: when it is safe to sleep, and how much comes.

    Pure: seconds go in, seconds come out. A sleep is never longer than the shortest
    time lately seen, less a guard, so a reply is found within milliseconds of its end.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def quiet(self, command: str) -> float:
        """Return the seconds after sending in which no look is needed; 0 if unknown."""
        known = self._known.get(command)
        return known.quiet if known else 0.0

    def length(self, command: str) -> int | None:
        """Return the bytes of the last good reply."""
        known = self._known.get(command)
        return known.length if known else None

    def learn(self, command: str, took: float, length: int, wakeups: int) -> None:
        """Take in one good reply: its seconds, its bytes, and how often we woke."""
        known = self._known.get(command)
        if known is None or known.length != length:
            # A reply of another length (a NAK, a new mode) ends at another time.
            quiet = 0.0 if wakeups <= 1 else max(0.0, took - GUARD)
            self._known[command] = _Known(length, quiet)
        elif wakeups <= 1:
            known.quiet = max(0.0, min(known.quiet, took) - LATE_STEP)
        else:
            known.quiet = max(0.0, min(known.quiet + CLIMB, took - GUARD))
