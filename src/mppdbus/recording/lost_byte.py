"""Finds the last character of a reply whose checksum has lost a NUL. Pure.

A checksum that ends in 00 loses that byte in many editors and logs. What is left is a
sound reply again, always: the last character and the first byte of the checksum are the
checksum of all characters before them. So VERFW:00056.02 becomes VERFW:00056.0, and
only the usual width of a reply can tell.
"""

import re

from mppdbus.errors import MppdbusError
from mppdbus.protocol.queries import base_command, decode

_FIRMWARE = re.compile(rb"VERFW\d?:\w{5}\.\w{2}")
_WATT_HOURS = re.compile(rb"\d{8}")
USUAL = {
    "QPI": re.compile(rb"PI\d\d"),
    "QID": re.compile(rb"\d{14}"),
    "QGMN": re.compile(rb"\d{3}"),
    "QT": re.compile(rb"\d{14}"),
    "QPIWS": re.compile(rb"[01]{31,32}|[01]{36}|[01]{38}"),
    **dict.fromkeys(("QVFW", "QVFW2", "QVFW3", "QVFW4", "VERFW"), _FIRMWARE),
    **dict.fromkeys(
        ("QET", "QEY", "QEM", "QED", "QLT", "QLY", "QLM", "QLD"), _WATT_HOURS
    ),
}


def longer(text: bytes, payload: bytes) -> bytes | None:
    """Return the payload with the character that a lost NUL would have hidden.

    `text` is the reply without its end. None if no NUL was lost: the text has one, or
    the byte behind the payload is no letter and no digit.
    """
    last = text[-2:-1]
    if b"\0" in text or not last.isalnum() or not text[:-2].endswith(payload):
        return None
    return payload + last


def choose(command: str, short: bytes, long: bytes) -> tuple[bytes, str | None]:
    """Return the payload that is likelier, and a remark if that is not sure."""
    if not _is_read(command, long):
        return short, None
    usual = USUAL.get(base_command(command))
    if usual is not None and usual.fullmatch(short):
        return short, None
    if (usual is not None and usual.fullmatch(long)) or not _is_read(command, short):
        return long, "a byte of its checksum was lost, and is put back"
    end = long[-1:].decode()
    return short, f"it may end in {end!r}: then a byte of its checksum was lost"


def _is_read(command: str, payload: bytes) -> bool:
    try:
        decode(command, payload)
    except MppdbusError:
        return False
    return True
