"""The journal: what was asked and what came, one JSON object a line.

It is the format of tests/frames, so that what a user records is a test as it stands.
Nothing here knows a clock or a port.
"""

from __future__ import annotations

from mppdbus.recording.journal import Entry, parse, read, write
from mppdbus.recording.journal_writer import Origin, make
from mppdbus.recording.masking import Masker
from mppdbus.recording.verdict import Crc, Exchange, Quality, Verdict, judge

__all__ = [
    "Crc",
    "Entry",
    "Exchange",
    "Masker",
    "Origin",
    "Quality",
    "Verdict",
    "judge",
    "make",
    "parse",
    "read",
    "write",
]
