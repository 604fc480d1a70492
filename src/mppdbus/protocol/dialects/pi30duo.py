"""Axpert Plus Duo and Tri, with two or three trackers: document B."""

from dataclasses import replace

from mppdbus.protocol import warning_bits as w
from mppdbus.protocol.codes import MACHINE_TYPES
from mppdbus.protocol.dialect import Family, Model
from mppdbus.protocol.dialects.pi30 import FIRST_SETTERS, PI30, VOLTAGE_RANGES
from mppdbus.protocol.evidence import Clue, Clues, Evidence
from mppdbus.protocol.replies import parallel, settings, status
from mppdbus.protocol.settings import setters

WARNINGS = w.table(
    w.FIRST_GENERATION, w.tracker(30, 2, "_2"), w.tracker(34, 3, "_3")
)  # 38


def _clues(seen: Evidence) -> Clues:
    if seen.warning_count == 38:
        yield Clue(0.6, "QPIWS of 38 characters")
    if isinstance(seen.second_tracker, status.SecondTrackerDuo):
        yield Clue(0.9, "QPIGS2 of 12 fields")
    if seen.other(parallel.SecondTrackersParallel):
        yield Clue(0.9, "QP2GS shows trackers 2 and 3")
    if seen.other(settings.FactoryDefaultsDuo):
        yield Clue(0.4, "QDI of 29 fields")


FAMILY = Family(
    replace(
        PI30,
        name="pi30duo",
        title="Axpert Plus Duo and Tri, 2 or 3 trackers",
        documents="B",
        machine_types={
            **MACHINE_TYPES,
            11: "off grid, 2 trackers",
            20: "off grid, 3 trackers",
        },
        warnings=WARNINGS,
    ),
    numbers={"018": Model("Plus Duo or Tri 5K")},
    answers="QDI QPIGS2 QP2GS0",
    clues=_clues,
    setters=(
        *FIRST_SETTERS,
        setters.OUTPUT_MODE,
        setters.MAX_CHARGING_CURRENT.spelled(
            "MNCHGC{unit}{value:03d}", 999, older="MCHGC{value:03d}"
        ),
        setters.MAX_AC_CHARGING_CURRENT.spelled("MUCHGC{value:03d}", 999),
        setters.Setter(
            "max_solar_charging_current", setters.CURRENT,
            "MSCHGC{value:03d}", setters.BEHAVIOUR, largest=999,
            choices="QMSCHGCR",
        ),
        setters.Setter(
            "charging_stage", setters.CODE, "PCST{value:02d}",
            setters.BEHAVIOUR, setters.ReadBack("QCST", "words"), values=(0, 1, 2),
        ),
        setters.MAX_CONSTANT_VOLTAGE_TIME.of(
            0, 10, 20, 40, 60, 90, 120, 150, 180, 210, 240, 255
        ),
    ),
    voltage_ranges=VOLTAGE_RANGES,
)  # fmt: skip
