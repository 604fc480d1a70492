"""VMII with firmware 40.0x (Vevor and others), which counts codes as its menu does.

No document; the meaning of its codes is recorded (f0275 and following).
"""

from dataclasses import replace

from mppdbus.protocol.codes import CHARGER_PRIORITIES_MENU, Names
from mppdbus.protocol.dialect import RESERVED_BIT, Family
from mppdbus.protocol.dialects.pi30 import PI30
from mppdbus.protocol.dialects.pi30clone import CLONE_SETTERS
from mppdbus.protocol.evidence import Clue, Clues, Evidence
from mppdbus.protocol.replies import charge
from mppdbus.protocol.settings import setters

BATTERIES: Names = {0: "AGM", 1: "Flooded", 2: "User", 3: "LIA", 4: "Pylontech"}
OUTPUT_PRIORITIES: Names = {0: "Solar first", 1: "SBU"}


def _clues(seen: Evidence) -> Clues:
    firmware = seen.firmware or ""
    if firmware.startswith("00040."):
        yield Clue(0.9, f"firmware {firmware}: counts as its menu does")
    if seen.other(charge.ChargeStateVmii):
        yield Clue(0.9, "Q1 of 18 fields")


FAMILY = Family(
    replace(
        PI30,
        name="pi30vmii",
        title="VMII with firmware 40.0x (Vevor and others)",
        documents="",
        battery_types=BATTERIES,
        output_priorities=OUTPUT_PRIORITIES,
        charger_priorities=CHARGER_PRIORITIES_MENU,
        priorities_proven=False,
        pv_current_is_battery_side=False,
        status_b7=RESERVED_BIT,
    ),
    names={r"VMII-\d": 0.9},
    answers=(
        "QMN QSID QVFW2 QDI QMCHGCR QMUCHGCR QBEQI Q1 QOPM QBOOT QMD QBV QWS QBT QGR "
        "QFS"
    ),
    refuses="QGMN QT QET QEY QEM QED QLT QLY QLM QLD QPICF QPIHF",
    clues=_clues,
    setters=(
        *CLONE_SETTERS,
        setters.OUTPUT_SOURCE_PRIORITY.of(0, 1),
        setters.CHARGER_SOURCE_PRIORITY.of(0, 1, 2, 3),
        setters.Setter(
            "pv_use", setters.CODE, "PVENGUSE{value:02d}",
            setters.BEHAVIOUR, values=(0, 1),
        ),
    ),
)  # fmt: skip
