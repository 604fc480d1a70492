"""Recognises replies of other protocols by their frame alone; pure."""

import re

from mppdbus.errors import OtherProtocol, ProtocolError, UnknownLayout
from mppdbus.protocol.framing import Flaw, Frame

SPOKEN = frozenset(("PI30", "PI41"))  # PI41 is PI30 with two phases
QALL_WORDS = 18  # document I; a damaged PI30 reply fits the sum once in 500 times

_PROTOCOL = re.compile(rb"PI[0-9]{2}")
# Input, fault and output voltage, load, frequency, battery, temperature, eight flags.
_Q1 = re.compile(
    rb"(?:\d{3}\.\d ){3}\d{3} \d\d\.\d (?:\d\.\d\d|\d\d\.\d) \d\d\.\d [01]{8}"
)


def speaks(protocol: str) -> OtherProtocol:
    """Return the error of a device whose QPI names another protocol."""
    return OtherProtocol(f"the device speaks {protocol}, not PI30")


def foreign(frame: Frame) -> ProtocolError | None:
    """Return the error for a reply of another protocol; None for PI30.

    `UnknownLayout` for the QALL of a REVO: a unit that speaks PI30 otherwise.
    """
    if frame.flaw is Flaw.FOREIGN:
        return OtherProtocol("the answer begins with ^: PI17 or PI18, not PI30")
    if frame.flaw is Flaw.CHECKSUM and _PROTOCOL.fullmatch(frame.payload):
        # Such a device, a UPS, sends no checksums; PI30 without one proves nothing.
        protocol = frame.payload.decode()
        return None if protocol in SPOKEN else speaks(protocol)
    if frame.flaw is Flaw.CHECKSUM and _Q1.fullmatch(frame.payload):
        return OtherProtocol("the answer is that of a UPS to Q1 (Megatec), not PI30")
    if frame.flaw is Flaw.SUM and len(frame.payload.split()) == QALL_WORDS:
        return UnknownLayout(
            "a REVO's QALL reply, intact: it ends in a one-byte sum, not in PI30's "
            "checksum, and is not read; QPIGS, QPIRI and QMOD say the same"
        )
    return None
