"""The state of one inverter at one moment; frozen, None is unknown."""

from dataclasses import dataclass, field

from mppdbus.protocol.replies.settings import Flags, Ratings, RatingsRevo
from mppdbus.protocol.replies.status import (
    GeneralStatus,
    SecondPhase,
    SecondTracker,
    SecondTrackerDuo,
    Warnings,
)

Second = SecondTracker | SecondTrackerDuo | SecondPhase


@dataclass(frozen=True, slots=True)
class Identity:
    """The inverter's identity; it never gets too old.

    `serial` is None while unknown or when the unit gives a number that many units
    share (`dialects.bogus_serial`).
    """

    protocol: str | None = None
    serial: str | None = None
    model: str | None = None
    model_number: str | None = None
    firmware: str | None = None
    dialect: str | None = None


@dataclass(frozen=True, slots=True)
class LinkState:
    """Quality of the line, for the diagnostic paths."""

    quality: float | None = None  # %, good replies of the attempts of the last hour
    exchange_time: float | None = None  # s, of the last good exchange
    failures: int = 0  # attempts without a good reply, over all connections
    age: float | None = None  # s, of the last QPIGS
    interval: float | None = None  # s between two readings of a unit told by another


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last good readings that are still fresh, and the identity.

    `trackers` is None until the unit has been asked for a second tracker. `phase` is 1
    to 3 in a set of phases or legs, else None. `fault_code` is the two digits of
    QPGS 4: "00" without a fault, None without QPGS.
    """

    online: bool = False
    identity: Identity = field(default_factory=Identity)
    status: GeneralStatus | None = None
    battery_fitted: bool = True  # False: it shows a voltage that no such battery has
    second: Second | None = None
    trackers: int | None = None
    mode: str | None = None
    warnings: Warnings | None = None
    ratings: Ratings | RatingsRevo | None = None
    flags: Flags | None = None
    link: LinkState = field(default_factory=LinkState)
    phase: int | None = None
    fault_code: str | None = None
    second_follows: bool = False  # QPIGS2 is asked next: sums and counting wait for it
