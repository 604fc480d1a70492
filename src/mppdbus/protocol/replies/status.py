"""Replies with live values: QPIGS, QPIGS2, QMOD, QPIWS.

Field numbers are those of the documents A to I and of the recordings named `fNNNN`.
Every field may be None: not in this layout, or "-".
"""

from typing import Annotated, Any

from pydantic import Field

from mppdbus.protocol.modes import MODE_NAMES
from mppdbus.protocol.replies import fields as f
from mppdbus.protocol.replies.fields import Reading, TextReading

Bits8 = Annotated[str, Field(pattern=r"^[01]{8}$")] | None
Bits3 = Annotated[str, Field(pattern=r"^[01]{3}$")] | None
# b4b3 of a parallel status is one decimal digit padded to two (f0338: 11102010).
Status8 = Annotated[str, Field(pattern=r"^[0-2]{8}$")] | None


def _bit(bits: str | None, number: int) -> bool | None:
    """Return bit `number` of a string that is written from the highest bit down."""
    return None if bits is None else bits[len(bits) - 1 - number] == "1"


class GeneralStatus(Reading):
    """QPIGS: live values. 17 words (document A), 21, 24 or 25 (document G)."""

    grid_voltage: f.Volts = None
    grid_frequency: f.Hertz = None
    ac_output_voltage: f.Volts = None
    ac_output_frequency: f.Hertz = None
    ac_output_apparent_power: f.VoltAmps = None
    ac_output_active_power: f.Watts = None
    load_percent: f.Percent = None
    bus_voltage: f.Volts = None
    battery_voltage: f.Volts = None
    battery_charging_current: f.WholeAmps = None
    battery_capacity: f.Percent = None
    heatsink_temperature: f.Celsius = None
    pv_input_current: f.Amps = None
    pv_input_voltage: f.Volts = None
    scc_battery_voltage: f.Volts = None
    battery_discharge_current: f.WholeAmps = None
    device_status: Bits8 = None
    fan_on_voltage_offset: f.TenMillivolts = None
    eeprom_version: f.Code = None
    pv_charging_power: f.Watts = None
    device_status_2: Bits3 = None
    solar_feed_to_grid: f.Code = None
    country: f.Code = None
    solar_feed_to_grid_power: f.Watts = None
    grid_input_current: f.Amps = None

    def status_bit(self, number: int) -> bool | None:
        """Return a bit of `device_status`, b7 to b0; None if it is not there."""
        return _bit(self.device_status, number)

    @property
    def configuration_changed(self) -> bool | None:
        """b6: a setting changed since the last read."""
        return _bit(self.device_status, 6)

    @property
    def load_on(self) -> bool | None:
        """b4: the output feeds the load."""
        return _bit(self.device_status, 4)

    @property
    def charging(self) -> bool | None:
        """b2: the battery is being charged."""
        return _bit(self.device_status, 2)

    @property
    def scc_charging(self) -> bool | None:
        """b1: the solar charger charges."""
        return _bit(self.device_status, 1)

    @property
    def ac_charging(self) -> bool | None:
        """b0: the mains charger charges."""
        return _bit(self.device_status, 0)

    @property
    def charging_to_float(self) -> bool | None:
        """b10: charging in the float stage."""
        return _bit(self.device_status_2, 2)

    @property
    def switched_on(self) -> bool | None:
        """b9: the output is switched on."""
        return _bit(self.device_status_2, 1)


class GeneralStatusSplitPhase(GeneralStatus):
    """QPIGS of PI41 (document H): words 1 to 7 are L1, word 17 as in QPGS."""

    device_status: Status8 = None

    @property
    def load_on(self) -> bool | None:
        """b1 of a parallel status."""
        return _bit(self.device_status, 1)

    @property
    def scc_charging(self) -> bool | None:
        """b5 of a parallel status."""
        return _bit(self.device_status, 5)

    @property
    def ac_charging(self) -> bool | None:
        """b6 of a parallel status."""
        return _bit(self.device_status, 6)

    @property
    def charging(self) -> bool | None:
        """Either charger is at work."""
        if self.device_status is None:
            return None
        return bool(self.scc_charging or self.ac_charging)

    @property
    def configuration_changed(self) -> bool | None:
        """b0 of a parallel status."""
        return _bit(self.device_status, 0)


class GeneralStatusRevo(GeneralStatus):
    """QPIGS of the REVO (document I): PI30's places, some with other contents.

    5 and 12 are reserved, 13 is PV power as 20 is, 16 the PV energy of the day.
    """

    reserved_5: f.Code = None
    reserved_12: f.Code = None
    pv_power_13: f.Watts = None
    pv_energy_today: f.WattHours = None

    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        """Return the names of the words; four differ from the common QPIGS."""
        other = {
            "ac_output_apparent_power": "reserved_5",
            "heatsink_temperature": "reserved_12",
            "pv_input_current": "pv_power_13",
            "battery_discharge_current": "pv_energy_today",
        }
        return tuple(other.get(name, name) for name in GeneralStatus.wire_names())


class SecondTracker(Reading):
    """QPIGS2 of the MAX, MAX II and MKS II: 3 words and a blank (documents F, G)."""

    pv2_current: f.Amps = None
    pv2_voltage: f.Volts = None
    pv2_power: f.Watts = None


class SecondTrackerDuo(Reading):
    """QPIGS2 of Plus Duo and Tri: 12 words (document B)."""

    pv2_current: f.Amps = None
    pv2_voltage: f.Volts = None
    scc2_battery_voltage: f.Volts = None
    pv2_power: f.Watts = None
    device_status: Bits8 = None
    ac_charging_current: f.Amps = None
    ac_charging_power: f.Watts = None
    pv3_current: f.Amps = None
    pv3_voltage: f.Volts = None
    scc3_battery_voltage: f.Volts = None
    pv3_power: f.Watts = None
    pv_total_power: f.Watts = None


class SecondPhase(Reading):
    """QPIGS2 of PI41, the split-phase LV5048: 11 words (document H)."""

    grid_voltage: f.Volts = None
    grid_frequency: f.Hertz = None
    ac_output_voltage: f.Volts = None
    ac_output_frequency: f.Hertz = None
    ac_output_apparent_power: f.VoltAmps = None
    ac_output_active_power: f.Watts = None
    load_percent: f.Percent = None
    pv2_current: f.Amps = None
    pv2_voltage: f.Volts = None
    battery_voltage: f.Volts = None
    device_status: Bits8 = None


class DeviceMode(TextReading):
    """QMOD: one letter; a letter that no document has is kept as it is."""

    mode: Annotated[str, Field(pattern=r"^[A-Z]$")]

    @property
    def known(self) -> bool:
        """True when a document says what the letter means."""
        return self.mode in MODE_NAMES


class Warnings(TextReading):
    """QPIWS: 31 to 40 characters, a0 first; some of a31 to a33 are digits of a code."""

    bits: Annotated[str, Field(pattern=r"^[01]{31}([0-9]{0,3}[01]{0,6})$")]

    def is_set(self, position: int) -> bool:
        """Tell whether bit a`position` is there and set."""
        return self.bits[position : position + 1] == "1"

    @property
    def set_bits(self) -> tuple[int, ...]:
        """The positions that are set, a0 = 0."""
        return tuple(i for i, bit in enumerate(self.bits) if bit != "0")

    def derived(self) -> dict[str, Any]:
        """Return the positions that are set."""
        return {"set_bits": list(self.set_bits)}
