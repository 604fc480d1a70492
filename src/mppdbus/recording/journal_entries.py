"""Turns exchanges into entries of a journal; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mppdbus.protocol.framing import ResponseFramer, encode_reply, encode_request
from mppdbus.recording.journal import Entry
from mppdbus.recording.masking import Masker, made_up
from mppdbus.recording.reply_quality import (
    Crc,
    Exchange,
    JudgedReply,
    Quality,
    judge_reply,
)


@dataclass(frozen=True, slots=True)
class RecordedUnit:
    """The recorded unit: its values under the keys of its entries."""

    model: str | None
    variant: str
    source: str


def entries_of(
    exchanges: Iterable[Exchange],
    unit: RecordedUnit,
    *,
    mask: bool = True,
    masker: Masker | None = None,
) -> list[Entry]:
    """Return an entry for each exchange, in their order.

    With `mask` serial numbers are replaced, see `Masker`; by `masker`, if it is given.
    Bytes in front of an intact reply are kept only of attempts that were repeated.
    """
    judged = [
        (one, judge_reply(one.command, one.response, unit.variant)) for one in exchanges
    ]
    masker = (masker or Masker()) if mask else None
    for one, verdict in judged:
        if masker is not None and verdict.payload is not None:
            masker.learn(one.command, verdict.payload)
    return [
        _entry(f"r{number:04d}", one, verdict, unit, masker)
        for number, (one, verdict) in enumerate(judged, 1)
    ]


def with_evidence(entries: list[Entry], proofs: Mapping[str, str]) -> list[Entry]:
    """Return the entries with what writes have proven, by setting, at the first QPIRI.

    It has neither serial number nor time nor user.
    """
    place = next((n for n, each in enumerate(entries) if each.command == "QPIRI"), None)
    if place is None or not proofs:
        return entries
    told = entries[place].model_copy(update={"evidence": dict(proofs)})
    return [*entries[:place], told, *entries[place + 1 :]]


# A response: the bytes before its intact frame, the frame, the bytes after it.
_Parts = tuple[bytes, bytes, bytes]


def _entry(
    name: str,
    one: Exchange,
    verdict: JudgedReply,
    unit: RecordedUnit,
    masker: Masker | None,
) -> Entry:
    parts, payload, crc = _cut(one, verdict.payload), verdict.payload, verdict.crc
    quality, note, masked = verdict.quality, verdict.note, False
    if masker is not None:
        as_came = parts
        parts, payload = _masked(one.command, parts, payload, masker)
        if payload != verdict.payload:
            crc = Crc.COMPUTED
            # The note may quote the reply.
            note = judge_reply(one.command, parts[1], unit.variant).note
        # A replayed recording has masked numbers already.
        masked = parts != as_came or made_up(one.command, payload or b"")
    if not one.final and payload is not None:
        quality = Quality.SUPERSEDED
    response, usual = b"".join(parts), encode_request(one.command)
    return Entry(
        id=f"{name}-{one.command.strip(':').lower()}-{unit.variant}",
        model=unit.model,
        variant=unit.variant,
        command=one.command,
        response_hex=response.hex(),
        crc=crc.value,
        source=unit.source,
        quality=quality.value,
        fields=None if payload is None else len(payload.split()),
        ascii=in_ascii(response),
        note=note,
        masked=masked or None,
        request_hex=None if one.request == usual else one.request.hex(),
        ms=one.ms,
        t_ms=one.t_ms,
    )


def _cut(one: Exchange, payload: bytes | None) -> _Parts:
    """Cut out the frame of `payload`, with the HID padding after it."""
    data = one.response
    if payload is None:
        return data, b"", b""
    start, end = _span(data, payload)
    frame, after = data[start:end], data[end:]
    if not one.final:
        return data[:start], frame, after
    return b"", frame, after[: len(after) - len(after.lstrip(b"\0"))]


def _span(data: bytes, payload: bytes) -> tuple[int, int]:
    """Return where the intact frame of `payload` begins and ends."""
    start = -1
    while (start := data.find(b"(" + payload, start + 1)) >= 0:
        behind = start + 1 + len(payload)
        for end in (behind + 3, behind + 1):  # a NAK may come without its checksum
            frames = ResponseFramer().feed(data[start:end])
            if frames and frames[0].payload == payload and frames[0].intact:
                return start, end
    raise ValueError(f"{payload!r} is in no intact frame of {data!r}")


def _masked(
    command: str, parts: _Parts, payload: bytes | None, masker: Masker
) -> tuple[_Parts, bytes | None]:
    before, frame, after = parts
    hidden = payload
    if payload is not None:
        hidden = masker.payload(command, payload)
        if hidden != payload:
            frame = encode_reply(hidden)[:-1] + frame[-1:]
    damaged = command if payload is None else ""
    return (masker.rest(damaged, before), frame, masker.rest("", after)), hidden


_ESCAPES = {0x0D: "\\r", 0x0A: "\\n", 0x5C: "\\\\"}


def in_ascii(data: bytes) -> str:
    """Return bytes as text; what cannot be printed becomes an escape."""
    return "".join(
        _ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")
        for byte in data
    )
