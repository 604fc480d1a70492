"""The times of the line: how long to wait, to pause, and to sleep through a reply."""

from dataclasses import dataclass

# -- waiting for a reply -------------------------------------------------------------

# s that an inverter may think, by kind of port, until its reply counts as missing.
PATIENCE = {"serial": 1.0, "hidraw": 1.0, "tcp": 2.5}
# The same for recordings, shorter: many of their queries are not answered at all.
PATIENCE_RECORDING = {"serial": 0.6, "hidraw": 0.6, "tcp": 1.5}
BRIEF = 0.5  # part of the patience, for an optional query
# Units that think for longer are waited for: so many times what they took, and no
# longer than so many times the patience.
SLACK = 1.5
MOST_PATIENCE = 2.0
CALM_DOWN = 0.98  # of a long time to think that is left after a shorter one
LONGEST_REPLY = 150  # bytes; QPGS of the MAX has 143
LATE_REPLY = 0.5  # s after the time-out in which a late reply may come
SETTLE = 0.2  # s of silence before a retry, to let a late reply pass
# Part of the patience for which a NAK, or a reply that does not fit its question, waits
# for a better one: it may belong to an earlier question. Units think 0.15 s at most.
HOLD = 0.3
# A reply that has begun may stop for so long: virtual machines, USB hubs, gateways.
PAUSE = 2.5  # s; and no longer than so many times the patience
LONGEST_PAUSES = 4.0  # s, all pauses of a reply together
QUIET = 0.25  # s of silence before each request where frames came that nobody asked for
AFTER_WRITE = 3.0  # s after a setter for which that holds, too
UNTIDY = 60.0  # s after such a frame for which that holds
LONGEST_ROUND = 5.0  # s; values of a slower line are kept no longer than for three such
LONGEST_DRAIN = 0.5  # s; some lines are never quiet
ATTEMPTS = 2  # of a query
ATTEMPTS_SERIAL = 4  # of QID: the name on the bus depends on it

# -- an inverter that does not answer ------------------------------------------------

FAILED_EVERY = 1.0  # s at least between failed live polls
FAILURES_OFFLINE = 3  # failed live polls in a row after which the unit is offline
FAILURES_REOPEN = 8  # failed live polls in a row after which the port is reopened
BACK_OFF = (1.0, 2.0, 5.0)  # s between attempts to reach a silent or missing inverter
OTHER_PROTOCOL_PAUSE = 60.0  # s before a port that speaks another protocol is retried

# -- a query that is not answered ----------------------------------------------------

# s until a query is asked again, after so many rounds in a row without an answer: one
# that the unit has answered before (silence takes time, NAK does not), one that it may
# lack, and one whose reply does not fit.
MISS_PAUSES = (0.0, 0.0, 5.0, 15.0, 60.0)
NAK_PAUSES = (0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 15.0, 60.0)
ABSENT_PAUSES = (2.0, 60.0, 600.0)
DAMAGE_PAUSES = (0.0, 0.0, 0.0, 0.0, 600.0)
ESSENTIAL_PAUSE = 60.0  # s at most, for mode, warnings, ratings and serial number

# -- who is there --------------------------------------------------------------------

DETECTION = 6.0  # s that the detection at a port may take
SECOND_HELLO = 0.5  # s that a unit may think at the second QPI
SWAP = 3.0  # s without a query in which a plug may be swapped unnoticed
MODBUS_PATIENCE = {"serial": 0.25, "tcp": 0.8}  # s that a Modbus station may think
MODBUS_SETTLE = 0.2  # s after a bare CR until its NAK has passed

# -- how long each reply takes -------------------------------------------------------

GUARD = 0.0035  # s that we wake before the expected end, or after it: one byte
# Think times vary by tens of ms. With four steps up for one down, at worst one reply in
# five is read late, by a few ms; a slower climb costs more wake-ups.
LATE_STEP = 0.008  # s subtracted when the reply was complete before we woke
CLIMB = 0.002  # s added at most when we woke before its end
SHOWN_AT_ONCE = "QPIGS"  # all others may be a few ms late, so one wake-up reads them
EARLIER = 0.001  # s by which their sleep gets shorter after each complete one


@dataclass(slots=True)
class _Known:
    length: int
    quiet: float


class ReplyTimes:
    """Learned times of each command: how long to sleep, and the length of the reply.

    Pure: seconds in, seconds out. The sleep through a QPIGS is never longer than the
    shortest recent time less a guard, so it is read within milliseconds of its end.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._thinks = 0.0  # s that the unit has thought of late, at most

    def thought(self, seconds: float) -> None:
        """Note for how long the unit has thought before it answered."""
        self._thinks = max(seconds, CALM_DOWN * self._thinks)

    def usual(self, patience: float) -> float:
        """Return the s that a unit may think: longer than `patience` if it does so."""
        return max(patience, min(SLACK * self._thinks, MOST_PATIENCE * patience))

    def brief(self, patience: float) -> float:
        """Return the same for a query that the unit may lack."""
        longest = max(BRIEF * patience, SLACK * self._thinks)
        return min(longest, self.usual(patience))

    def quiet(self, command: str) -> float:
        """Return the seconds to sleep after sending; 0 if unknown."""
        known = self._known.get(command)
        return known.quiet if known else 0.0

    def length(self, command: str) -> int | None:
        """Return the bytes of the last good reply."""
        known = self._known.get(command)
        return known.length if known else None

    def learn(self, command: str, took: float, length: int, wakeups: int) -> None:
        """Learn from one good reply: its seconds, bytes, and number of wake-ups."""
        known, in_one = self._known.get(command), wakeups <= 1
        margin, down, up = GUARD, EARLIER, LATE_STEP
        if command == SHOWN_AT_ONCE:
            margin, down, up = -GUARD, LATE_STEP, CLIMB
        if known is None or known.length != length:
            # A reply of another length (a NAK, a new mode) ends at another time.
            quiet = 0.0 if in_one else max(0.0, took + margin)
            self._known[command] = _Known(length, quiet)
        elif in_one:
            known.quiet = max(0.0, min(known.quiet, took) - down)
        else:
            known.quiet = max(0.0, min(known.quiet + up, took + margin))
