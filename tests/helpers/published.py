"""What two runs show of the same inverter, beside each other."""

from __future__ import annotations

from typing import Any

Tree = dict[str, dict[str, Any]]  # service → path → value

# What counts time, energy or replies, and so differs from run to run.
COUNTED = (
    "/Energy", "/Yield", "/History", "/Mppdbus/Link", "/Mppdbus/Soc", "/Mgmt", "/Soc",
    "/TimeToGo", "/ConsumedAmphours", "/Mppdbus/Origin/Soc",
    "/SwitchableOutput/StateOfCharge",
)  # fmt: skip


def steady(values: dict[str, Any], place: str) -> dict[str, Any]:
    """Return the values that do not count; `place`, where a unit is, is one for all."""
    return {
        path: value.replace(place, "PORT") if isinstance(value, str) else value
        for path, value in values.items()
        if not path.startswith(COUNTED)
    }


def difference(right: Tree, wrong: Tree) -> list[str]:
    """Return what differs, in words."""
    said = [f"{name}: {name in wrong}" for name in right.keys() ^ wrong.keys()]
    for name in right.keys() & wrong.keys():
        for path in right[name].keys() | wrong[name].keys():
            one, other = right[name].get(path), wrong[name].get(path)
            if one != other:
                said.append(f"{name}{path}: {one!r} but {other!r}")
    return sorted(said)
