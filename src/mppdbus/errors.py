"""One tree of errors, split by what the caller does next.

Messages name the thing (inverter, command, file, path), say what is wrong, and what
to do about it, because most of them are read by the owner of an inverter.
"""

from typing import Any


class MppdbusError(Exception):
    """Anything that mppdbus raises on purpose."""

    kind = "error"  # the word that its message begins with for scripts


class ConfigError(MppdbusError, ValueError):
    """The user's input cannot be used: print why, and exit with code 2."""


class BusError(MppdbusError, ConnectionError):
    """There is no D-Bus, or a name on it has another owner."""


class ShownAlready(BusError):
    """The reported inverter is on the bus already, by a cable of its own."""


class BusAway(BusError):
    """The connection to the bus was lost: try again, it comes back."""


class InstallError(MppdbusError):
    """Installing or removing cannot go on: the machine is as it was, or as told."""


class NotWritten(MppdbusError):
    """A setting is not written: nothing was sent, and the message says why."""

    kind = "not-written"


class TooSoon(NotWritten):
    """An automatic write comes too soon after the last one: try again later."""


class StateError(MppdbusError, ValueError):
    """Stored state cannot be read or written: log it, and go on without."""


class LinkError(MppdbusError):
    """The exchange on the line failed: try again, then wait longer."""


class NoReply(LinkError, TimeoutError):
    """No reply, or no end of a reply, came in time."""

    kind = "no-reply"


class CorruptReply(LinkError, ValueError):
    """A reply came, but it is damaged, or no reply to this command."""

    kind = "corrupt"


class Truncated(CorruptReply):
    """The reply has no end."""

    kind = "truncated"


class EchoedRequest(LinkError):
    """Our own request came back: the wiring loops TX to RX."""

    kind = "echo"


class PortError(LinkError, OSError):
    """The port cannot be opened or used: missing, held, or not permitted."""

    kind = "port"


class PortMissing(PortError):
    """There is no such port: wait until it is plugged in."""


class PortLost(PortError):
    """The port was open and went away: reopen it."""


class ProtocolError(MppdbusError):
    """The inverter gave a definite answer: never retry."""


class Refused(ProtocolError):
    """The inverter answered NAK."""


class UnknownLayout(ProtocolError, ValueError):
    """An intact reply of a shape that no document and no recording shows.

    It has an unknown number of words, or an odd word. `partial` is the readable part, a
    `Reading`; `report`, a `protocol.salvage.FieldReport`, tells which fields were read.
    Both may be None. Such a reply proves nothing about the family.
    """

    kind = "unknown-layout"
    partial: Any = None
    report: Any = None


class OtherProtocol(ProtocolError):
    """The device speaks, but not PI30."""

    kind = "other-protocol"
