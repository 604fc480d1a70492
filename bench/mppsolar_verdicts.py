"""Which words of mpp-solar's mean what ours do, and who is right where they do not.

The letters are those of the documents, see docs/inverters.md. A disagreement without a
row here makes the comparison fail: look it up and add one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

# Dialect → the protocols of mpp-solar that its users would take; else PI30.
PROTOCOLS = {
    "pi30max": ("PI30MAX", "PI30M044"),
    "pi30max24": ("PI30MAX",),
    "pi30vm4": ("PI30MAX",),
    "pi30lv": ("PI30M045",),
    "pi41": ("PI41",),
    "revo": ("PI30REVO",),
}


def protocols_for(dialect: str) -> tuple[str, ...]:
    """Return the protocols of mpp-solar for a dialect of ours."""
    return PROTOCOLS.get(dialect, ("PI30",))


# Their words in small letters → ours, where both say the same.
SAME: Mapping[str, str] = {
    "sbu first": "SBU",
    "solar battery utility": "SBU",
    "utility solar battery": "Utility first",
    "solar + utility": "Solar and utility",
    "only solar charging permitted": "Only solar",
    "solar only": "Only solar",
    "invalid option: 4": "unknown",
    "unknown output": "unknown",
    "unknown output phase": "unknown",
    "automatic mode": "automatic",
    "single machine": "single",
    "single machine output": "single",
    "parallel output 180 degrees": "parallel, 180°",
    "phase 1 of 2 phase output": "phase 1 of 2",
    "battery mode": "battery",
    "line mode": "line",
    "lib-protocol compatible": "Lib",
    "nocharging": "idle",
    "bulk stage": "bulk",
    # bits and flags
    "not decoded": "reserved",
    "pv loss warning": "pv_loss",
    "line fail warning": "line_fail",
    "battery open fault": "battery_open",
    "battery weak": "battery_weak",
    "buzzer": "buzzer",
    "overload bypass": "overload_bypass",
    "solar feed to grid": "solar_feed_to_grid",
    "power saving": "power_saving",
    "lcd reset to default": "lcd_return_to_default_page",
    "overload restart": "overload_restart",
    "over temperature restart": "over_temperature_restart",
    "lcd backlight": "lcd_backlight",
    "primary source interrupt alarm": "alarm_on_source_loss",
    "record fault code": "fault_code_record",
    "unknown_g": "flag_g",
    "is ac charging on": "ac_charging",
    "is scc charging on": "scc_charging",
    "is charging on": "charging",
    "is load on": "load_on",
    "is battery voltage to steady while charging": "battery_voltage_steady",
    "is scc firmware updated": "scc_firmware_updated",
    "is configuration changed": "configuration_changed",
    "is sbu priority version added": "sbu_priority_version_added",
    "is charging to float": "charging_to_float",
    "is switched on": "switched_on",
}

_OFF_ON: Mapping[Any, str] = {0: "disabled", 1: "enabled"}
_PV_OK: Mapping[Any, str] = {
    0: "As long as one unit of inverters has connect PV, parallel system will "
    "consider PV OK",
    1: "Only All of inverters have connect PV, parallel system will consider PV OK",
}
_PV_BALANCE: Mapping[Any, str] = {
    0: "PV input max current will be the max charged current",
    1: "PV input max power will be the sum of the max charged power and loads power",
}
# Fields that we give as they come → what mpp-solar calls each value, rightly.
CODES: Mapping[str, Mapping[Any, str]] = {
    "buzzer": {0: "enabled", 1: "disabled"},  # the wrong way round in QDI alone
    **dict.fromkeys(
        ("power_saving", "overload_restart", "over_temperature_restart",
         "lcd_backlight", "alarm_on_source_loss", "fault_code_record",
         "overload_bypass", "lcd_return_to_default_page"),
        _OFF_ON,
    ),
    "pv_ok_condition": _PV_OK,
    "pv_power_balance": _PV_BALANCE,
    "scc_ok": {0: "SCC not communicating?", 1: "SCC is powered and communicating"},
    "fan_lock": {0: "Not locked", 1: "Locked"},
    "enabled": {0: "Disabled", 1: "Enabled"},
    "active": {0: "Inactive", 1: "Active"},
    "not_connected": {0: "Connected", 1: "Disconnected"},
    "force_ac_charge": {False: "No", True: "Yes"},
    "stop_discharge": {False: "Enable discharge", True: "Disable discharge"},
    "stop_charge": {False: "Enable charge", True: "Disable charge"},
    "present": {False: "No", True: "Yes"},
    "exists": {False: "Not valid", True: "valid"},
    "fault_code": {0: "No fault"},
    "solar_feed_to_grid": {0: "Disabled", 1: "Enabled"},
}  # fmt: skip


class Right(StrEnum):
    """Who is right."""

    OURS = "mppdbus"
    THEIRS = "mpp-solar"
    NOBODY = "nobody knows"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Patterns of a point, and what is to be said of it; the first that fits counts."""

    query: str
    place: str
    theirs: str
    ours: str
    right: Right
    why: str

    def fits(self, query: str, place: str, theirs: str, ours: str) -> bool:
        """Tell whether this is about a point."""
        mine = (self.query, self.place, self.theirs, self.ours)
        given = (query, place, theirs, ours)
        return all(fnmatchcase(g, m) for g, m in zip(given, mine, strict=True))


def _ours(query: str, place: str, theirs: str, ours: str, why: str) -> Verdict:
    return Verdict(query, place, theirs, ours, Right.OURS, why)


def _nobody(query: str, place: str, theirs: str, ours: str, why: str) -> Verdict:
    return Verdict(query, place, theirs, ours, Right.NOBODY, why)


KING = "D and E: the King has a list of its own"
VMII = "this firmware counts as its menu does; its owner compared with the display"
Q1_18 = (
    "no document has Q1; here the stage (10 to 13) is last, temperatures are 9 to 12"
)
Q1_13 = "no document has Q1; here the counters in front are missing, the stage is last"
Q1_27 = "the 17 words, then the ten of QBEQI"
BLANKS = "the first word is padded with blanks; each of them is taken for a word"
TAIL = "clones end in voltage, number, voltage: a 23.5 cannot be minutes"

VERDICTS = (
    _ours("damaged", "reply", "takes it*", "refuses: echo",
          "a reply begins with (; this is the request, which came back"),
    _ours("QPIRI", "reply", "refuses*", "RatingsClone",
          "the documents' CRC code escapes 28, 0D and 0A only; a 00 stays"),
    _ours("QBEQI", "reply", "does not know*", "*", "C to H"),
    _ours("QVFW3", "reply", "does not know*", "*", "B to G"),
    _ours("QMD", "reply", "does not know*", "*", "a command of UPS; VMII answers it"),
    _ours("QBV", "reply", "does not know*", "*", "a command of UPS; VMII answers it"),
    _nobody("*", "reply", "does not know*", "Words", "we keep the words as they are"),
    _ours("Q1", "*", "*", "unknown_*", Q1_18),
    _ours("Q1", "18", "not decoded", "charge_state", Q1_18),
    _ours("Q1", "11", "*", "transformer_temperature*", Q1_18),
    _ours("Q1", "11", "*", "fan_speed*", Q1_13),
    _ours("Q1", "3", "*", "scc_average_current*", Q1_13),
    _ours("Q1", "*", "not decoded", "*", Q1_27),
    _ours("Q1", "*", "*", "*", BLANKS),
    _ours("QDI", "10", "*", "output_source_priority: 0", VMII),
    _ours("QDI", "11", "*", "charger_source_priority: 2", VMII),
    _ours("QDI", "11", "*", "*SLB*", KING),
    _ours("QDI", "26", "not decoded", "max_constant*", "C to G, and H"),
    _ours("QDI", "27", "not decoded", "operation*",
          "C: operation logic; E and F: discharge limit"),
    _ours("QDI", "*", "not decoded", "*", "B"),
    _ours("QFLAG", "c", "*", "*", "D and E, King"),
    _ours("QFLAG", "m", "*", "*", "D and E, King"),
    _ours("QFLAG", "d", "*", "*", "D, F and G"),
    _ours("QFLAG", "j", "*", "*", "A, B and H; a MAX sends it, too"),
    _ours("QFLAG", "l", "*", "*", "B; clones send it, too"),
    _ours("QM*CHGCR", "2 and on", "*", "*", "all: a list of legal values"),
    _ours("QMOD", "1", "*Invalid key: C", "*", "C to G: charging, output off"),
    _ours("QPGS", "22", "*Invalid option: 3", "*",
          "a code that their table lacks; unproven on this family, so we say the code"),
    Verdict("QP*GS", "*", "bits by name", "*", Right.THEIRS,
            "A, B and H name the bits; we pass the characters on"),
    _ours("QPIGS", "17, b7", "*SBU*", "pv_or_ac*", "C, D and E; theirs is A, B, F, G"),
    _ours("QPIGS", "23", "*Invalid key*", "*",
          "D, F and G: a number, 00 India, 01 Germany, 02 South America"),
    _nobody("QPIRI", "13", "*Pylontech", "*unknown*",
            "D to G have 3 so, but no document is about clones"),
    _ours("QPIRI", "18", "*", "*SBL*", KING),
    _ours("QPIRI", "19", "*0", "*unknown", "the word is -: not available, and no zero"),
    _ours("QPIRI", "26", "*", "unknown_voltage_1", TAIL),
    _ours("QPIRI", "27", "*Invalid option*", "unknown_count*", TAIL),
    _ours("QPIRI", "28", "not decoded", "unknown_voltage_2", TAIL),
    _nobody("QPIRI", "29", "not decoded", "unknown_voltage",
            "no document has a word 29; only the Phocos sends it"),
    _ours("QPIWS", "a0", "not decoded", "pv_loss", "C and D"),
)  # fmt: skip
