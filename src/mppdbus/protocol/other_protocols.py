"""Recognises replies of other protocols by their frame alone; pure."""

from mppdbus.errors import OtherProtocol, ProtocolError, UnknownLayout
from mppdbus.protocol.framing import Flaw, Frame

QALL_WORDS = 18  # document I; a damaged PI30 reply fits the sum once in 500 times


def foreign(frame: Frame) -> ProtocolError | None:
    """Return the error for a reply of another protocol; None for PI30.

    `UnknownLayout` for the QALL of a REVO: a unit that speaks PI30 otherwise.
    """
    if frame.flaw is Flaw.FOREIGN:
        return OtherProtocol("the answer begins with ^: PI17 or PI18, not PI30")
    if frame.flaw is Flaw.SUM and len(frame.payload.split()) == QALL_WORDS:
        return UnknownLayout(
            "a REVO's QALL reply, intact: it ends in a one-byte sum, not in PI30's "
            "checksum, and is not read; QPIGS, QPIRI and QMOD say the same"
        )
    return None
