"""Own consumption and losses of a unit, learned while it runs on battery. Pure.

On battery nothing comes from the mains, so PV plus battery less load is lost: own
consumption, a share of the load, a share of PV. Only this module learns them; mains
power and state of charge both use the result. The error of whole amperes is larger than
the losses, and is the same whenever the load is the same. So the learner needs many
different loads.
"""

import math
from collections import deque
from dataclasses import dataclass

from mppdbus.model.kalman_filter import KalmanFilter, Row, are_sane, six_digits
from mppdbus.model.power import BATTERY_MODES, Flow, Losses, Origin
from mppdbus.model.snapshot import Snapshot

WINDOW_S = 60.0  # a look: the mean values of a stretch of this length without steps
LONGEST_S = 65.0  # s at most between two readings of one stretch
SETTLE_S = 5.0  # s after a step in which the values of one reply do not fit together
STEP_W, STEP_SHARE = 40.0, 0.05  # a greater change of power is a step
JUMP_A = 3.0  # A of the balance that make a step; rounding makes 1 or 2
ROUNDING = 0.29  # A: standard deviation of rounding to whole amperes
POWER_BLUR = 0.01  # share of load and PV power: random errors of their meters
ALIKE_A = 0.25  # A; looks closer than this have the same rounding error
RECENT, ENOUGH = 120, 3  # looks kept; looks at the same current that are used
STRANGE = 4.0  # mean squared deviation from which the balance is not trusted
STRANGE_MEMORY = 20.0  # looks of that mean
# A: own consumption is used when its sigma is below the first, and no longer used
# when it is above the second.
SURE_A, UNSURE_A = 0.3, 0.5
FEWEST = 8  # looks
LOOKS_MOST = 1_000_000

# The four unknowns: W of own consumption (less the offset of the battery meter); share
# of the load; share of PV; A by which that meter shows too little. First their standard
# deviations around zero at the start, then their bounds.
START = (100.0, 0.15, 0.04, 0.25)
BOUNDS = ((-100.0, 250.0), (0.0, 0.33), (-0.05, 0.2), (-0.5, 0.5))
DRIFT = (3.0, 0.005, 0.005, 0.0)  # a day: fans, temperature
DAY = 86400.0
SIZE = len(START)
OWN, OF_LOAD = 0, 1
INSANE = 1e6


@dataclass(slots=True)
class LossState:
    """The stored state of a learner; some 200 bytes as JSON.

    `covariance` is the upper triangle by rows; both empty means nothing is known.
    """

    values: tuple[float, ...] = ()
    covariance: tuple[float, ...] = ()
    looks: int = 0
    strangeness: float = 0.0
    volts: float = 0.0  # V of the battery at the last look
    known: bool = False

    @property
    def sound(self) -> bool:
        """Whether the state is usable: right shape, only plausible numbers."""
        others = (self.volts, self.strangeness)
        sane = are_sane(SIZE, self.values, self.covariance, INSANE, others)
        return sane and self.volts > 0 and self.looks > 0


@dataclass(frozen=True, slots=True)
class _Balance:
    """The means of a quiet stretch: W, V, and A as the meter shows them."""

    lost: float
    load: float
    sun: float
    volts: float
    amps: float

    @property
    def row(self) -> Row:
        return (1.0, self.load, self.sun, math.copysign(self.volts, self.amps))

    @property
    def variance(self) -> float:
        power = POWER_BLUR * (self.load + self.sun)
        return (ROUNDING * self.volts) ** 2 + power**2


class LossLearner:
    """Learns from the readings of one unit; feed it all of them.

    `losses.own_sigma` is given once own consumption is certain enough (`SURE_A`).
    `losses.known` is set when also own consumption or the share of the load is
    certainly above 0.
    """

    def __init__(self, state: LossState | None = None) -> None:
        self._filter = KalmanFilter((0.0,) * SIZE, START, BOUNDS)
        self._looks, self._strangeness, self._volts = 0, 1.0, 0.0
        self._sure = self._known = False
        self._stretch = _QuietStretch()
        self._recent: deque[float] = deque(maxlen=RECENT)
        if state is not None and state.sound:
            self._restore(state)
        self.losses = self._losses()

    @property
    def margin(self) -> float | None:
        """Uncertainty of own consumption, ± W at 95 %; None before the first look."""
        return 2 * self._filter.sigma(OWN) if self._looks else None

    @property
    def state(self) -> LossState:
        """The state to store."""
        if not self._looks:
            return LossState()
        values, covariance = self._filter.pack()
        return LossState(
            values,
            covariance,
            self._looks,
            six_digits(self._strangeness),
            six_digits(self._volts),
            known=self._known,
        )

    def feed(self, snapshot: Snapshot, flow: Flow, now: float) -> None:
        """Take a snapshot and its flow at `now` s of a steady clock."""
        look = self._stretch.feed(_sample(snapshot, flow), now)
        if look is None:
            return
        self._grow_old()
        self._learn(look)
        self._judge()
        self.losses = self._losses()

    def _learn(self, look: _Balance) -> None:
        expected = (look.sun - look.load) / look.volts
        alike = sum(abs(expected - amps) < ALIKE_A for amps in self._recent)
        self._recent.append(expected)
        row, blur = look.row, look.variance
        known = self._filter.variance(row)
        if alike >= ENOUGH and known <= blur / ENOUGH:
            return
        surprise = (look.lost - self._filter.value(row)) ** 2 / (known + blur)
        share = 1 / min(self._looks + 1, STRANGE_MEMORY)
        self._strangeness += share * (min(surprise, 25.0) - self._strangeness)
        self._filter.update(row, look.lost, math.sqrt(blur))
        self._looks = min(self._looks + 1, LOOKS_MOST)
        self._volts = look.volts

    def _grow_old(self) -> None:
        """Increase the variances with time, at most to their initial values."""
        days = WINDOW_S / DAY
        for i, (drift, start) in enumerate(zip(DRIFT, START, strict=True)):
            self._filter.add_noise(i, drift * drift * days, start * start)

    def _judge(self) -> None:
        most = (UNSURE_A if self._sure else SURE_A) * self._volts
        makes_sense = self._looks >= FEWEST and self._strangeness < STRANGE
        known = self._filter
        some = any(known.values[i] > 2 * known.sigma(i) for i in (OWN, OF_LOAD))
        self._sure = makes_sense and self._filter.sigma(OWN) <= most
        self._known = self._sure and some

    def _losses(self) -> Losses:
        own, of_load, of_sun, hidden = self._filter.values
        return Losses(
            own_w=own,
            efficiency=1 / (1 + of_load),
            known=self._known,
            solar_efficiency=1 - of_sun,
            hidden_a=hidden,
            own_sigma=self._filter.sigma(OWN) if self._sure else None,
        )

    def _restore(self, state: LossState) -> None:
        self._filter.unpack(state.values, state.covariance)
        self._looks = min(state.looks, LOOKS_MOST)
        self._strangeness, self._volts = state.strangeness, state.volts
        self._sure = state.known
        self._judge()


class _QuietStretch:
    """Averages readings over a stretch without steps."""

    def __init__(self) -> None:
        self._last: tuple[float, _Balance] | None = None
        self._settled = 0.0
        self._begin()

    def _begin(self) -> None:
        self._seconds = 0.0
        self._sums = [0.0] * 5

    def feed(self, sample: _Balance | None, now: float) -> _Balance | None:
        """Add a sample; return the means when the stretch is complete."""
        last, self._last = self._last, None if sample is None else (now, sample)
        if last is None or sample is None:
            self._begin()
            return None
        seconds = now - last[0]
        if not 0 <= seconds <= LONGEST_S or _stepped(last[1], sample):
            self._begin()
            self._settled = now + SETTLE_S
            return None
        if now < self._settled:
            return None
        values = (sample.lost, sample.load, sample.sun, sample.volts, sample.amps)
        pairs = zip(self._sums, values, strict=True)
        self._sums = [total + value * seconds for total, value in pairs]
        self._seconds += seconds
        if self._seconds < WINDOW_S:
            return None
        means = [total / self._seconds for total in self._sums]
        self._begin()
        return _Balance(*means)


def _sample(snapshot: Snapshot, flow: Flow) -> _Balance | None:
    """Return the balance of a reading; None unless all of it is measured and not 0.

    A reading of 0 A or 0 W may hide a small current or load.
    """
    measured = flow.pv_origin is Origin.MEASURED or flow.pv_total == 0
    fit = snapshot.mode in BATTERY_MODES and snapshot.battery_fitted and measured
    load, sun, battery = flow.load, flow.pv_total, flow.battery_power
    volts, amps = flow.battery_voltage, flow.battery_current
    if not fit or not load or sun is None or battery is None:
        return None
    if not volts or not amps or load < 0 or sun < 0 or volts < 0:
        return None
    return _Balance(sun - battery - load, load, sun, volts, amps)


def _stepped(before: _Balance, after: _Balance) -> bool:
    """Tell whether a load or source was switched; the mode may change only later."""
    jump = abs(before.lost - after.lost) > JUMP_A * after.volts
    if jump or before.amps * after.amps < 0:
        return True
    pairs = ((before.load, after.load), (before.sun, after.sun))
    return any(abs(a - b) > max(STEP_W, STEP_SHARE * max(a, b)) for a, b in pairs)
