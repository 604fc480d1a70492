"""What mpp-solar calls the fields of PI30, and what they are called here. Tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.replies.settings import FLAGS, Flags
from mppdbus.protocol.replies.status import DeviceMode, GeneralStatus, Warnings

QUERIES = ("QPI", "QID", "QMOD", "QPIGS", "QPIRI", "QPIWS", "QFLAG")
Value = str | float | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of ours under their name; `words` are their words for its codes."""

    name: str
    words: Mapping[str, int] | None = None


def _codes(*words: str) -> dict[str, int]:
    return {word: code for code, word in enumerate(words)}


FIELDS: dict[str, dict[str, Field]] = {
    "QPI": {"protocol_id": Field("protocol")},
    "QID": {"serial_number": Field("serial")},
    "QPIGS": {
        "ac_input_voltage": Field("grid_voltage"),
        "ac_input_frequency": Field("grid_frequency"),
        "ac_output_voltage": Field("ac_output_voltage"),
        "ac_output_frequency": Field("ac_output_frequency"),
        "ac_output_apparent_power": Field("ac_output_apparent_power"),
        "ac_output_active_power": Field("ac_output_active_power"),
        "ac_output_load": Field("load_percent"),
        "bus_voltage": Field("bus_voltage"),
        "battery_voltage": Field("battery_voltage"),
        "battery_charging_current": Field("battery_charging_current"),
        "battery_capacity": Field("battery_capacity"),
        "inverter_heat_sink_temperature": Field("heatsink_temperature"),
        "pv_input_current_for_battery": Field("pv_input_current"),
        "pv_input_voltage": Field("pv_input_voltage"),
        "battery_voltage_from_scc": Field("scc_battery_voltage"),
        "battery_discharge_current": Field("battery_discharge_current"),
        "rsv1": Field("fan_on_voltage_offset"),
        "rsv2": Field("eeprom_version"),
        "pv_input_power": Field("pv_charging_power"),
    },
    "QPIRI": {
        "ac_input_voltage": Field("grid_rating_voltage"),
        "ac_input_current": Field("grid_rating_current"),
        "ac_output_voltage": Field("ac_output_rating_voltage"),
        "ac_output_frequency": Field("ac_output_rating_frequency"),
        "ac_output_current": Field("ac_output_rating_current"),
        "ac_output_apparent_power": Field("ac_output_rating_apparent_power"),
        "ac_output_active_power": Field("ac_output_rating_active_power"),
        "battery_voltage": Field("battery_rating_voltage"),
        "battery_recharge_voltage": Field("battery_recharge_voltage"),
        "battery_under_voltage": Field("battery_under_voltage"),
        "battery_bulk_charge_voltage": Field("battery_bulk_voltage"),
        "battery_float_charge_voltage": Field("battery_float_voltage"),
        "battery_type": Field(
            "battery_type",
            _codes(
                *("AGM", "Flooded", "User", "Pylontech", "Shinheung", "WECO"),
                *("Soltaro", "TBD", "LIb-protocol compatible", "3rd party Lithium"),
            ),
        ),
        "max_ac_charging_current": Field("max_ac_charging_current"),
        "max_charging_current": Field("max_charging_current"),
        "input_voltage_range": Field("input_voltage_range", _codes("Appliance", "UPS")),
        "output_source_priority": Field(
            "output_source_priority",
            _codes("Utility first", "Solar first", "SBU first"),
        ),
        "charger_source_priority": Field(
            "charger_source_priority",
            _codes(
                *("Utility first", "Solar first", "Solar + Utility"),
                "Only solar charging permitted",
            ),
        ),
        "max_parallel_units": Field("max_parallel_units"),
        "machine_type": Field(
            "machine_type", {"Grid tie": 0, "Off Grid": 1, "Hybrid": 10}
        ),
        "topology": Field("topology", _codes("transformerless", "transformer")),
        "output_mode": Field(
            "output_mode",
            _codes(
                *("single machine output", "parallel output"),
                *(f"Phase {n} of 3 Phase output" for n in (1, 2, 3)),
                *("Phase 1 of 2 phase output", "Phase 2 of 2 phase output"),
                "unknown output",
            ),
        ),
        "battery_redischarge_voltage": Field("battery_redischarge_voltage"),
        "pv_ok_condition": Field(
            "pv_ok_condition",
            _codes(
                "As long as one unit of inverters has connect PV, parallel system "
                "will consider PV OK",
                "Only All of inverters have connect PV, parallel system will "
                "consider PV OK",
            ),
        ),
        "pv_power_balance": Field(
            "pv_power_balance",
            _codes(
                "PV input max current will be the max charged current",
                "PV input max power will be the sum of the max charged power and "
                "loads power",
            ),
        ),
        "max_charging_time_for_cv_stage": Field("max_constant_voltage_time"),
        "operation_logic": Field(
            "operation_logic", _codes("Automatic mode", "On-line mode", "ECO mode")
        ),
    },
}

MODE_WORDS = {
    "Power on": "P",
    "Standby": "S",
    "Line": "L",
    "Battery": "B",
    "Fault": "F",
    "Power saving": "H",
    "Bypass": "Y",
}
# QPIGS 17 and 21: their name → bit, b7 to b0 and b10 to b8.
STATUS_BITS = {
    "is_sbu_priority_version_added": 7,
    "is_configuration_changed": 6,
    "is_scc_firmware_updated": 5,
    "is_load_on": 4,
    "is_battery_voltage_to_steady_while_charging": 3,
    "is_charging_on": 2,
    "is_scc_charging_on": 1,
    "is_ac_charging_on": 0,
}
STATUS_2_BITS = {"is_charging_to_float": 0, "is_switched_on": 1, "is_reserved": 2}
# QPIWS: their name → position.
WARNING_BITS = {
    "inverter_fault": 1,
    "bus_over_fault": 2,
    "bus_under_fault": 3,
    "bus_soft_fail_fault": 4,
    "line_fail_warning": 5,
    "opv_short_warning": 6,
    "inverter_voltage_too_low_fault": 7,
    "inverter_voltage_too_high_fault": 8,
    "over_temperature_fault": 9,
    "fan_locked_fault": 10,
    "battery_voltage_too_high_fault": 11,
    "battery_low_alarm_warning": 12,
    "reserved": 15,  # a13 has the same name, and the later one wins
    "battery_under_shutdown_warning": 14,
    "overload_fault": 16,
    "eeprom_fault": 17,
    "inverter_over_current_fault": 18,
    "inverter_soft_fail_fault": 19,
    "self_test_fail_fault": 20,
    "op_dc_voltage_over_fault": 21,
    "battery_open_fault": 22,
    "current_sensor_fail_fault": 23,
    "battery_short_fault": 24,
    "power_limit_warning": 25,
    "pv_voltage_high_warning": 26,
    "mppt_overload_fault": 27,
    "mppt_overload_warning": 28,
    "battery_too_low_to_charge_warning": 29,
}
FLAG_LETTERS = {
    "buzzer": "a",
    "overload_bypass": "b",
    "power_saving": "j",
    "lcd_reset_to_default": "k",
    "overload_restart": "u",
    "over_temperature_restart": "v",
    "lcd_backlight": "x",
    "primary_source_interrupt_alarm": "y",
    "record_fault_code": "z",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """What the two read differently; `pattern` fits "QUERY key" of either side.

    A key of ours that mpp-solar has no name for begins with "+".
    """

    title: str
    pattern: str
    right: str
    why: str

    def covers(self, query: str, key: str) -> bool:
        """Tell whether this is the difference about a key."""
        return re.fullmatch(self.pattern, f"{query} {key}") is not None


US, BOTH = "mppdbus", "both"
DIFFERENCES = (
    Difference(
        "a checksum byte 00 in a reply",
        r"\w+ validity_check",
        US,
        "mpp-solar wants 01 there and drops the reply, about one in 128; units send 00 "
        "as it is, as the code in the documents' appendix does",
    ),
    Difference(
        "QMOD C, D, E",
        r"QMOD (device_mode|error)",
        US,
        "documents C to G have charging, shutdown and ECO; mpp-solar fails",
    ),
    Difference(
        "QPIGS words 22 to 25",
        r"QPIGS (unknown_value_in_response_2\d|\+country|\+solar_feed_to_grid.*"
        r"|\+grid_input_current)",
        US,
        "feed-in and country are in D, F and G, the grid current is in G; mpp-solar "
        "prints the bytes",
    ),
    Difference(
        "QPIRI max parallel units -",
        r"QPIRI max_parallel_units",
        US,
        "units that cannot be paralleled print -, which is not 0",
    ),
    Difference(
        "QPIRI charger priority 4",
        r"QPIRI charger_source_priority",
        BOTH,
        "no document has it: mpp-solar says invalid, mppdbus shows the code",
    ),
    Difference(
        "QPIRI machine type 11 and 20",
        r"QPIRI machine_type",
        US,
        "B has them for units with 2 and 3 trackers; mpp-solar calls them invalid",
    ),
    Difference(
        "QPIRI words 28 and 29",
        r"QPIRI (unknown_value_in_response_2[78]|\+max_discharge_current"
        r"|\+unknown_voltage)",
        US,
        "word 28 is the discharge limit (F, G), on clones a voltage; mpp-solar prints "
        "the bytes",
    ),
    Difference(
        "QPIRI tail of clones",
        r"QPIRI (max_charging_time_for_cv_stage|operation_logic"
        r"|\+unknown_(count|voltage_[12]))",
        US,
        "28 words with a dot in word 26 end in V, n, V, which no document explains; "
        "mpp-solar reads a time and an operation logic from them",
    ),
    Difference(
        "QPIWS a0, a13, a30 and up",
        r"QPIWS \+a(0|13|3\d)",
        US,
        "mpp-solar shows 32 bits of A, without a0 (no PV: C, D, F, G), a13 (it has the "
        "name of a15) and the codes and warnings of a30 to a37 (B to G)",
    ),
    Difference(
        "QFLAG letters",
        r"QFLAG (unknown_\w|\+\w+)",
        US,
        "c and m are in C to E, d is in D to G, l in B; mpp-solar calls them unknown",
    ),
)

# The same word of the same reply under a name that only some documents give it.
NAMED_OTHERWISE = {
    "is_sbu_priority_version_added": "b7 of A, B, F, G; in C to E: PV or AC feeds load",
    "is_battery_voltage_to_steady_while_charging": "b3 of A, B, F, G; else reserved",
    "rsv1": "reserved in A; since B the offset of the fan-on voltage, in 10 mV, not A",
    "rsv2": "reserved in A; since B the EEPROM version, not A",
    "pv_input_current_for_battery": "the PV side's current since C",
    "opv_short_warning": "a6 is a warning in A, B, H, a fault in C to G",
    "battery_open_fault": "a22 is blank in D, F and G",
    "battery_short_fault": "a24 to a29 are of A, B, H and the King; else reserved",
    "TBD": "battery type 7: BAK in D to G",
    "LIb-protocol compatible": "battery type 8: Lib in D to G",
    "3rd party Lithium": "battery type 9: Lic in D to G",
}


def ours(reading: Reading) -> dict[str, Value]:
    """Return a reading under mpp-solar's names; ours alone keep their own, with `+`."""
    match reading:
        case DeviceMode():
            return {"device_mode": reading.mode}
        case Warnings():
            bits = {name: reading.is_set(n) for name, n in WARNING_BITS.items()}
            known = {*WARNING_BITS.values()}
            rest = [n for n in range(len(reading.bits)) if n not in known]
            return bits | {f"+a{n}": reading.bits[n] for n in rest}
        case Flags():
            names = {letter: name for name, letter in FLAG_LETTERS.items()}
            letters = (*reading.enabled, *reading.disabled)
            return {
                names.get(x, f"+{FLAGS.get(x, x)}"): reading.state(x) for x in letters
            }
    return _fields(reading)


def _fields(reading: Reading) -> dict[str, Value]:
    result: dict[str, Value] = {}
    names = {
        field.name: theirs
        for query in _OF.get(type(reading).__name__, ())
        for theirs, field in FIELDS[query].items()
    }
    for name, value in reading:
        if value is not None and name not in ("device_status", "device_status_2"):
            result[names.get(name, f"+{name}")] = value
    if isinstance(reading, GeneralStatus):
        for key, bit in STATUS_BITS.items():
            result[key] = reading.status_bit(bit)
        if reading.device_status_2 is not None:
            for key, place in STATUS_2_BITS.items():
                result[key] = reading.device_status_2[place] == "1"
    return result


_OF = {
    "GeneralStatus": ("QPIGS",),
    "Ratings": ("QPIRI",),
    "RatingsClone": ("QPIRI",),
    "ProtocolId": ("QPI",),
    "SerialNumber": ("QID",),
}


def theirs(query: str, printed: Mapping[str, object]) -> dict[str, Value]:
    """Return what mpp-solar printed, its words as codes; a word that has none stays."""
    result: dict[str, Value] = {}
    for key, value in printed.items():
        if not key.startswith("_"):
            result[key] = _code(query, key, value)
    return result


def _code(query: str, key: str, value: object) -> Value:
    assert value is None or isinstance(value, str | int | float)
    field = FIELDS.get(query, {}).get(key)
    if field is not None and field.words is not None:
        return field.words.get(str(value), value)
    if key == "device_mode":
        return MODE_WORDS.get(str(value), value)
    if key in FLAG_LETTERS:
        return {"enabled": True, "disabled": False}.get(str(value), value)
    if key in WARNING_BITS:
        return {"0": False, "1": True}.get(str(value), value)
    return value
