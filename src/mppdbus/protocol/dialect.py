"""The description of a family of inverters: its row, its clues, its setters."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mppdbus.protocol.codes import Names
from mppdbus.protocol.evidence import Clue, Evidence
from mppdbus.protocol.queries import Queries
from mppdbus.protocol.settings.setters import Setter
from mppdbus.protocol.settings.voltage_ranges import Ranges
from mppdbus.protocol.warning_bits import WarningBits

SBU_VERSION = "sbu_priority_version_added"  # A, B, F, G
FEEDS_LOAD = "pv_or_ac_feeds_load"  # C, D, E
RESERVED_BIT = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family uses PI30. Numbers after a query are words of its reply, from 1.

    `name` is what config.toml says; `title` is for people; `documents` are the letters
    of its papers, "" without. `queries` are the layouts: `QUERIES`, or that with
    layouts of its own. Tables of codes: `battery_types` QPIRI 13, `output_priorities`
    QPIRI 17, `charger_priorities` QPIRI 18, `machine_types` QPIRI 20, `output_modes`
    QPIRI 22. `warnings` are the characters of QPIWS, `fault_codes` the number that some
    of them make.

    `priorities_proven` False: show the codes of the priorities, not their names.
    `pv_current_is_battery_side` tells where QPIGS 13 is measured: at the battery, or
    at the panels; None: the documents do not say, so PV power must show it.
    `raw_temperature`: QPIGS 12 is a count of the A/D converter, and no temperature.
    `status_b7` and `status_b3` name these bits of QPIGS 17; None is reserved.
    `phases` is how many the output of one unit has.
    """

    name: str
    title: str
    documents: str
    queries: Queries
    battery_types: Names
    output_priorities: Names
    charger_priorities: Names
    output_modes: Names
    machine_types: Names
    warnings: WarningBits
    fault_codes: Names
    priorities_proven: bool = True
    pv_current_is_battery_side: bool | None = False
    raw_temperature: bool = False
    status_b7: str | None = SBU_VERSION
    status_b3: str | None = "battery_voltage_steady"
    phases: int = 1


@dataclass(frozen=True, slots=True)
class Model:
    """The model of a QGMN number; `voltage` is that of the battery in V."""

    name: str
    voltage: int | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """The description of one family, independent of all others.

    `names` are patterns that QMN begins with, each with its weight (0 to 1): from
    `DECISIVE` on, no other family uses the name. `numbers` are those of QGMN.
    `answers` and `refuses` are optional queries: units were seen to answer them, or
    to refuse them by NAK or silence. `clues` yields other hints at the family.
    `variant` returns the name of a similar family with the same layouts, and a reason.
    Without `setters` none is offered; `voltage_ranges` are those of the documents, by
    setter.
    """

    dialect: Dialect
    names: Mapping[str, float] = field(default_factory=dict)
    numbers: Mapping[str, Model] = field(default_factory=dict)
    answers: str = ""
    refuses: str = ""
    clues: Callable[[Evidence], Iterable[Clue]] = lambda _: ()
    variant: Callable[[Evidence], tuple[str, str] | None] = lambda _: None
    setters: tuple[Setter, ...] = ()
    voltage_ranges: Mapping[str, Ranges] = field(default_factory=dict)
