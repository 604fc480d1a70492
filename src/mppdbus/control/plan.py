"""Several settings as steps in a safe order, all checked before the first; pure."""

from collections.abc import Mapping, Sequence

from mppdbus.control.settings import ShownSetting
from mppdbus.control.settings_file import differences
from mppdbus.control.write_check import (
    FOR_EXPERTS,
    ORDER,
    SETS_OTHERS,
    ControlLevel,
    Permission,
    PlannedWrite,
    checked_write,
    order_trouble,
)
from mppdbus.errors import NotWritten
from mppdbus.protocol.identification import Identification

CAPACITIES = ("cut_off_capacity", "recharge_capacity", "redischarge_capacity")
LAST = (*FOR_EXPERTS, "output_mode", "equalization_now")
Wanted = Mapping[str, float | str]


def plan(
    settings: Sequence[ShownSetting],
    found: Identification,
    wanted: Wanted,
    permission: Permission,
) -> list[PlannedWrite]:
    """Return the steps from what is set now to what is wanted; none for what is so.

    A battery type comes first; as it sets voltages, those that are wanted follow even
    if they are right now: see `PlannedWrite.changes`. In the order of the voltages,
    each step is right by itself. Raises `NotWritten` with all that is wrong, or
    `ConfigError` for names that the unit does not show.
    """
    others = [each.name for each, _ in differences(settings, wanted)]
    for name in others.copy():
        others += [n for n in SETS_OTHERS.get(name, ()) if n in wanted]
    steps, wrong = list[PlannedWrite](), list[str]()
    for name in dict.fromkeys(others):
        try:
            steps.append(checked_write(settings, found, name, wanted[name], permission))
        except NotWritten as error:
            if permission.level is ControlLevel.READ_ONLY:
                raise
            wrong.append(str(error))
    now = {each.name: each.value for each in settings}
    for step in steps:
        now.update(dict.fromkeys(SETS_OTHERS.get(step.shown.name, ())))
    wrong += _contradictions(now, steps)
    if wrong:
        raise NotWritten("; ".join(dict.fromkeys(wrong)) + "; nothing was sent")
    return _in_order(now, steps)


def _contradictions(
    now: Mapping[str, float | None], steps: Sequence[PlannedWrite]
) -> list[str]:
    """Return what would be in the wrong order after all steps."""
    after = {**now, **{step.shown.name: step.value for step in steps}}
    troubles = (order_trouble(after, s.shown.name, s.value) for s in steps)
    return [trouble for trouble in troubles if trouble]


def _in_order(
    now: dict[str, float | None], steps: Sequence[PlannedWrite]
) -> list[PlannedWrite]:
    """Return the steps so that none is in the wrong order with what is set by then."""
    waiting, done = sorted(steps, key=_turn), list[PlannedWrite]()
    while waiting:
        troubles = [order_trouble(now, s.shown.name, s.value) for s in waiting]
        if "" not in troubles:
            raise NotWritten(f"there is no safe order: {troubles[0]}; nothing was sent")
        step = waiting.pop(troubles.index(""))
        now[step.shown.name] = step.value
        done.append(step)
    return done


def _turn(step: PlannedWrite) -> tuple[int, int]:
    """Return when a step has its turn.

    Thresholds are lowered from the lowest one on, then raised from the highest one on,
    so that each stays between its neighbours. 0 V is "when full", above all others.
    What uses them, such as a priority, follows.
    """
    name, value, old = step.shown.name, step.value, step.shown.value
    if name in SETS_OTHERS:
        return 0, 0
    if name in LAST:
        return 7, LAST.index(name)
    if name == "equalization":
        return (5, 0) if value else (1, 0)
    for chain in (ORDER, CAPACITIES):
        if name in chain:
            raised = old is not None and (value or 1e3) > (old or 1e3)
            place = chain.index(name)
            return (3, -place) if raised else (2, place)
    if not step.shown.names:
        return 4, 0
    return 6, 0
