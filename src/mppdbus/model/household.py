"""What the Victron side wants to know of an installation; `site.Site` is one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from mppdbus.model.views import SystemView, Unit, UnitView

Key = Hashable


class Household(Protocol):
    """Where the views come from."""

    @property
    def several(self) -> bool:
        """Whether there are several units, which share the battery."""

    @property
    def battery_needed(self) -> bool:
        """Whether the battery must have a service of its own."""

    def view(self, key: Key, /) -> UnitView:
        """Return the last view of a unit."""

    def change(self, key: Key, unit: Unit, /) -> None:
        """Give a unit another name, instance, phase or input."""

    def system(self, profile: str | None = None, /) -> SystemView:
        """Return all units, or those of one profile, as one system."""

    def correct_charge(self, percent: float, /) -> bool:
        """Take what the user says of the state of charge; false if that cannot be."""
