"""The Victron side as tables: which rows make up which service.

A new path is a row in one of the `*_rows.py`. A publisher makes the items of all rows,
evaluates all of them once, and after every poll `live(rows)` alone. The history is
apart, see `energy_rows`.
"""

from __future__ import annotations

from mppdbus.model.phase_views import by_phase, on_legs
from mppdbus.model.views import SystemView, UnitView
from mppdbus.venus.tables.cards import EXTRAS
from mppdbus.venus.tables.diagnostics import OWN, SYSTEM_OWN
from mppdbus.venus.tables.energy import (
    ENERGY,
    ENERGY_INVERTER,
    HISTORY,
    history_items,
    history_values,
)
from mppdbus.venus.tables.row import (
    STATE_NAMES,
    ChangedRows,
    Row,
    V,
    hexadecimal,
    live,
    phased,
    values_of,
)
from mppdbus.venus.tables.system import SYSTEM as SYSTEM_VICTRON
from mppdbus.venus.tables.system import SYSTEM_PHASE, system_name
from mppdbus.venus.tables.unit import AC_INPUT, PRODUCT_ID, STATUS, UNIT, product_name

__all__ = [
    "HISTORY",
    "INVERTER",
    "MULTI",
    "PRODUCT_ID",
    "STATE_NAMES",
    "SYSTEM",
    "SYSTEM_PHASE",
    "ChangedRows",
    "Row",
    "V",
    "by_phase",
    "hexadecimal",
    "history_items",
    "history_values",
    "live",
    "on_legs",
    "phased",
    "product_name",
    "system_name",
    "values_of",
]

MULTI: tuple[Row[UnitView], ...] = (*UNIT, *AC_INPUT, *ENERGY, *EXTRAS, *OWN)
INVERTER: tuple[Row[UnitView], ...] = (*UNIT, *STATUS, *ENERGY_INVERTER, *EXTRAS, *OWN)
SYSTEM: tuple[Row[SystemView], ...] = (*SYSTEM_VICTRON, *SYSTEM_OWN)
