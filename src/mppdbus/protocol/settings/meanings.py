"""The settings of PI30 by name: where each is read, what it does, what it can break.

The texts are ours, by the documents and by what users report. Whether and how a setting
can be written is another question: see `setters`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InverterSetting:
    """One setting of an inverter.

    `query` and `field` say where it is read; of QFLAG the field is a letter. `about` is
    what it does, `risk` what a wrong value can do: "" for nothing worse than that.
    `default` is its field of QDI.
    """

    name: str
    query: str
    field: str
    about: str
    risk: str = ""
    default: str | None = None


def _rated(
    name: str, about: str, risk: str = "", *, field: str = ""
) -> InverterSetting:
    """Return a setting of QPIRI, whose factory value has the same name in QDI."""
    return InverterSetting(name, "QPIRI", field or name, about, risk, default=name)


def _flag(letter: str, name: str, about: str, risk: str = "") -> InverterSetting:
    default = name if name in _FLAGS_OF_QDI else None
    return InverterSetting(name, "QFLAG", letter, about, risk, default)


_FLAGS_OF_QDI = {
    *("buzzer", "power_saving", "overload_restart", "over_temperature_restart"),
    *("lcd_backlight", "alarm_on_source_loss", "fault_code_record"),
    *("overload_bypass", "lcd_return_to_default_page"),
}
_HARM = "can overcharge or ruin the battery"
_SUPPLY_CUT = "can cut the supply"

SETTINGS: tuple[InverterSetting, ...] = (
    # -- sources -----------------------------------------------------------------------
    _rated(
        "output_source_priority",
        "which source feeds the loads first: mains, sun, or sun and battery (SBU)",
        "SBU empties the battery down to the recharge voltage",
    ),
    _rated("charger_source_priority", "which source charges the battery"),
    _rated(
        "input_voltage_range",
        "which mains voltages are accepted: appliance (wide) or UPS (narrow)",
        "appliance lets bad mains through to the loads; UPS refuses a weak generator",
    ),
    _rated("pv_ok_condition", "whether one tracker with sun, or all, make PV good"),
    _rated("pv_power_balance", "whether PV power is matched to load and charging"),
    _rated("operation_logic", "automatic, on-line or ECO", _SUPPLY_CUT),
    # -- charging ----------------------------------------------------------------------
    _rated(
        "max_charging_current",
        "the most that sun and mains together charge with",
        "too much harms a small battery",
    ),
    _rated(
        "max_ac_charging_current",
        "the most that the mains alone charge with",
        "too much overloads a weak grid or a generator",
    ),
    _rated("battery_type", "the kind of battery; it also sets voltages", _HARM),
    _rated("battery_bulk_voltage", "the voltage that charging aims at", _HARM),
    _rated("battery_float_voltage", "the voltage that is held when full", _HARM),
    _rated(
        "max_constant_voltage_time",
        "how long the bulk voltage is held; 0 is automatic",
    ),
    # -- discharging -------------------------------------------------------------------
    _rated(
        "battery_recharge_voltage",
        "at or below this voltage the loads go back to the mains (SBU)",
    ),
    _rated(
        "battery_redischarge_voltage",
        "from this voltage on the loads go to the battery again; 0 is when full",
    ),
    _rated(
        "battery_under_voltage",
        "at or below this voltage the inverter switches off",
        "too low ruins the battery; too high cuts the supply early",
    ),
    _rated(
        "max_discharge_current",
        "the most that may be taken from the battery; 0 is no limit",
        _SUPPLY_CUT,
    ),
    # -- output ------------------------------------------------------------------------
    InverterSetting(
        "output_voltage", "QPIRI", "ac_output_rating_voltage",
        "the voltage of the output", "a wrong one damages what is connected",
        default="ac_output_voltage",
    ),
    InverterSetting(
        "output_frequency", "QPIRI", "ac_output_rating_frequency",
        "the frequency of the output", "a wrong one damages motors and clocks",
        default="ac_output_frequency",
    ),
    _rated(
        "output_mode",
        "alone, in parallel, or one phase of several",
        "a wrong one short-circuits inverters that work together",
    ),
    # -- equalization ------------------------------------------------------------------
    InverterSetting(
        "equalization", "QBEQI", "enabled",
        "whether a flooded lead battery is equalized", _HARM,
    ),
    InverterSetting(
        "equalization_now", "QBEQI", "active", "whether it is equalizing now",
        _HARM,
    ),
    InverterSetting(
        "equalization_voltage", "QBEQI", "voltage", "its voltage", _HARM
    ),
    InverterSetting("equalization_time", "QBEQI", "time", "how long it lasts"),
    InverterSetting(
        "equalization_over_time", "QBEQI", "over_time",
        "when it ends although the voltage was not reached",
    ),
    InverterSetting("equalization_period", "QBEQI", "period", "days between two"),
    # -- thresholds in percent, with a BMS ---------------------------------------------
    InverterSetting(
        "recharge_capacity", "QDOP", "recharge_capacity",
        "at or below this charge the loads go back to the mains (SBU)",
    ),
    InverterSetting(
        "redischarge_capacity", "QDOP", "redischarge_capacity",
        "from this charge on the loads go to the battery again",
    ),
    InverterSetting(
        "cut_off_capacity", "QDOP", "cut_off_capacity",
        "at or below this charge the inverter switches off", _SUPPLY_CUT,
    ),
    # -- flags -------------------------------------------------------------------------
    _flag("a", "buzzer", "the buzzer"),
    _flag("b", "overload_bypass", "an overload is passed to the mains"),
    _flag("c", "overload_bypass_2", "an overload is passed to the mains, second kind"),
    _flag(
        "d", "solar_feed_to_grid", "PV power may go into the grid",
        "needs the leave of the grid's operator",
    ),
    _flag("j", "power_saving", "the output is off while hardly anything is taken"),
    _flag("k", "lcd_return_to_default_page", "the panel goes back to its first page"),
    _flag("l", "data_log_pop_up", "the panel shows the data log by itself"),
    _flag("u", "overload_restart", "it restarts after an overload"),
    _flag("v", "over_temperature_restart", "it restarts when it has cooled down"),
    _flag("x", "lcd_backlight", "the panel is lit"),
    _flag("y", "alarm_on_source_loss", "it beeps when the first source is lost"),
    _flag("z", "fault_code_record", "faults are recorded"),
)  # fmt: skip
# Not among the settings, as it never stays; it has a command of its own.
CLOCK = InverterSetting(
    "clock", "QT", "time", "the inverter's clock, which its daily counters follow"
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
