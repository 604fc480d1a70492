"""The table of queries and their layouts, and `decode`, which reads a reply by it.

A new layout is a row. Layouts of a single family are in its file in `dialects`.
"""

import re
from dataclasses import dataclass

from mppdbus.errors import CorruptReply, OtherProtocol, Refused, UnknownLayout
from mppdbus.protocol.other_protocols import SPOKEN, speaks
from mppdbus.protocol.replies import charge as q
from mppdbus.protocol.replies import other as r
from mppdbus.protocol.replies import parallel as p
from mppdbus.protocol.replies import settings as s
from mppdbus.protocol.replies import status as m
from mppdbus.protocol.replies.fields import Reading, TextReading
from mppdbus.protocol.salvage import FieldReport, of_another_query, salvage

_ONE_WORD = frozenset((1,))  # such replies may hold blanks


@dataclass(frozen=True, slots=True)
class Layout:
    """A shape of a reply: how many words it may have, and what they are.

    `dotted` names words (from 0) of which one must (True) or none may (False) hold a
    dot, for two layouts of the same length.
    """

    model: type[Reading]
    counts: frozenset[int]
    dotted: tuple[tuple[int, ...], bool] | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` if such a reply cannot fill the model."""
        if problem := unfilled(self.model, self.counts):
            raise ValueError(problem)

    def fits(self, words: list[str]) -> bool:
        """Tell whether a reply of these words has this shape."""
        if len(words) not in self.counts:
            return False
        if self.dotted is None:
            return True
        places, wanted = self.dotted
        return any("." in words[n] for n in places if n < len(words)) is wanted


def unfilled(model: type[Reading], counts: frozenset[int]) -> str | None:
    """Return the fields that a model adds and that no word would fill."""
    names, most = model.wire_names(), max(counts)
    if strange := set(names) - set(model.model_fields):
        return f"wire_names() of {model.__name__} names no field: {sorted(strange)}"
    common: set[str] = set()
    for older in model.__mro__[1:]:
        if issubclass(older, Reading) and not older.__name__.startswith("_"):
            common |= set(older.model_fields)
    lost = [n for n in model.model_fields if n not in common and n not in names[:most]]
    if not common or not lost:
        return None
    return (
        f"{', '.join(lost)} of {model.__name__} is never filled by {most} words, "
        "because it stands behind all fields of the model that it extends: say in "
        "its wire_names() what the words are, as docs/adding-an-inverter.md shows"
    )


Queries = dict[str, tuple[Layout, ...]]


def layout(
    model: type[Reading],
    *counts: int,
    dotted: tuple[tuple[int, ...], bool] | None = None,
) -> Layout:
    """Return a row: the `model` of replies with these numbers of words."""
    return Layout(model, frozenset(counts), dotted)


# Answered by some units; the words have no known meaning.
UNEXPLAINED = (
    "QFS", "QWS", "QBT", "QGR", "QPICF", "QPIHF",
    "QCST", "QCVT", "QLED", "QWFS", "QOPCHT",
)  # fmt: skip

QUERIES: Queries = {
    "QPI": (layout(s.ProtocolId, 1),),
    "QID": (layout(s.SerialNumber, 1),),
    "QSID": (layout(s.LongSerialNumber, 1),),
    "QVFW": (layout(s.Firmware, 1),),
    "QVFW2": (layout(s.Firmware, 1),),
    "QVFW3": (layout(s.Firmware, 1),),
    "QVFW4": (layout(s.Firmware, 1),),
    "VERFW": (layout(s.Firmware, 1),),
    "QMN": (layout(s.ModelName, 1),),
    "QGMN": (layout(s.ModelNumber, 1),),
    "QPRTL": (layout(s.BoardVersion, 1),),
    "QPIRI": (
        layout(s.Ratings, 25),
        layout(s.RatingsRevo, 21),
        layout(s.Ratings, 26, 27, 28, 29, dotted=((25, 27), False)),
        layout(s.RatingsClone, 28, dotted=((25, 27), True)),
    ),
    "QPIGS": (layout(m.GeneralStatus, 17, 21, 24, 25),),
    "QPIGS2": (
        layout(m.SecondTracker, 3),
        layout(m.SecondTrackerDuo, 12),
        layout(m.SecondPhase, 11),
    ),
    "QMOD": (layout(m.DeviceMode, 1),),
    "QPIWS": (layout(m.Warnings, 1),),
    "QFLAG": (layout(s.Flags, 1),),
    "QDI": (layout(s.FactoryDefaults, 25, 26, 27), layout(s.FactoryDefaultsDuo, 29)),
    "QMCHGCR": (layout(s.CurrentChoices, *range(1, 33)),),
    "QMUCHGCR": (layout(s.CurrentChoices, *range(1, 33)),),
    "QMSCHGCR": (layout(s.CurrentChoices, *range(1, 33)),),
    "QBEQI": (layout(s.Equalization, 10),),
    "QOPM": (layout(r.OutputMode, 1),),
    "QBOOT": (layout(r.Bootloader, 1),),
    "QPGS": (layout(p.ParallelStatus, 27, 29),),
    "QP2GS": (
        layout(p.SecondPhaseParallelStatus, 17),
        layout(p.SecondTrackersParallel, 9),
    ),
    "Q2PGS": (layout(p.FeedInParallel, 4),),
    "QT": (layout(r.Clock, 1),),
    **{
        name: (layout(r.Energy, 1),)
        for name in ("QET", "QEY", "QEM", "QED", "QLT", "QLY", "QLM", "QLD")
    },
    "Q1": (
        layout(q.ChargeStateClone, 13),
        layout(q.ChargeState, 17),
        layout(q.ChargeStateVmii, 18),
        layout(q.ChargeStateUnknownTail, 22),
        layout(q.ChargeStateEqualization, 27),
    ),
    "QBMS": (layout(r.BatteryManagement, 10),),
    "QLITH0": (layout(r.LithiumBattery, 12),),
    "QDOP": (layout(r.SecondOutput, 14),),
    "QOPPT": (layout(r.HourlyPriorities, 24, 28),),
    "QCHPT": (layout(r.HourlyPriorities, 24, 28),),
    "QBATCD": (layout(r.BatteryControl, 1),),
    "QBV": (layout(r.BatteryVoltage, 2),),
    "QCHGS": (layout(r.UpsCharge, 4),),
    "QMD": (layout(r.UpsModel, 8),),
    **{name: (layout(r.Words, *range(1, 65)),) for name in UNEXPLAINED},
}


def with_own(**own: tuple[Layout, ...]) -> Queries:
    """Return the queries of a family: its own layouts go before the common ones."""
    return QUERIES | {name: own[name] + QUERIES.get(name, ()) for name in own}


# Documents F and G answer these with ACK: the BMS sends the values by itself.
ACKNOWLEDGED = frozenset(("QBMS",))

# Queries that are sent with a number or a date.
_NUMBERED = re.compile(
    r"(QPGS|QP2GS|Q2PGS|QEY|QEM|QED|QLY|QLM|QLD)(\d{1,8}|n)$|(VERFW):$", re.ASCII
)
_SIGNED = re.compile(r"(?<!\S)[+-][0-9]")
_FOREIGN_COMMAND = re.compile(r"H[A-Z0-9]{2,}")  # a VMII dialect without CRC


def base_command(command: str) -> str:
    """Return the query behind a command as sent: QPGS0 is QPGS, QED20241022 is QED."""
    match = _NUMBERED.match(command)
    return (match[1] or match[3]) if match else command


def decode(command: str, payload: bytes, queries: Queries = QUERIES) -> Reading:
    """Return the model of an intact reply to `command`.

    Raises `Refused` for NAK and `OtherProtocol` for another family of protocols.
    `UnknownLayout` is a reply with an unknown number of words, or with an odd one; it
    contains the readable part. `CorruptReply` is no reply to this command.
    """
    if payload == b"NAK":
        raise Refused(
            f"{command}: the inverter answered NAK: not supported, or not now"
        )
    layouts = queries.get(command) or queries.get(base_command(command))
    if payload == b"ACK" and (layouts is None or command in ACKNOWLEDGED):
        return r.Acknowledgement()
    if layouts is None:
        raise _no_query(command)
    if len(layouts) == 1 and layouts[0].counts == _ONE_WORD:
        return _one_word(command, layouts[0].model, payload)
    try:
        text = payload.decode("ascii")
    except UnicodeDecodeError as error:
        raise CorruptReply(f"{command}: {payload!r} is not ASCII") from error
    words = text.split()
    if text.count(" ") >= len(words) and (gap := _missing_word(command, text, layouts)):
        raise gap
    for found in layouts:
        if found.fits(words):
            break
    else:
        raise _no_layout(command, text, layouts)
    try:
        reading = found.model.from_payload(payload)
    except ValueError as error:
        raise _odd_word(command, text, layouts, error) from error
    return _checked(command, reading, words)


def _checked(command: str, reading: Reading, words: list[str]) -> Reading:
    if of_another_query(type(reading), words):
        raise CorruptReply(f"{command}: a reply to another command")
    return reading


def _no_query(command: str) -> UnknownLayout | OtherProtocol:
    if _FOREIGN_COMMAND.fullmatch(command):
        return OtherProtocol(f"{command}: belongs to the H dialect, not to PI30")
    return UnknownLayout(f"{command}: no layout is known for this command")


def _no_layout(
    command: str, text: str, layouts: tuple[Layout, ...]
) -> UnknownLayout | OtherProtocol:
    known = sorted({count for each in layouts for count in each.counts})
    error = UnknownLayout(
        f"{command}: {len(text.split())} fields where {', '.join(map(str, known))} are "
        "known; please send a recording"
    )
    if not _rescue(error, text, layouts) and _SIGNED.search(text):
        return OtherProtocol(f"{command}: a signed field: PI34, not PI30")
    return error


def _odd_word(
    command: str, text: str, layouts: tuple[Layout, ...], why: ValueError
) -> UnknownLayout | CorruptReply:
    error = UnknownLayout(f"{command}: {why}")
    if _rescue(error, text, layouts):
        return error
    return CorruptReply(str(error))


def _rescue(error: UnknownLayout, text: str, layouts: tuple[Layout, ...]) -> bool:
    """Store the readable part of a reply in the error; False if there is none."""
    shapes = [(each.model, each.counts) for each in layouts]
    error.partial, error.report = salvage(shapes, text.split()) or (None, None)
    return error.partial is not None


def _missing_word(
    command: str, text: str, layouts: tuple[Layout, ...]
) -> UnknownLayout | None:
    """Return the error of a reply in which a blank stands for a word.

    None if that makes no known layout: some units end in a blank, and some pad a number
    with blanks (f0095).
    """
    shapes = [(each.model, each.counts) for each in layouts]
    for words in (text.split(" "), text.removesuffix(" ").split(" ")):
        known = any(len(words) in each.counts for each in layouts)
        if known and "" in words and (rest := salvage(shapes, words)):
            error = UnknownLayout(f"{command}: word {words.index('') + 1} is missing")
            error.partial, error.report = rest
            return error
    return None


def _one_word(command: str, model: type[Reading], payload: bytes) -> Reading:
    if b" " in payload.strip() and not issubclass(model, TextReading):
        raise CorruptReply(f"{command}: several words where one number is known")
    try:
        reading = model.from_payload(payload)
    except ValueError as error:
        word = payload.decode("ascii", "replace").strip(" ")
        if model.loose is None or not re.fullmatch(model.loose, word):
            raise CorruptReply(f"{command}: {error}") from error
        (name,) = model.wire_names()
        odd = UnknownLayout(f"{command}: {error}")
        odd.partial = model.model_validate({name: None})
        odd.report = FieldReport((), (), {name: word}, ())
        raise odd from error
    protocol = getattr(reading, "protocol", None)
    if protocol is not None and protocol not in SPOKEN:
        raise OtherProtocol(f"{command}: {speaks(protocol)}")
    return reading
