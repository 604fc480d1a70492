"""Judges the bytes that answered a request; pure."""

from dataclasses import dataclass
from enum import StrEnum

from mppdbus.errors import CorruptReply, OtherProtocol, Refused, UnknownLayout
from mppdbus.protocol.dialects import DIALECTS, UNKNOWN_FAMILY
from mppdbus.protocol.framing import Flaw, ResponseFramer, encode_reply
from mppdbus.protocol.queries import decode

_ADVICE = "; please send a recording"


class Quality(StrEnum):
    """The quality of a reply; a journal written by hand may have other words."""

    GOOD = "good"  # intact, with a correct layout
    NAK = "nak"
    ACK = "ack"
    SILENT = "silent"  # nothing came; `response_hex` is empty
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    ECHO = "echo"
    OTHER_PROTOCOL = "other-protocol"
    ONE_BYTE_CHECK = "one-byte-chk"
    SUPERSEDED = "superseded"  # intact, but its request was repeated


class Crc(StrEnum):
    """The origin of the checksum."""

    RECORDED = "recorded"  # as it came, and right
    COMPUTED = "computed"  # added afterwards, because the payload was masked
    INVALID = "invalid-as-recorded"


@dataclass(slots=True)
class Exchange:
    """One request and every byte that came until it was settled; times in ms.

    `t_ms` counts from the beginning of the recording, `ms` from the request to the
    last byte. `final` is False for an attempt that was repeated.
    """

    command: str
    request: bytes
    response: bytes = b""
    t_ms: int = 0
    ms: int = 0
    final: bool = True


@dataclass(frozen=True, slots=True)
class JudgedReply:
    """The quality of a reply; `payload` is None unless it is intact.

    `note` says in words what is odd about an intact reply.
    """

    quality: Quality
    crc: Crc
    payload: bytes | None = None
    note: str | None = None


def judge_reply(
    command: str, response: bytes, dialect: str | None = None
) -> JudgedReply:
    """Judge the reply to `command`; the first intact frame counts, as on a line.

    `dialect` names the family whose layouts count; any other name is plain PI30.
    """
    frames = ResponseFramer().feed(response)
    for frame in frames:
        if frame.intact:
            return _intact(command, frame.payload, response, dialect)
    flaws = {frame.flaw for frame in frames}
    nothing = Quality.TRUNCATED if response.strip(b"\0") else Quality.SILENT
    damage = next((worst for flaw, worst in _DAMAGES if flaw in flaws), nothing)
    return JudgedReply(damage, Crc.RECORDED if damage is Quality.ECHO else Crc.INVALID)


_DAMAGES = (
    (Flaw.CHECKSUM, Quality.CORRUPT),
    (Flaw.SUM, Quality.ONE_BYTE_CHECK),
    (Flaw.FOREIGN, Quality.OTHER_PROTOCOL),
    (Flaw.ECHO, Quality.ECHO),
    (Flaw.NOISE, Quality.CORRUPT),
)


def _intact(
    command: str, payload: bytes, response: bytes, dialect: str | None
) -> JudgedReply:
    if payload == b"NAK":
        whole = encode_reply("NAK") in response  # it is also taken without checksum
        return JudgedReply(Quality.NAK, Crc.RECORDED if whole else Crc.INVALID, payload)
    if payload == b"ACK":
        return JudgedReply(Quality.ACK, Crc.RECORDED, payload)
    quality, note = Quality.GOOD, None
    try:
        decode(command, payload, DIALECTS.get(dialect or "", UNKNOWN_FAMILY).queries)
    except UnknownLayout as error:
        note = f"unknown layout: {_said(error, command)}"
    except OtherProtocol as error:
        quality, note = Quality.OTHER_PROTOCOL, _said(error, command)
    except (CorruptReply, Refused) as error:
        note = f"does not fit its layout: {_said(error, command)}"
    return JudgedReply(quality, Crc.RECORDED, payload, note)


def _said(error: Exception, command: str) -> str:
    """Return the text of an error, without the command and the advice."""
    return str(error).removeprefix(f"{command}: ").removesuffix(_ADVICE)
