"""The settings that a simulated inverter stores, in words of the plant, not of PI30."""

from dataclasses import dataclass
from enum import StrEnum


class OutputPriority(StrEnum):
    """What feeds the load first."""

    UTILITY = "utility"  # USB: grid, then solar and battery
    SOLAR = "solar"  # SUB: solar, topped up by the grid
    BATTERY = "battery"  # SBU: solar, battery; the grid only when the battery is low


class ChargerPriority(StrEnum):
    """What charges the battery while there is a grid."""

    UTILITY_FIRST = "utility first"
    SOLAR_FIRST = "solar first"
    SOLAR_AND_UTILITY = "solar and utility"
    ONLY_SOLAR = "only solar"
    # King (D, E): order of battery and load; may the mains charge?
    SBL_UCB = "solar to battery, then load; utility charges"
    SBL_UDC = "solar to battery, then load; utility does not charge"
    SLB_UCB = "solar to load, then battery; utility charges"
    SLB_UDC = "solar to load, then battery; utility does not charge"


@dataclass(slots=True)
class Settings:
    """The inverter's EEPROM: volts, amps, minutes, days."""

    output_v: float = 230.0
    output_hz: float = 50.0
    recharge_v: float = 46.0
    redischarge_v: float = 54.0  # 0: when the battery is full
    cutoff_v: float = 42.0
    bulk_v: float = 56.4
    float_v: float = 54.0
    battery_type: int = 2  # 0 AGM, 1 flooded, 2 user, more: a BMS
    max_ac_charge_a: int = 30
    max_charge_a: int = 60
    input_range: int = 0  # 0 appliance, 1 UPS
    output_priority: OutputPriority = OutputPriority.UTILITY
    charger_priority: ChargerPriority = ChargerPriority.SOLAR_AND_UTILITY
    output_mode: int = 0
    pv_ok_all: int = 0
    pv_balance: int = 1  # 1: solar may also feed the load in line mode
    cv_minutes: int = 0  # 0: until the current has tapered off
    operation_logic: int = 0
    max_discharge_a: int = 0
    equalize_enabled: int = 0
    equalize_active: int = 0
    equalize_minutes: int = 60
    equalize_days: int = 30
    equalize_v: float = 58.4
    equalize_timeout_minutes: int = 120
    country: int = 0
    charging_stage: int = 0  # Plus Duo: 0 auto, 1 two stages, 2 three
    max_solar_charge_a: int = 60
    battery_control: int = 111  # PBATCD's digits
    recharge_soc: int = 10
    redischarge_soc: int = 30
    cutoff_soc: int = 0
    relay_intent: int = 3  # of the second output: 0 off, 1 on, 2 and 3 auto
    relay_off_v: float = 42.0
    relay_off_minutes: int = 15
    relay_off_soc: int = 0
    relay_amps: int = 40
    pv_to_load_first: int = 0  # VMII: PVENGUSE
    bms_soc: int | None = None  # reported by a BMS with PBMS
    flags: frozenset[str] = frozenset("akxyz")
