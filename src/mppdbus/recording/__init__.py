"""Journals of exchanges: requests and their replies, one JSON object a line.

It is the format of tests/frames: what a user records is a test as it stands.
Nothing here knows a clock or a port.
"""

from __future__ import annotations

from mppdbus.recording.journal import Entry, parse, read, write
from mppdbus.recording.journal_entries import RecordedUnit, entries_of
from mppdbus.recording.masking import Masker
from mppdbus.recording.reply_quality import (
    Crc,
    Exchange,
    JudgedReply,
    Quality,
    judge_reply,
)

__all__ = [
    "Crc",
    "Entry",
    "Exchange",
    "JudgedReply",
    "Masker",
    "Quality",
    "RecordedUnit",
    "entries_of",
    "judge_reply",
    "parse",
    "read",
    "write",
]
