"""One tree of errors, split by what the caller does next.

Messages name the thing (inverter, command, file, path), say what is wrong, and what
to do about it, because most of them are read by the owner of an inverter.
"""

from typing import Any


class MppdbusError(Exception):
    """Anything that mppdbus raises on purpose."""

    kind = "error"  # the word that its message begins with for scripts


class ConfigError(MppdbusError, ValueError):
    """The user's input cannot be used: tell, and end with exit code 2."""


class BusError(MppdbusError, ConnectionError):
    """No D-Bus, or a name on it that is not ours to have."""


class ShownAlready(BusError):
    """The inverter is on the bus by a cable of its own."""


class BusAway(BusError):
    """The bus went away while we were on it: it comes back, so try again."""


class StateError(MppdbusError, ValueError):
    """Stored counters that cannot be read or kept: go on without, and say so."""


class LinkError(MppdbusError):
    """The exchange failed on its way: try again, then back off."""


class NoReply(LinkError, TimeoutError):
    """Nothing, or no end of a reply, within the time allowed."""

    kind = "no-reply"


class CorruptReply(LinkError, ValueError):
    """A reply came, but its checksum or a field of a known layout is damaged.

    With a good checksum, `partial` and `report` are as in `UnknownLayout`: a field that
    never fits is no damage but a firmware that writes it so.
    """

    kind = "corrupt"
    partial: Any = None
    report: Any = None


class Truncated(CorruptReply):
    """The reply has no end."""

    kind = "truncated"


class EchoedRequest(LinkError):
    """Our own request came back: the wiring loops TX to RX."""

    kind = "echo"


class PortError(LinkError, OSError):
    """The port cannot be opened or used: missing, held, or not permitted."""

    kind = "port"


class PortLost(PortError):
    """The port was open and went away: reopen it."""


class ProtocolError(MppdbusError):
    """An answer came and settles the matter: never retry."""


class Refused(ProtocolError):
    """The inverter answered NAK."""


class UnknownLayout(ProtocolError, ValueError):
    """An intact reply of a shape that no document and no recording shows.

    `partial` is what could be read of it, a `Reading`, and `report` how each field
    fared, a `protocol.salvage.FieldReport`; both None if nothing could.
    """

    kind = "unknown-layout"
    partial: Any = None
    report: Any = None


class OtherProtocol(ProtocolError):
    """The device speaks, but not PI30."""

    kind = "other-protocol"
