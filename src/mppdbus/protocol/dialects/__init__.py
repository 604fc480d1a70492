"""What differs per family: the table, who is who, and what codes mean there; pure."""

from __future__ import annotations

from mppdbus.protocol.dialects.explain import explain, fault_code_of, warnings_of
from mppdbus.protocol.dialects.identification import Evidence, Identification, identify
from mppdbus.protocol.dialects.table import DIALECTS, MODEL_NUMBERS, Dialect, Model

__all__ = [
    "DIALECTS",
    "MODEL_NUMBERS",
    "Dialect",
    "Evidence",
    "Identification",
    "Model",
    "bogus_serial",
    "explain",
    "fault_code_of",
    "identify",
    "warnings_of",
]

MIN_SERIAL = 6  # characters
PLACEHOLDERS = ("0123456789012345", "1234567890123456", "ABCDEFGHIJKLMNOP")


def bogus_serial(serial: str | None) -> bool:
    """Tell whether many units give this serial: none, zeros, 55355535553555 …

    Real ones hold a factory, a date and a count; two different characters cannot.
    """
    if serial is None:
        return True
    text = serial.strip().upper()
    if len(text) < MIN_SERIAL or len(set(text)) <= 2:
        return True
    return any(filler.startswith(text) for filler in PLACEHOLDERS)
