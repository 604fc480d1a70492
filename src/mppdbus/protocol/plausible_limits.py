"""The largest value that an inverter can measure, by field; data only."""

from collections.abc import Mapping
from enum import StrEnum


class Limit(StrEnum):
    """A bound on a field; its value is the code of the remark."""

    FREQUENCY = "frequency"
    AC_VOLTAGE = "ac_voltage"
    PV_VOLTAGE = "pv_voltage"
    BUS_VOLTAGE = "bus_voltage"
    POWER = "power"
    TOTAL_POWER = "total_power"
    BATTERY_CURRENT = "battery_current"
    PV_CURRENT = "pv_current"
    LOAD = "load_percent"
    PERCENT = "percent"
    TEMPERATURE = "temperature"


# The largest plausible values, unless the rating allows more. Hz, V, W, A, %, °C.
MAXIMUM: Mapping[Limit, float] = {
    Limit.FREQUENCY: 70,
    Limit.AC_VOLTAGE: 300,
    Limit.PV_VOLTAGE: 600,
    Limit.BUS_VOLTAGE: 600,
    Limit.POWER: 40_000,
    Limit.TOTAL_POWER: 400_000,  # of nine units
    Limit.BATTERY_CURRENT: 600,
    Limit.PV_CURRENT: 200,
    Limit.LOAD: 300,
    Limit.PERCENT: 100,
    Limit.TEMPERATURE: 150,  # above it are A/D counts, or 65535 for unknown
}

FIELDS: Mapping[str, Limit] = {
    "grid_voltage": Limit.AC_VOLTAGE,
    "grid_frequency": Limit.FREQUENCY,
    "ac_output_voltage": Limit.AC_VOLTAGE,
    "ac_output_frequency": Limit.FREQUENCY,
    "ac_output_apparent_power": Limit.POWER,
    "ac_output_active_power": Limit.POWER,
    "total_ac_output_apparent_power": Limit.TOTAL_POWER,
    "total_ac_output_active_power": Limit.TOTAL_POWER,
    "load_percent": Limit.LOAD,
    "total_load_percent": Limit.LOAD,
    "bus_voltage": Limit.BUS_VOLTAGE,
    "battery_charging_current": Limit.BATTERY_CURRENT,
    "battery_discharge_current": Limit.BATTERY_CURRENT,
    "battery_capacity": Limit.PERCENT,
    "state_of_charge": Limit.PERCENT,
    "heatsink_temperature": Limit.TEMPERATURE,
    "scc_temperature": Limit.TEMPERATURE,
    "inverter_temperature": Limit.TEMPERATURE,
    "battery_side_temperature": Limit.TEMPERATURE,
    "boost_temperature": Limit.TEMPERATURE,
    "transformer_temperature": Limit.TEMPERATURE,
    "pv_temperature": Limit.TEMPERATURE,
    "pv_input_current": Limit.PV_CURRENT,
    "pv_input_voltage": Limit.PV_VOLTAGE,
    "pv_charging_power": Limit.POWER,
    "pv_power_13": Limit.POWER,
    "pv2_current": Limit.PV_CURRENT,
    "pv2_voltage": Limit.PV_VOLTAGE,
    "pv2_power": Limit.POWER,
    "pv3_current": Limit.PV_CURRENT,
    "pv3_voltage": Limit.PV_VOLTAGE,
    "pv3_power": Limit.POWER,
    "pv_total_power": Limit.POWER,
    "solar_feed_to_grid_power": Limit.POWER,
    "grid_input_current": Limit.PV_CURRENT,
}

# The fields that are unknown when the battery voltage is impossible.
BATTERY = (
    "battery_voltage",
    "battery_charging_current",
    "battery_discharge_current",
    "battery_capacity",
)
# Set-points of QPIRI: their bounds as parts of the nominal voltage.
SET_POINTS: Mapping[str, tuple[float, float]] = {
    "battery_recharge_voltage": (0.85, 1.4),
    "battery_under_voltage": (0.8, 1.4),
    "battery_bulk_voltage": (0.85, 1.4),
    "battery_float_voltage": (0.85, 1.4),
    "battery_redischarge_voltage": (0.85, 1.4),  # or 0: when full
}
