"""Which battery each inverter is at, and what does not fit between their tables."""

from collections.abc import Iterator
from typing import Any

from mppdbus.config.messages import any_of, place, show

Tables = list[dict[str, Any]]


def assign(inverters: Tables, batteries: Tables) -> Iterator[str]:
    """Give each inverter the name of its battery; yield what does not fit.

    A battery without a table of its own has the settings of the table without a name.
    Invalid values are left for the models to refuse.
    """
    names = [table.get("name", "") for table in batteries]
    known = [name for name in names if isinstance(name, str)]
    if len(known) < len(names):
        return
    only = known[0] if len(known) == 1 else ""
    used: list[object] = []
    for position, table in enumerate(inverters):
        name = table.setdefault("battery", only)
        used.append(name)
        if isinstance(name, str) and name not in known and "" not in known and known:
            wrong = f"no [[battery]] has the name {show(name)}"
            missing = wrong if name else "is missing"
            where = place(("inverter", position, "battery"))
            yield f"{where}: {missing}; use {any_of(known)}"
    for position, name in enumerate(known):
        where = place(("battery", position, "name"))
        if name in known[:position]:
            yield f"{where}: {show(name)} is there twice; give each its own"
        elif name and name not in used:
            advice = f"write battery = {show(name)} in an [[inverter]]"
            yield f"{where}: no inverter is at {show(name)}; {advice}"
