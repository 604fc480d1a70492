"""The remaining replies: BMS, second output, schedules, energy, clock, UPS commands."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, field_serializer

from mppdbus.protocol.replies import fields as f
from mppdbus.protocol.replies.fields import Reading, TextReading, one_word


class BatteryManagement(Reading):
    """QBMS of King and Pylontech: 10 words (document D, f0256); connect 0 = yes."""

    not_connected: f.Code = None
    state_of_charge: f.Percent = None
    force_ac_charge: f.Bool = None
    stop_discharge: f.Bool = None
    stop_charge: f.Bool = None
    constant_voltage: f.TenthVolts = None
    float_voltage: f.TenthVolts = None
    cut_off_voltage: f.TenthVolts = None
    max_charging_current: f.WholeAmps = None
    max_discharge_current: f.WholeAmps = None


class LithiumBattery(Reading):
    """QLITH0 of the REVO: what its BMS says, 12 words (f0410)."""

    battery_voltage: f.Volts = None
    battery_charging_current: f.Amps = None
    battery_discharge_current: f.Amps = None
    temperature: Annotated[int | None, f.UnitSymbol("×0.1 °C")] = None
    state_of_charge: f.Percent = None
    wear: f.Percent = None
    max_charging_current: f.Amps = None
    max_discharge_current: f.Amps = None
    max_charging_voltage: f.Volts = None
    min_discharge_voltage: f.Volts = None
    fault_code: f.Code = None
    warning_code: f.Code = None


class SecondOutput(Reading):
    """QDOP: the second output relay, 14 words (document D)."""

    relay_on: f.Bool = None
    relay_intent: f.Code = None
    link_state: f.Code = None
    over_current: f.Code = None
    current: f.Amps = None
    turn_off_voltage: f.Volts = None
    turn_off_time: f.Minutes = None
    current_limit: f.WholeAmps = None
    recharge_capacity: f.Percent = None
    redischarge_capacity: f.Percent = None
    cut_off_capacity: f.Percent = None
    turn_off_capacity: f.Percent = None
    on_hour: f.Hours = None
    off_hour: f.Hours = None


class HourlyPriorities(Reading):
    """QOPPT, QCHPT: a priority code for each hour; MAX adds the present one, an order.

    24 values (documents D, E), 28 as recorded (F, G).
    """

    hours: tuple[int, ...]
    current: f.Code = None
    order: tuple[int, ...] = ()

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Take 24 hours, and the four words of the MAX if they are there."""
        words = payload.decode("ascii").split()
        if not all(word.isdecimal() for word in words):
            raise ValueError(f"{' '.join(words)!r} is not a list of codes")
        codes = [int(word) for word in words]
        current = codes[24] if len(codes) > 24 else None
        return cls(hours=tuple(codes[:24]), current=current, order=tuple(codes[25:]))


class OutputMode(Reading):
    """QOPM: single, parallel, or which phase; see the family's table."""

    loose = f.CODE

    output_mode: f.Code = None


class Bootloader(Reading):
    """QBOOT: a bootloader is present."""

    loose = f.CODE

    present: f.Bool = None


class BatteryControl(TextReading):
    """QBATCD: three digits, as PBATCD sets them (document E)."""

    loose = f.CODE

    code: Annotated[str, Field(pattern=r"^[01]{3}$")] | None = None


class Energy(Reading):
    """QET, QEY, QEM, QED and QLT, QLY, QLM, QLD: PV or load energy."""

    loose = r"[0-9-][0-9A-Za-z.-]{0,11}"

    energy: f.WattHours = None


class Clock(TextReading):
    """QT: the inverter's clock, in the local time of where it was set.

    Some units lose a digit now and then (n0008): the time is None.
    """

    loose = r"(20|0)[0-9 :/.-]*|[-: ]+"

    time: datetime | None = None

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Take fourteen digits."""
        word = one_word(r"([0-9]{14})", payload, "YYYYMMDDHHMMSS")
        return cls(time=datetime.fromisoformat(f"{word[:8]}T{word[8:]}"))

    @field_serializer("time")
    def _as_text(self, time: datetime | None) -> str | None:
        return None if time is None else time.isoformat(sep=" ")


class BatteryVoltage(Reading):
    """QBV, a UPS command that VMII answers: battery voltage and percent (f0283)."""

    battery_voltage: f.Volts = None
    battery_capacity: f.Percent = None


class UpsCharge(Reading):
    """QCHGS, a UPS command: charge current and limits (f0188)."""

    battery_charging_current: f.Amps = None
    battery_float_voltage: f.Volts = None
    max_charging_current: f.Amps = None
    battery_bulk_voltage: f.Volts = None


class UpsModel(TextReading):
    """QMD, a UPS command that VMII answers, with wrong ratings (f0281)."""

    texts = frozenset(("model", "rating_apparent_power", "phases"))

    model: f.Text = None
    rating_apparent_power: f.Text = None
    power_factor: f.Percent = None
    phases: f.Text = None
    input_rating_voltage: f.Volts = None
    output_rating_voltage: f.Volts = None
    battery_count: f.Code = None
    battery_voltage: f.Volts = None


class Words(TextReading):
    """A reply whose words have no known meaning."""

    words: tuple[str, ...]

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Keep the words as they are."""
        return cls(words=tuple(payload.decode("ascii").split()))


class Acknowledgement(TextReading):
    """ACK: a setter was accepted; that does not prove that it took effect."""

    acknowledged: bool = True
