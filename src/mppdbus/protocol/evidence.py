"""Evidence for the family of an inverter, collected from its replies; pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

from mppdbus.protocol.replies.fields import NUMERIC, Reading
from mppdbus.protocol.replies.settings import Flags, Ratings, RatingsClone
from mppdbus.protocol.replies.status import GeneralStatus, Warnings

R = TypeVar("R", bound=Reading)


class Clue(NamedTuple):
    """A hint at a family, with its weight (0 to 1) and its reason."""

    weight: float
    reason: str


Clues = Iterator[Clue]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The replies of an inverter that are known so far; all are optional.

    `status_payload` is the raw QPIGS, which shows how many digits a number has.
    `others` are the replies without a field of their own, `strange` the queries that
    were answered in an unknown layout.
    """

    protocol: str | None = None
    ratings: Reading | None = None
    status: Reading | None = None
    status_payload: bytes | None = None
    model_name: str | None = None
    model_number: str | None = None
    firmware: str | None = None
    warnings: Warnings | None = None
    flags: Flags | None = None
    second_tracker: Reading | None = None
    others: tuple[Reading, ...] = ()
    strange: frozenset[str] = frozenset()

    @classmethod
    def gather(
        cls,
        readings: Mapping[str, Reading],
        status_payload: bytes | None = None,
        strange: Iterable[str] = (),
    ) -> Self:
        """Sort decoded replies, by query, into the fields."""
        rest = dict(readings)
        protocol, name = rest.pop("QPI", None), rest.pop("QMN", None)
        number, firmware = rest.pop("QGMN", None), rest.pop("QVFW", None)
        warnings, flags = rest.pop("QPIWS", None), rest.pop("QFLAG", None)
        return cls(
            protocol=getattr(protocol, "protocol", None),
            ratings=rest.pop("QPIRI", None),
            status=rest.pop("QPIGS", None),
            status_payload=status_payload,
            model_name=getattr(name, "model", None),
            model_number=getattr(number, "number", None),
            firmware=getattr(firmware, "firmware", None),
            warnings=warnings if isinstance(warnings, Warnings) else None,
            flags=flags if isinstance(flags, Flags) else None,
            second_tracker=rest.pop("QPIGS2", None),
            others=tuple(rest.values()),
            strange=frozenset(strange),
        )

    @property
    def common_ratings(self) -> Ratings | None:
        """QPIRI in the layout that most families share."""
        ratings = self.ratings
        common = isinstance(ratings, Ratings) and not isinstance(ratings, RatingsClone)
        return ratings if common else None  # type: ignore[return-value]

    @property
    def ratings_words(self) -> int:
        """How many words the common QPIRI has; 0 without it."""
        return words_of(self.common_ratings) if self.common_ratings else 0

    @property
    def status_count(self) -> int:
        """How many words QPIGS has; 0 without it."""
        return words_of(self.status) if isinstance(self.status, GeneralStatus) else 0

    @property
    def warning_count(self) -> int:
        """How many characters QPIWS has; 0 without it."""
        return len(self.warnings.bits) if self.warnings else 0

    @property
    def decimal_pv_current(self) -> bool:
        """Whether QPIGS shows the PV current with one decimal."""
        if self.status_payload is not None:
            return b"." in self._status_word(12)
        current = getattr(self.status, "pv_input_current", None)
        return bool(current and current % 1)

    @property
    def five_digit_power(self) -> bool:
        """Whether QPIGS shows the apparent power with five digits."""
        return len(self._status_word(4)) == 5

    def other(self, model: type[R]) -> R | None:
        """Return the reply of exactly this model; None without it."""
        return next((r for r in self.others if type(r) is model), None)

    def knows_flag(self, *letters: str) -> bool:
        """Tell whether QFLAG has one of these letters, on or off."""
        flags = self.flags
        return flags is not None and any(flags.state(x) is not None for x in letters)

    def _status_word(self, place: int) -> bytes:
        words = (self.status_payload or b"").split()
        number = len(words) > place and not words[place].translate(None, NUMERIC)
        return words[place] if number else b""


def words_of(reading: Reading) -> int:
    """Return how many words a reply had, as far as its fields tell."""
    fields = reading.model_fields_set
    named = enumerate(reading.wire_names(), 1)
    return max((n for n, name in named if name in fields), default=0)
