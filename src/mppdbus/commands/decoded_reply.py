"""A decoded reply as values for scripts and as aligned lines for people. Pure."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mppdbus.errors import MppdbusError, UnknownLayout
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.explain import explain, warnings_of
from mppdbus.protocol.identification import GUESSED, Identification
from mppdbus.protocol.plausibility import Plausibility
from mppdbus.protocol.queries import QUERIES, base_command, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.status import Warnings

Row = tuple[str, str, str]  # field, value, unit
UNKNOWN = "--"
UNPROVEN = (
    "the family is a guess: the names of the priorities are those of the documents, "
    "not proven for this unit; clones use other codes"
)
REFUSED = "refused: the inverter does not know it, or cannot do it now"
NO_CHECKSUM = "no checksum: nothing shows whether it is complete"


@dataclass(slots=True)
class DecodedReply:
    """One reply: a reading, ACK or NAK, or an error; with warnings for people."""

    command: str | None
    dialect: Dialect
    reading: Reading | None = None
    acknowledged: bool | None = None
    error: MppdbusError | None = None
    warnings: list[str] = field(default_factory=list)
    partial: bool = False  # not all fields of the reading could be read
    mode: str | None = None  # the letter of QMOD, which tells a fault from a warning
    payload: bytes | None = None  # of an intact reply
    checked: bool = True  # by its checksum
    id: str = ""  # name of the input line, shown in the output

    def speak(self, found: Identification) -> None:
        """Decode the reply again if this family has other layouts.

        Codes get the names of a guessed family, too, but are marked as unproven.
        """
        self.dialect = dialect = found.dialect
        guessed = found.confidence <= GUESSED and dialect.priorities_proven
        if guessed and hasattr(self.reading, "charger_source_priority"):
            self.warnings.append(UNPROVEN)
        query = base_command(self.command or "")
        layouts = dialect.queries.get(query)
        if self.reading is None or self.payload is None or not layouts:
            return
        if layouts != QUERIES.get(query):
            # A reply that fits no layout of the family keeps the general one.
            with suppress(MppdbusError):
                self.reading = decode(query, self.payload, dialect.queries)
                if self.partial:
                    self.partial, self.warnings = False, []

    def remark(self, limits: Plausibility) -> None:
        """Add the values that the daemon would not show, with the reasons."""
        if self.reading is None or self.error is not None:
            return
        _, remarks = limits.check(self.reading, 0.0)
        said = (remark.text for remark in remarks if remark.value is not None)
        self.warnings += [f"not shown on the bus: {text}" for text in said]

    def take_partial(self, error: UnknownLayout) -> bool:
        """Store the readable part of an unknown layout; False if there is none."""
        if error.partial is None:
            return False
        self.reading, self.partial = error.partial, True
        self.warnings.append(str(error))
        if report := error.report:
            unread = (f"{name} {word!r}" for name, word in report.unparsed.items())
            self.warnings += [f"not read: {what}" for what in unread]
            if report.extra:
                extra = " ".join(report.extra)
                self.warnings.append(f"unexplained at its end: {extra}")
        return True

    def notes(self) -> list[str]:
        """Return the warnings, with one for a missing checksum."""
        return [*([] if self.checked else [NO_CHECKSUM]), *self.warnings]

    def record(self) -> dict[str, Any]:
        """Return the reply for scripts."""
        record: dict[str, Any] = {"command": self.command}
        if self.error is not None:
            record["error"] = f"{self.error.kind}: {self.error}"
        elif self.reading is None:
            record["values"] = {"acknowledged": self.acknowledged}
        else:
            record["layout"] = type(self.reading).__name__
            record["values"] = values_of(self.reading, self.dialect, mode=self.mode)
        if self.partial:
            record["partial"] = True
        if notes := self.notes():
            record["warnings"] = notes
        return record

    def lines(self) -> list[str]:
        """Return the reply for people: one line for each field."""
        notes = [f"  note: {note}" for note in self.notes()]
        if self.error is not None:
            return [f"  {self.error.kind}: {self.error}", *notes]
        rows = [("ACK", "done", "") if self.acknowledged else ("NAK", REFUSED, "")]
        if self.reading is not None:
            rows = rows_of(self.reading, self.dialect, mode=self.mode)
        return [*aligned(rows), *notes]


def values_of(
    reading: Reading, dialect: Dialect, *, mode: str | None = None
) -> dict[str, Any]:
    """Return field → value, then the names of codes; all of it fits into JSON.

    A field is None if the inverter sent "-"; fields after the last word are absent.
    """
    sent = _fields(reading)
    dumped = reading.model_dump(mode="json", include=set(sent))
    explained = explain(reading, dialect, mode=mode)
    return {name: dumped[name] for name in sent} | explained


def _fields(reading: Reading) -> list[str]:
    """Return the names of the fields that the reply had, in wire order."""
    known = reading.model_fields_set
    names = [*reading.wire_names()]
    last = max((n for n, name in enumerate(names) if name in known), default=-1)
    return names[: last + 1] + [name for name in known if name not in names]


def rows_of(
    reading: Reading, dialect: Dialect, *, mode: str | None = None
) -> list[Row]:
    """Return a row for each field; the name of a code stands behind the code."""
    values = values_of(reading, dialect, mode=mode)
    units = reading.units()
    rows = []
    for key, value in values.items():
        if key.endswith("_name") and key.removesuffix("_name") in values:
            continue
        name = values.get(f"{key}_name")
        shown = in_words(value)
        if isinstance(name, str):
            shown = f"{shown} ({name})"
        rows.append((key, shown, units.get(key, "")))
    if isinstance(reading, Warnings):
        bits = warnings_of(dialect, reading.bits)
        rows += [(f"  {bit.name}", bit.text, "") for bit in bits]
    return rows


def in_words(value: object) -> str:
    """Return a value as people read it."""
    match value:
        case None:
            return UNKNOWN
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key} {_on_off(x)}" for key, x in value.items()) or "-"
        case list() | tuple():
            return " ".join(map(in_words, value)) or "none"
        case _:
            return str(value)


def _on_off(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return in_words(value)


def aligned(rows: list[Row]) -> list[str]:
    """Return the rows as lines whose values begin in the same column."""
    width = max((len(field) for field, _, _ in rows), default=0)
    return [f"  {row[0]:<{width}}  {' '.join(filter(None, row[1:]))}" for row in rows]
