"""What a new config changes, and which inverters have to begin anew for it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from mppdbus.config.models import Config, InverterConfig

# What a unit is by its section: where one of these differs, it leaves the bus first.
# The rest is of the line alone, or changes in place.
BELONGING = ("port", "serial", "profile", "bus_name", "battery")
# Counts only until the first instance is stored; its default depends on the position.
FIRST_ONLY = "instance"
# What may be written: it is taken while the session goes on.
NOT_OURS = "control"


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """The names of sections that are new, not there any more, or otherwise now.

    The units of those in `leaving` leave the bus before their sections begin anew.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    leaving: tuple[str, ...]
    others: tuple[str, ...]  # what is not an inverter, in words

    @classmethod
    def between(cls, old: Config, new: Config) -> "ConfigChange":
        """Compare two configs; a section with another name is another section."""
        before = {section.name: section for section in old.inverter}
        now = {section.name: section for section in new.inverter}
        both = [name for name in now if name in before]
        changed = tuple(n for n in both if _differs(before[n], now[n]))
        removed = tuple(name for name in before if name not in now)
        moved = tuple(name for name in changed if _moves(before[name], now[name]))
        return cls(
            added=tuple(name for name in now if name not in before),
            removed=removed,
            changed=changed,
            leaving=(*removed, *moved),
            others=tuple(_others(old, new)),
        )

    @property
    def words(self) -> str:
        """What is done about it, in one line."""
        lists = (
            ("restarted", self.changed),
            ("new", self.added),
            ("removed", self.removed),
        )
        parts = [f"{what}: {', '.join(names)}" for what, names in lists if names]
        return "; ".join([*parts, *self.others]) or "nothing has changed"


def _differs(old: InverterConfig, new: InverterConfig) -> bool:
    names = InverterConfig.model_fields.keys() - {FIRST_ONLY, NOT_OURS}
    return any(getattr(old, name) != getattr(new, name) for name in names)


def _moves(old: InverterConfig, new: InverterConfig) -> bool:
    return any(getattr(old, name) != getattr(new, name) for name in BELONGING)


def _others(old: Config, new: Config) -> Iterator[str]:
    if old.battery != new.battery:
        yield "battery changed"
    if old.rule != new.rule:
        yield "rules changed"
    if old.log != new.log:
        yield f"log level {new.log.level}"
    for before, now in zip(old.inverter, new.inverter, strict=False):
        if before.name == now.name and before.instance != now.instance:
            yield f"instance of {now.name}: the one in use stays"
