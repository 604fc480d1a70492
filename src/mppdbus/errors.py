"""One tree of errors, split by what the caller does next.

Messages name the thing (inverter, command, file, path), say what is wrong, and what
to do about it, because most of them are read by the owner of an inverter.
"""

from typing import Any


class MppdbusError(Exception):
    """Anything that mppdbus raises on purpose."""


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


class CorruptReply(LinkError, ValueError):
    """A reply came, but its checksum or a field of a known layout is damaged.

    With a good checksum, `partial` and `report` are as in `UnknownLayout`: a field that
    never fits is no damage but a firmware that writes it so.
    """

    partial: Any = None
    report: Any = None


class Truncated(CorruptReply):
    """The reply has no end."""


class EchoedRequest(LinkError):
    """Our own request came back: the wiring loops TX to RX."""


class PortError(LinkError, OSError):
    """The port cannot be opened or used: missing, held, or not permitted."""


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

    partial: Any = None
    report: Any = None


class OtherProtocol(ProtocolError):
    """The device speaks, but not PI30."""


KINDS: tuple[tuple[type[MppdbusError], str], ...] = (
    (Truncated, "truncated"),
    (CorruptReply, "corrupt"),
    (EchoedRequest, "echo"),
    (OtherProtocol, "other-protocol"),
    (UnknownLayout, "unknown-layout"),
    (PortError, "port"),
    (NoReply, "no-reply"),
)


def kind_of(error: MppdbusError) -> str:
    """Return the word that an error begins with for scripts."""
    return next((word for kind, word in KINDS if isinstance(error, kind)), "error")
