"""What an undo takes back, and what an interrupted plan has left; from the journal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mppdbus.control.journal import WrittenSetting, same
from mppdbus.control.plan_run import before
from mppdbus.control.settings import ShownSetting
from mppdbus.errors import NotWritten


@dataclass(frozen=True, slots=True)
class Undo:
    """The writes to take back: one, or all of a plan. `undoes` are their times."""

    writes: Sequence[WrittenSetting]
    wanted: Mapping[str, float]
    undoes: Mapping[str, str]


def find_undo(
    writes: Iterable[WrittenSetting], unit: str, settings: Iterable[ShownSetting]
) -> Undo:
    """Return the last change of a unit that still stands; raises `NotWritten`.

    What was taken back already is passed over, so that each undo goes one change
    further back. So is a change of which nothing is left. What somebody else has
    changed since is not touched.
    """
    shown = {each.name: each for each in settings}
    standing = standing_changes([each for each in writes if each.unit == unit])
    while standing:
        last = standing[-1]
        group = [w for w in standing if w is last or (w.plan and w.plan == last.plan)]
        old = before(group)
        wanted = {name: value for name, (value, _) in old.items() if name in shown}
        if any(not same(shown[n].value, value) for n, value in wanted.items()):
            _check_ours(group, shown, wanted)
            return Undo(group, wanted, {n: old[n][1] for n in wanted})
        standing = [each for each in standing if each not in group]
    raise NotWritten(f"nothing that was changed from here is left to undo at {unit}")


def standing_changes(writes: Sequence[WrittenSetting]) -> list[WrittenSetting]:
    """Return the writes of one unit that changed something and were not taken back."""
    undone, found = set[str](), list[WrittenSetting]()
    for write in reversed(writes):
        if write.time in undone:
            continue
        if write.undoes and write.done:
            undone.add(write.undoes)
        elif not write.undoes and not same(write.observed, write.old):
            found.insert(0, write)
    return found


def interrupted(
    writes: Iterable[WrittenSetting], unit: str, settings: Iterable[ShownSetting]
) -> str:
    """Say what an interrupted plan has left undone, else ""."""
    own = [each for each in writes if each.unit == unit]
    if not own or not own[-1].plan:
        return ""
    last, shown = own[-1], {each.name: each for each in settings}
    if not any(each.plan == last.plan for each in standing_changes(own)):
        return ""
    wanted = last.rest if last.done else {last.setting: last.value, **last.rest}
    missing = [
        f"{name} ({shown[name].text(value)})"
        for name, value in wanted.items()
        if name in shown and not same(shown[name].value, value)
    ]
    if not missing:
        return ""
    return (
        f"a change of several settings, begun {last.plan[:19]}, did not end: still to "
        f"do {', '.join(missing)}; go on with mppdbus apply, or take it back with "
        "mppdbus undo"
    )


def _check_ours(
    group: Sequence[WrittenSetting],
    shown: Mapping[str, ShownSetting],
    wanted: Mapping[str, float],
) -> None:
    """Refuse to undo what shows neither the value that was written nor the one before.

    Somebody else has changed it since, such as a person at the panel.
    """
    for write in group:
        each = shown.get(write.setting)
        known = (write.value if write.observed is None else write.observed, write.value)
        if each is None or any(same(each.value, v) for v in known):
            continue
        if same(each.value, wanted[write.setting]):
            continue
        raise NotWritten(
            f"{write.setting}: it is {each.text(each.value)} now, and not "
            f"{each.text(known[0])} as written from here: somebody changed it since; "
            f"to have {each.text(write.old)}, use mppdbus set; nothing was sent"
        )
