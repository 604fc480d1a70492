"""The dialects of PI30: what differs per family, one row each; data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mppdbus.protocol.dialects import codes as e
from mppdbus.protocol.dialects import warning_bits as w
from mppdbus.protocol.queries import QUERIES, Layout
from mppdbus.protocol.replies import status as m

Queries = dict[str, tuple[Layout, ...]]

SBU_VERSION = "sbu_priority_version_added"  # A, B, F, G
FEEDS_LOAD = "pv_or_ac_feeds_load"  # C, D, E
RESERVED_BIT = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family fills in PI30; numbers behind a query are words, from 1.

    `name` is what config.toml says; `title` is for people; `documents` are the letters
    of its papers, "" without. `queries` are the layouts: `QUERIES`, or that with rows
    of its own. Tables of codes (`enums`): `battery_types` QPIRI 13, `output_priorities`
    QPIRI 17, `charger_priorities` QPIRI 18, `machine_types` QPIRI 20, `output_modes`
    QPIRI 22. `warnings` (`warning_bits`) are the characters of QPIWS, `fault_codes`
    (`enums`) the number that some of them make.

    `priorities_proven` False: show the codes of the priorities, not their names.
    `pv_current_is_battery_side` tells where QPIGS 13 is measured: at the battery, or
    at the panels; None: no paper settles it, the power has to.
    `raw_temperature`: QPIGS 12 is a count of the A/D converter, and no temperature.
    `status_b7` and `status_b3` name these bits of QPIGS 17; None is reserved.
    `phases` is how many the output of one unit has.
    """

    name: str
    title: str
    documents: str
    queries: Queries
    battery_types: e.Names
    output_priorities: e.Names
    charger_priorities: e.Names
    output_modes: e.Names
    machine_types: e.Names
    warnings: w.WarningBits
    fault_codes: e.Names
    priorities_proven: bool = True
    pv_current_is_battery_side: bool | None = False
    raw_temperature: bool = False  # A/D counts of the NTC instead of degrees
    status_b7: str | None = SBU_VERSION
    status_b3: str | None = "battery_voltage_steady"
    phases: int = 1


_PI30 = Dialect(
    name="pi30",
    title="Axpert, first generation",
    documents="A B",
    queries=QUERIES,
    battery_types=e.BATTERIES,
    output_priorities=e.OUTPUT_PRIORITIES,
    charger_priorities=e.CHARGER_PRIORITIES,
    output_modes=e.OUTPUT_MODES,
    machine_types=e.MACHINE_TYPES,
    warnings=w.WARNINGS,
    fault_codes=e.FAULTS,
    pv_current_is_battery_side=None,  # both are on record
)
_VM3 = replace(
    _PI30,
    name="pi30vm3",
    title="Axpert VM II and VM III (GK)",
    documents="C D E",
    battery_types=e.BATTERIES_BMS,
    warnings=w.WARNINGS_VM3,
    fault_codes=e.FAULTS_KING,
    pv_current_is_battery_side=False,
    status_b7=FEEDS_LOAD,
    status_b3=RESERVED_BIT,
)
_MAX = replace(
    _PI30,
    name="pi30max",
    title="Axpert MAX and MAX II, 48 V",
    documents="F G",
    battery_types=e.BATTERIES_BMS,
    output_modes=e.OUTPUT_MODES_MAX,
    warnings=w.WARNINGS_MAX,
    fault_codes=e.FAULTS_MAX,
    pv_current_is_battery_side=False,
)

_ROWS = (
    _PI30,
    replace(
        _PI30,
        name="pi30ms",
        title="Axpert MS, MSX and MKS, 24 V",
        documents="A",
        raw_temperature=True,
    ),
    replace(
        _PI30,
        name="pi30duo",
        title="Axpert Plus Duo and Tri, 2 or 3 trackers",
        documents="B",
        machine_types=e.MACHINE_TYPES_DUO,
        warnings=w.WARNINGS_DUO,
    ),
    _VM3,
    replace(
        _VM3,
        name="pi30mks2",
        title="Axpert MKS II and MKS III",
        documents="D E",
        warnings=w.WARNINGS_MKS2,
    ),
    replace(
        _VM3,
        name="pi30king",
        title="Axpert King",
        documents="C D E",
        charger_priorities=e.CHARGER_PRIORITIES_KING,
        warnings=w.WARNINGS_KING,
        pv_current_is_battery_side=None,
    ),
    _MAX,
    replace(
        _MAX,
        name="pi30max24",
        title="Axpert MAX, 24 V",
        documents="F",
        warnings=w.WARNINGS_VM4,
    ),
    replace(
        _MAX,
        name="pi30lv",
        title="Axpert MAX LV, LV6548, EG4 6500EX",
        priorities_proven=False,
        charger_priorities=e.CHARGER_PRIORITIES_MENU,
    ),
    replace(
        _MAX,
        name="pi30vm4",
        title="Axpert VM IV",
        documents="G",
        warnings=w.WARNINGS_VM4,
    ),
    replace(
        _PI30,
        name="pi30clone",
        title="clone, VMII-NXPW (PowMr and others)",
        documents="",
        status_b7=RESERVED_BIT,
    ),
    replace(
        _PI30,
        name="pi30vmii",
        title="VMII with firmware 40.0x (Vevor and others)",
        documents="",
        battery_types=e.BATTERIES_VMII,
        output_priorities=e.OUTPUT_PRIORITIES_VMII,
        charger_priorities=e.CHARGER_PRIORITIES_MENU,
        priorities_proven=False,
        pv_current_is_battery_side=False,
        status_b7=RESERVED_BIT,
    ),
    replace(
        _PI30,
        name="pi41",
        title="LV5048, two phases",
        documents="H",
        queries=QUERIES
        | {"QPIGS": (Layout(m.GeneralStatusSplitPhase, frozenset((17, 21, 24, 25))),)},
        output_modes=e.OUTPUT_MODES_PI41,
        warnings=w.WARNINGS_PI41,
        phases=2,
    ),
    replace(
        _PI30,
        name="revo",
        title="REVO (SOROTEC)",
        documents="I",
        queries=QUERIES
        | {"QPIGS": (Layout(m.GeneralStatusRevo, frozenset((17, 21, 24, 25))),)},
    ),
)

DIALECTS: dict[str, Dialect] = {row.name: row for row in _ROWS}


@dataclass(frozen=True, slots=True)
class Model:
    """A row of the QGMN table: what a model number stands for."""

    name: str
    dialect: str
    voltage: int | None = None


MODEL_NUMBERS: Mapping[str, Model] = {
    "001": Model("VP-5000", "pi30"),
    "002": Model("VM-5000", "pi30"),
    "003": Model("VP-3000", "pi30"),
    "004": Model("VM-3000", "pi30"),
    "005": Model("MKS+ 2000-48 LV", "pi30", 48),
    "006": Model("MLV 3K-24", "pi30", 24),
    "007": Model("PLV 3K-24", "pi30", 24),
    "008": Model("MKS 3KP", "pi30"),
    "009": Model("KS 3KP", "pi30"),
    "010": Model("MKS 5KP", "pi30"),
    "011": Model("KS 5KP", "pi30"),
    "012": Model("MKS 4K/5K 64 V", "pi30"),
    "013": Model("KS 4K/5K 64 V", "pi30"),
    "014": Model("MKS 4K/5K", "pi30"),
    "015": Model("KS 4K/5K", "pi30"),
    "016": Model("ALFA M-5000", "pi30"),
    "017": Model("ALFA P-5000", "pi30"),
    "018": Model("Plus Duo or Tri 5K", "pi30duo"),
    "019": Model("EPS 5KW", "pi30"),
    "020": Model("EPS 5KW", "pi30"),
    "021": Model("EPS 5KW", "pi30"),
    "022": Model("MKS II 5K", "pi30mks2"),
    "023": Model("KING-5000", "pi30king", 48),
    "024": Model("KING-3000", "pi30king", 24),
    "025": Model("MKS II 5K with feed-in", "pi30mks2"),
    "026": Model("MLV 5K-48", "pi30", 48),
    "027": Model("VM III", "pi30vm3"),
    "028": Model("VM III 3.2K with feed-in", "pi30vm3"),
    "029": Model("VM II", "pi30vm3"),
    "030": Model("Fusion VM II", "pi30vm3"),
    "031": Model("Phocos MKS II 5K", "pi30max"),
    "032": Model("MKS Zero LV 0.7K", "pi30"),
    "033": Model("MKS Zero LV 1.4K", "pi30"),
    "034": Model("MKS Zero LV 2.6K", "pi30"),
    "035": Model("KING-5000 with energy counters", "pi30king", 48),
    "036": Model("KING-3000 with energy counters", "pi30king", 24),
    "037": Model("VM III with energy counters", "pi30vm3"),
    "038": Model("Phocos MKS II with energy counters", "pi30max"),
    "039": Model("Phocos MKS II LV", "pi30max"),
    "040": Model("SE 3.5K", "pi30"),
    "041": Model("SE 5.5K", "pi30"),
    "042": Model("MKS III 5K", "pi30mks2"),
    "043": Model("MAX 3.6K", "pi30max"),
    "044": Model("MAX 7.2K", "pi30max", 48),
    "045": Model("MAX 5K LV", "pi30lv"),
    "055": Model("VM III-4000 Twin", "pi30vm3"),
}
