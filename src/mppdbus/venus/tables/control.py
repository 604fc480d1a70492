"""TABLES: what is shown of the control of an inverter; values come from its control."""

from mppdbus.model.views import UnitView
from mppdbus.venus.tables.row import NUM, TEXT, Row, ToControl, ToRequest

LEVEL = "/Mppdbus/Control/Level"
REQUEST, REPLY = "/Mppdbus/Control/Request", "/Mppdbus/Control/Reply"
LAST_WRITE = "/Mppdbus/Control/LastWrite"
SETTING, LOCKED = "/Mppdbus/Settings/", "/Mppdbus/Control/Locked/"


def _of_control(_: UnitView) -> None:
    """Return nothing: the control shows it, as it is read and written."""


_LEVEL = "`read-only`, `safe` or `full`; invalid: not controlled from here"
_LAST = "what was changed or refused last, and how it ended, in a sentence"
_VALUE = "QPIRI, QFLAG, QBEQI or QDOP, by `mppdbus settings <name>`"
_LOCKED = "why it cannot be written over D-Bus, in words; empty: it can"
_REQUEST = "of the command line, in JSON; empty: none is waiting"
_REPLY = "the answer to the last one, for a minute"
CONTROL: tuple[Row[UnitView], ...] = (
    Row(LEVEL, TEXT, _of_control, "", _LEVEL),
    Row(LAST_WRITE, TEXT, _of_control, "", _LAST),
    Row(REQUEST, TEXT, _of_control, "", _REQUEST, write=ToRequest(), confirmable=True),
    Row(REPLY, TEXT, _of_control, "", _REPLY),
    Row(SETTING + "{name}", NUM, _of_control, "", _VALUE, write=ToControl("{name}")),
    Row(LOCKED + "{name}", TEXT, _of_control, "", _LOCKED),
)
HEAD = CONTROL[:4]
