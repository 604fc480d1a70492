"""Which spellings of a setter are tried on one inverter, in which order; pure.

Families spell the charge currents in several ways, and units of one family, too: King
II takes MUCHGC0050 and refuses MUCHGC050. The first form that a unit has acknowledged
and obeyed is remembered by the journal, for its model and firmware. A later NAK
unlearns nothing: it says "not now".
"""

from collections.abc import Iterable

from mppdbus.control.journal import WrittenSetting
from mppdbus.control.write_check import PlannedWrite
from mppdbus.protocol.settings.setters import CommandForm


def commands_to_try(
    planned: PlannedWrite, origin: WrittenSetting, writes: Iterable[WrittenSetting]
) -> tuple[str, ...]:
    """Return the commands for a write: a proven one alone, else all that may be right.

    `origin` has the model and the firmware of the unit; `writes` are those of the
    journal, the oldest first. A later command of these may only be sent where the
    inverter has refused the one before it, and shows that nothing has changed.
    """
    if len(planned.commands) == 1:
        return planned.commands
    proven = [
        each
        for each in writes
        if each.setting == planned.shown.name
        and (each.model, each.firmware) == (origin.model, origin.firmware)
        and each.accepted
        and each.done
    ]
    for write in reversed(proven):
        for form in planned.forms:
            command = _spelled(form, planned.value)
            if command and _spelled(form, write.value) == write.command:
                return (command,)
    return planned.commands


def _spelled(form: CommandForm, value: float) -> str:
    """Return the command of a form; "" for a value that it cannot spell."""
    try:
        return form.command(int(value))
    except ValueError:
        return ""
