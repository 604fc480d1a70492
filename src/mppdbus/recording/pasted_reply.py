"""One reply that was pasted, or a line of a journal. Pure."""

import json
from dataclasses import dataclass
from typing import Any

from mppdbus.errors import MppdbusError
from mppdbus.protocol.framing import ResponseFramer
from mppdbus.recording.journal import NO_JSON
from mppdbus.recording.pasted_lines import problem_of


@dataclass(frozen=True, slots=True)
class Payload:
    """The payload of a reply; `checked` is False if there was no checksum.

    `longer` is the payload if a NUL of the checksum was lost, see `lost_byte`.
    """

    data: bytes
    checked: bool = True
    longer: bytes | None = None


@dataclass(frozen=True, slots=True)
class PastedReply:
    """One reply: its payload, or the error of its bytes.

    `command` is the query, if it is known. `device` tells the inverters of a journal
    apart.
    """

    id: str
    command: str | None
    payload: Payload | None = None
    error: MppdbusError | None = None
    device: tuple[str, str] | None = None


def of_journal(name: str, text: str) -> PastedReply:
    """Return the reply of a line of a journal; raises `ValueError` if it is none."""
    try:
        line: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(NO_JSON) from error
    try:
        data = bytes.fromhex(line["response_hex"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError('its "response_hex" is missing or not hexadecimal') from error
    device = (_string(line, "model"), _string(line, "source"))
    frames = ResponseFramer().feed(data)
    intact = next((frame for frame in frames if frame.intact), None)
    return PastedReply(
        id=_string(line, "id") or name,
        command=_string(line, "command") or None,
        payload=None if intact is None else Payload(intact.payload),
        error=problem_of(data) if intact is None else None,
        device=device if any(device) else None,
    )


def _string(line: dict[str, Any], key: str) -> str:
    value = line.get(key)
    return value if isinstance(value, str) else ""
