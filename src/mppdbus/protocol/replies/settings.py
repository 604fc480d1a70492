"""Replies about ratings, settings and identity: QPIRI, QFLAG, QDI, lists, QID.

Codes stay numbers here: what a code means depends on the family, see `dialects`.
"""

import re
from typing import Annotated, Any, Self

from pydantic import Field

from mppdbus.protocol.replies import fields as f
from mppdbus.protocol.replies.fields import Reading, TextReading, one_word


class _FirstRatings(Reading):
    """The first words of every QPIRI."""

    grid_rating_voltage: f.Volts = None
    grid_rating_current: f.Amps = None
    ac_output_rating_voltage: f.Volts = None
    ac_output_rating_frequency: f.Hertz = None
    ac_output_rating_current: f.Amps = None
    ac_output_rating_apparent_power: f.VoltAmps = None
    ac_output_rating_active_power: f.Watts = None
    battery_rating_voltage: f.Volts = None
    battery_recharge_voltage: f.Volts = None
    battery_under_voltage: f.Volts = None
    battery_bulk_voltage: f.Volts = None
    battery_float_voltage: f.Volts = None
    battery_type: f.Code = None
    max_ac_charging_current: f.WholeAmps = None
    max_charging_current: f.WholeAmps = None
    input_voltage_range: f.Code = None
    output_source_priority: f.Code = None
    charger_source_priority: f.Code = None
    max_parallel_units: f.Code = None
    machine_type: f.Code = None
    topology: f.Code = None


class Ratings(_FirstRatings):
    """QPIRI: ratings and settings, 25 to 29 words.

    26 adds the time at constant voltage (MKS fw 72 and up), 27 the operation logic
    (King), 28 the discharge limit (MAX), 29 a voltage that only the Phocos prints.
    """

    output_mode: f.Code = None
    battery_redischarge_voltage: f.Volts = None
    pv_ok_condition: f.Code = None
    pv_power_balance: f.Code = None
    max_constant_voltage_time: f.Minutes = None
    operation_logic: f.Code = None
    max_discharge_current: f.WholeAmps = None
    unknown_voltage: f.Volts = None


class RatingsClone(Ratings):
    """QPIRI of NXPW clones: 28 words whose last three are `V n V`, meaning unknown."""

    unknown_voltage_1: f.Volts = None
    unknown_count: f.Code = None
    unknown_voltage_2: f.Volts = None

    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        """Return the names of the words: the common 25, then the tail of its own."""
        tail = ("unknown_voltage_1", "unknown_count", "unknown_voltage_2")
        return Ratings.wire_names()[:25] + tail


class RatingsRevo(_FirstRatings):
    """QPIRI of the REVO (SOROTEC): 21 words (document I)."""


FLAGS = {
    "a": "buzzer",
    "b": "overload_bypass",
    "c": "overload_bypass_2",
    "d": "solar_feed_to_grid",
    "j": "power_saving",
    "k": "lcd_return_to_default_page",
    "l": "data_log_pop_up",
    "m": "battery_connected",
    "u": "overload_restart",
    "v": "over_temperature_restart",
    "x": "lcd_backlight",
    "y": "alarm_on_source_loss",
    "z": "fault_code_record",
}


class Flags(TextReading):
    """QFLAG: `E` and the letters that are enabled, `D` and those disabled.

    Case matters: `E` and `D` are markers, `d` is a flag.
    """

    enabled: tuple[str, ...]
    disabled: tuple[str, ...]

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Read the letters, small ones: units do not send what C and H print."""
        match = re.fullmatch(rb"E([a-z]*)(?:D([a-z]*))?", payload)
        if match is None:
            raise ValueError(f"{payload!r} is not E…D… with small letters")
        on, off = match.groups(b"")
        return cls(enabled=tuple(on.decode()), disabled=tuple(off.decode()))

    def state(self, letter: str) -> bool | None:
        """Tell whether a flag is on; None where the unit does not have it."""
        if letter in self.enabled:
            return True
        return False if letter in self.disabled else None

    def derived(self) -> dict[str, Any]:
        """Return the state of each flag by its name."""
        letters = (*self.enabled, *self.disabled)
        return {
            "flags": {FLAGS.get(x, f"flag_{x}"): x in self.enabled for x in letters}
        }


class FactoryDefaults(Reading):
    """QDI: factory settings, 25 to 27 words. A buzzer of 0 is one that is enabled."""

    ac_output_voltage: f.Volts = None
    ac_output_frequency: f.Hertz = None
    max_ac_charging_current: f.WholeAmps = None
    battery_under_voltage: f.Volts = None
    battery_float_voltage: f.Volts = None
    battery_bulk_voltage: f.Volts = None
    battery_recharge_voltage: f.Volts = None
    max_charging_current: f.WholeAmps = None
    input_voltage_range: f.Code = None
    output_source_priority: f.Code = None
    charger_source_priority: f.Code = None
    battery_type: f.Code = None
    buzzer: f.Code = None
    power_saving: f.Code = None
    overload_restart: f.Code = None
    over_temperature_restart: f.Code = None
    lcd_backlight: f.Code = None
    alarm_on_source_loss: f.Code = None
    fault_code_record: f.Code = None
    overload_bypass: f.Code = None
    lcd_return_to_default_page: f.Code = None
    output_mode: f.Code = None
    battery_redischarge_voltage: f.Volts = None
    pv_ok_condition: f.Code = None
    pv_power_balance: f.Code = None
    max_constant_voltage_time: f.Minutes = None
    operation_logic_or_discharge_limit: f.Code = None


class FactoryDefaultsDuo(FactoryDefaults):
    """QDI of Plus Duo and Tri: 29 words (document B, f0138)."""

    charging_stage: f.Code = None
    data_log_pop_up: f.Code = None
    max_solar_charging_current: f.WholeAmps = None

    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        """Return the names of the words: the common 25, then the tail of its own."""
        tail = ("charging_stage", "data_log_pop_up", "max_solar_charging_current")
        common = FactoryDefaults.wire_names()[:25]
        return (*common, *tail, "max_constant_voltage_time")


class CurrentChoices(Reading):
    """QMCHGCR, QMUCHGCR, QMSCHGCR: the legal values of a charge current in A."""

    amps: Annotated[tuple[int, ...], f.UnitSymbol("A")]

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Take every word as a whole number of amperes."""
        words = payload.decode("ascii").split()
        if not words or not all(word.isdecimal() for word in words):
            raise ValueError(f"{' '.join(words)!r} is not a list of whole amperes")
        return cls(amps=tuple(map(int, words)))


class Equalization(Reading):
    """QBEQI: equalization, 10 words, all families."""

    enabled: f.Code = None
    time: f.Minutes = None
    period: f.Days = None
    max_current: f.WholeAmps = None
    reserved_5: f.Code = None
    voltage: f.Volts = None
    reserved_7: f.Code = None
    over_time: f.Minutes = None
    active: f.Code = None
    elapsed: f.Hours = None


class ProtocolId(TextReading):
    """QPI: the protocol that the unit claims to speak."""

    loose = r"P.{0,7}"

    protocol: Annotated[str, Field(pattern=r"^PI[0-9]{2}$")] | None = None


class SerialNumber(TextReading):
    """QID, QSID: the serial number; may be bogus, see `bogus_serial`."""

    serial: str

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Take the whole word; clones print any characters (f0101)."""
        return cls(serial=one_word(r"([!-'*-~]{4,32})", payload, "a serial"))


class LongSerialNumber(SerialNumber):
    """QSID: two digits that say how many of the following twenty characters count."""

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Cut the padding off."""
        word = one_word(r"([0-9]{2}[!-'*-~]{4,32})", payload, "a long serial")
        length = int(word[:2])
        if not 4 <= length <= len(word) - 2:
            raise ValueError(f"{payload!r} announces {length} characters")
        return cls(serial=word[2 : 2 + length])


class Firmware(TextReading):
    """QVFW, QVFW2, QVFW3, VERFW: the first group names the firmware family."""

    firmware: str

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Cut the prefix; its number is not always that of the query.

        The rest is kept as it is. By the documents it is five hexadecimal digits, a dot
        and two more.
        """
        word = one_word(
            r"VERFW\d?:([0-9A-Za-z]{1,8}\.[0-9A-Za-z]{1,4})",
            payload,
            "a firmware version",
        )
        return cls(firmware=word)


class ModelName(TextReading):
    """QMN: `MMMMM-NNNN`. Clones of any size answer VMII-NXPW5KW."""

    model: str

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Take the whole word, but no answer to QPI that came late, such as "PI30"."""
        pattern = r"((?!PI[0-9]{2}$)[A-Za-z0-9+_. -]{2,24})"
        return cls(model=one_word(pattern, payload, "a model"))


class BoardVersion(TextReading):
    """QPRTL: `HPVINVnn`, on clones; it tells what their codes of priorities mean."""

    board: str

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Take nothing but such a name."""
        return cls(board=one_word(r"([HL]PVINV[0-9]{2})", payload, "a board"))


class ModelNumber(TextReading):
    """QGMN: three digits, the table of document E."""

    number: str

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Keep the leading zeros, which belong to the number."""
        return cls(number=one_word(r"([0-9]{3})", payload, "a model number"))
