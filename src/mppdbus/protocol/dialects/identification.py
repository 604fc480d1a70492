"""Which dialect an inverter speaks: clues, weighed; pure.

Every clue names a dialect, how far it can be trusted alone (0 to 1), and why. Clues
for the same dialect strengthen each other as independent witnesses do. Only a name
that one family alone has (QMN) decides whatever else speaks, because clones copy the
number, the layouts and the firmware of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from mppdbus.protocol.dialects.table import DIALECTS, MODEL_NUMBERS, Dialect
from mppdbus.protocol.replies import charge as q
from mppdbus.protocol.replies import other as r
from mppdbus.protocol.replies import parallel as p
from mppdbus.protocol.replies import settings as s
from mppdbus.protocol.replies import status as m
from mppdbus.protocol.replies.fields import Reading

NOMINAL = (12, 24, 36, 48)  # V; the batteries that PI30 inverters are made for
DECISIVE = 0.97  # of a name in QMN; from here on no other evidence counts against it
SUREST = 0.99  # what is concluded is never certain
LOW_VOLTAGE = 140.0  # V of AC; below it is a 100 to 127 V unit


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an inverter so far; all of it optional.

    `status_payload` is the raw QPIGS, which shows widths that numbers lose. The
    replies without a name of their own go into `others`.
    """

    protocol: str | None = None
    ratings: Reading | None = None
    status: Reading | None = None
    status_words: int | None = None
    status_payload: bytes | None = None
    model_name: str | None = None
    model_number: str | None = None
    firmware: str | None = None
    warning_bits: int | None = None
    warnings: m.Warnings | None = None
    flags: s.Flags | None = None
    second_tracker: Reading | None = None
    others: tuple[Reading, ...] = ()

    @classmethod
    def gather(
        cls, readings: Mapping[str, Reading], status_payload: bytes | None = None
    ) -> Self:
        """Sort decoded replies, by query, into their places."""
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
            warnings=warnings if isinstance(warnings, m.Warnings) else None,
            flags=flags if isinstance(flags, s.Flags) else None,
            second_tracker=rest.pop("QPIGS2", None),
            others=tuple(rest.values()),
        )


@dataclass(frozen=True, slots=True)
class Identification:
    """What `identify` concludes; `reasons` are plain sentences, the strongest first.

    `confidence` is 0 to 1. `trackers` is None until QPIGS2 has been answered.
    """

    dialect: Dialect
    confidence: float
    reasons: tuple[str, ...]
    family: str
    nominal_voltage: int | None
    trackers: int | None
    phases: int


@dataclass(frozen=True, slots=True)
class Clue:
    """A hint at one dialect."""

    dialect: str
    weight: float
    reason: str


def identify(evidence: Evidence) -> Identification:
    """Weigh all clues; without any it is plain PI30, and hardly certain.

    Raises `LookupError` for a clue to a dialect that has no row.
    """
    clues = clues_of(evidence)
    clues.append(Clue("pi30", 0.25, "nothing shows more than the first generation"))
    doubt: dict[str, float] = {}
    for clue in clues:
        doubt[clue.dialect] = doubt.get(clue.dialect, 1.0) * (1.0 - clue.weight)
    ranked = sorted(doubt, key=doubt.__getitem__)
    named = _named(evidence)
    best = named or ranked[0]
    rivals = () if named else (doubt[name] for name in doubt if name != best)
    rival = min(rivals, default=1.0)
    own = sorted((c for c in clues if c.dialect == best), key=_by_weight)
    reasons = [clue.reason for clue in own if len(own) == 1 or clue.weight > 0.25]
    nominal = _nominal(evidence)
    name, why = _variant(best, evidence, nominal)
    confidence = (1.0 - doubt[best]) * (1.0 - (1.0 - rival) / 3)
    return Identification(
        dialect=DIALECTS[name],
        confidence=min(round(confidence, 2), SUREST),
        reasons=(*reasons, *why),
        family=_family(evidence, best, DIALECTS[name]),
        nominal_voltage=nominal,
        trackers=_trackers(evidence.second_tracker),
        phases=DIALECTS[name].phases,
    )


def clues_of(evidence: Evidence) -> list[Clue]:
    """Return all that hints at a dialect; raises `LookupError` as `identify` does."""
    clues = [clue for find in _FINDERS for clue in find(evidence)]
    for clue in clues:
        if clue.dialect not in DIALECTS:
            raise LookupError(
                f"{clue.reason}: a clue to {clue.dialect!r}, which has no row; "
                "add it to _ROWS in src/mppdbus/protocol/dialects/table.py"
            )
    return clues


def _named(evidence: Evidence) -> str | None:
    """Return the dialect that alone has this name, if it is such a name."""
    return next((c.dialect for c in _from_name(evidence) if c.weight >= DECISIVE), None)


def _by_weight(clue: Clue) -> float:
    return -clue.weight


def _variant(
    name: str, evidence: Evidence, nominal: int | None
) -> tuple[str, tuple[str, ...]]:
    """Split the MAX by its voltages, which its layouts do not show."""
    if name != "pi30max":
        return name, ()
    rated = getattr(evidence.ratings, "ac_output_rating_voltage", None)
    volts = rated or getattr(evidence.status, "ac_output_voltage", None)
    if volts and volts < LOW_VOLTAGE:
        return "pi30lv", (f"{volts:.0f} V output: a low-voltage MAX",)
    if nominal == 24:
        return "pi30max24", ("24 V battery: its warnings stand at other places",)
    return name, ()


def _family(evidence: Evidence, best: str, dialect: Dialect) -> str:
    """Return what its number stands for, unless that is of another family."""
    model = MODEL_NUMBERS.get(evidence.model_number or "")
    if model and model.dialect in (best, dialect.name):
        return model.name
    return dialect.title


def _nominal(evidence: Evidence) -> int | None:
    rated = getattr(evidence.ratings, "battery_rating_voltage", None)
    if rated in NOMINAL:
        return int(rated)
    model = MODEL_NUMBERS.get(evidence.model_number or "")
    return model.voltage if model else None


def _trackers(second: Reading | None) -> int | None:
    match second:
        case m.SecondTrackerDuo():
            return 3 if second.pv3_voltage else 2
        case m.SecondTracker() | m.SecondPhase():
            return 2
        case _:
            return None


# -- clues -------------------------------------------------------------------


def _from_protocol(evidence: Evidence) -> Iterator[Clue]:
    if evidence.protocol == "PI41":
        yield Clue("pi41", 0.99, "QPI PI41: split phase")


def _from_number(evidence: Evidence) -> Iterator[Clue]:
    number = evidence.model_number
    if number is not None and (model := MODEL_NUMBERS.get(number)):
        yield Clue(model.dialect, 0.98, f"QGMN {number}: {model.name}")


# The first pattern that fits the beginning of QMN counts. From `DECISIVE` on it is a
# name that nobody else uses; clones say VMII, VMIII and MAX, so these only weigh much.
MODEL_NAMES = (  # the size is never to be trusted: clones of 10 kW say 5KW
    (r"VMII-NXPW", "pi30clone", 0.97),
    (r"VMII-\d", "pi30vmii", 0.9),
    (r"VM(III|II)\b", "pi30vm3", 0.95),
    (r"VMIV\b", "pi30vm4", 0.95),
    (r"KING", "pi30king", 0.95),
    (r"MKS(3|III)-", "pi30mks2", 0.9),
    (r"MKS2-(6500)", "pi30lv", 0.85),
    (r"MKS2-([6-9]\d{3}|\d{5})", "pi30max", 0.95),
    (r"MKS2-", "pi30mks2", 0.5),  # the Phocos says so too
    (r"MAX.*LV|LV\d{4}", "pi30lv", 0.9),
    (r"MAX", "pi30max", 0.9),
)


def _from_name(evidence: Evidence) -> Iterator[Clue]:
    name = evidence.model_name
    for pattern, dialect, weight in MODEL_NAMES if name else ():
        if re.match(pattern, name or ""):
            yield Clue(dialect, weight, f"QMN {name}")
            return


def _from_firmware(evidence: Evidence) -> Iterator[Clue]:
    firmware = evidence.firmware or ""
    if firmware.startswith("00040."):
        yield Clue("pi30vmii", 0.9, f"firmware {firmware}: counts as its menu does")
    elif firmware.startswith("00041."):
        yield Clue("pi30vm3", 0.6, f"firmware {firmware}, as the VM III has")


def _from_ratings(evidence: Evidence) -> Iterator[Clue]:
    ratings = evidence.ratings
    if isinstance(ratings, s.RatingsRevo):
        yield Clue("revo", 0.9, "QPIRI of 21 fields: REVO")
        return
    if isinstance(ratings, s.RatingsClone):
        yield Clue("pi30clone", 0.9, "QPIRI ends in two voltages of its own: a clone")
        return
    if not isinstance(ratings, s.Ratings):
        return
    count = words_of(ratings)
    if count >= 28:
        yield Clue("pi30max", 0.85, f"QPIRI of {count} fields, with discharge limit")
    elif count == 27:
        yield Clue("pi30king", 0.8, "QPIRI of 27 fields: King")
    if ratings.topology == 1:
        yield Clue("pi30ms", 0.3, "QPIRI: built with a transformer")
    if "max_parallel_units" not in ratings.model_fields_set and count > 19:
        yield Clue("pi30ms", 0.3, "QPIRI: no parallel operation")


def _from_status(evidence: Evidence) -> Iterator[Clue]:
    status = evidence.status
    count = evidence.status_words
    if isinstance(status, m.GeneralStatus):
        count = count or words_of(status)
        temperature = status.heatsink_temperature
        if temperature is not None and temperature > 150:
            text = f"QPIGS: heat sink {temperature}, a raw A/D count"
            yield Clue("pi30ms", 0.9, text)
        power = status.ac_output_apparent_power
        if power is not None and power > 9999:
            yield Clue("pi30max", 0.6, "QPIGS: power above 9999 VA")
        pv_current = status.pv_input_current
        if evidence.status_payload is None and pv_current and pv_current % 1:
            yield from _decimal_pv_current()
    if count == 25:
        yield Clue("pi30vm4", 0.8, "QPIGS of 25 fields")
    elif count == 24:
        yield Clue("pi30max", 0.3, "QPIGS of 24 fields")
        yield Clue("pi30vm3", 0.2, "QPIGS of 24 fields")
    if evidence.status_payload is not None:
        yield from _from_widths(evidence.status_payload.split())


def _from_widths(words: list[bytes]) -> Iterator[Clue]:
    if len(words) > 12 and b"." in words[12]:
        yield from _decimal_pv_current()
    if len(words) > 4 and len(words[4]) == 5:
        yield Clue("pi30max", 0.6, "QPIGS: power with five digits")


def _decimal_pv_current() -> Iterator[Clue]:
    reason = "QPIGS: PV current with one decimal"
    yield Clue("pi30vm3", 0.45, reason)
    yield Clue("pi30max", 0.35, reason)
    yield Clue("pi30clone", 0.3, reason)


def _from_warnings(evidence: Evidence) -> Iterator[Clue]:
    warnings = evidence.warnings
    count = len(warnings.bits) if warnings else evidence.warning_bits
    if count == 31:
        yield Clue("pi30clone", 0.6, "QPIWS of 31 characters")
    elif count == 38:
        yield Clue("pi30duo", 0.6, "QPIWS of 38 characters")
    elif count == 36:
        for dialect in ("pi30vm3", "pi30max", "pi30king"):
            yield Clue(dialect, 0.3, "QPIWS of 36 characters")
    if warnings and count == 36 and warnings.is_set(31) and not warnings.is_set(1):
        yield Clue("pi30max", 0.5, "QPIWS a31 set without a fault: battery weak")


def _from_flags(evidence: Evidence) -> Iterator[Clue]:
    flags = evidence.flags
    if flags is None:
        return
    if flags.state("g") is not None:
        yield Clue("pi30clone", 0.7, "QFLAG knows g, as NXPW clones do")
    if flags.state("c") is not None or flags.state("m") is not None:
        yield Clue("pi30king", 0.5, "QFLAG knows c or m")


def _from_second_tracker(evidence: Evidence) -> Iterator[Clue]:
    match evidence.second_tracker:
        case m.SecondTrackerDuo():
            yield Clue("pi30duo", 0.9, "QPIGS2 of 12 fields")
        case m.SecondPhase():
            yield Clue("pi41", 0.9, "QPIGS2 of 11 fields: a second phase")
        case m.SecondTracker():
            yield Clue("pi30max", 0.6, "QPIGS2 of 3 fields")
        case _:
            return


_OTHERS: tuple[tuple[type[Reading], str, float, str], ...] = (
    (p.SecondPhaseParallelStatus, "pi41", 0.8, "QP2GS shows a second phase"),
    (p.SecondTrackersParallel, "pi30duo", 0.9, "QP2GS shows trackers 2 and 3"),
    (p.FeedInParallel, "pi30mks2", 0.8, "Q2PGS shows feed-in"),
    (q.ChargeStateClone, "pi30clone", 0.8, "Q1 of 13 fields"),
    (q.ChargeStateVmii, "pi30vmii", 0.9, "Q1 of 18 fields"),
    (q.ChargeStateEqualization, "pi30max", 0.35, "Q1 of 27 fields"),
    (r.BatteryManagement, "pi30king", 0.3, "QBMS of 10 fields"),
    (r.SecondOutput, "pi30vm3", 0.4, "QDOP: a second output"),
    (r.LithiumBattery, "revo", 0.7, "QLITH0 answered"),
    (s.FactoryDefaultsDuo, "pi30duo", 0.4, "QDI of 29 fields"),
)


def _from_others(evidence: Evidence) -> Iterator[Clue]:
    for reading in evidence.others:
        for model, dialect, weight, reason in _OTHERS:
            if type(reading) is model:
                yield Clue(dialect, weight, reason)
        if isinstance(reading, s.FactoryDefaults):
            if words_of(reading) == 27:
                yield Clue("pi30king", 0.4, "QDI of 27 fields")
            if reading.battery_under_voltage == 44.0:
                yield Clue("pi30max", 0.5, "QDI: cut-off at 44 V")
        if isinstance(reading, p.ParallelStatus) and words_of(reading) == 29:
            yield Clue("pi30max", 0.6, "QPGS of 29 fields")


_FINDERS = (
    _from_protocol,
    _from_number,
    _from_name,
    _from_firmware,
    _from_ratings,
    _from_status,
    _from_warnings,
    _from_flags,
    _from_second_tracker,
    _from_others,
)


def words_of(reading: Reading) -> int:
    """Return how many words a reply had, as far as its fields tell."""
    names = reading.wire_names()
    fields = reading.model_fields_set
    return max((n for n, name in enumerate(names, 1) if name in fields), default=0)
