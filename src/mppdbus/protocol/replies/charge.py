"""Q1, undocumented: where the charge stands, in five layouts."""

from typing import Any

from mppdbus.protocol.replies.fields import (
    Amps,
    Celsius,
    Code,
    Hertz,
    Minutes,
    Percent,
    Reading,
    Seconds,
    Text,
    Volts,
    Watts,
    WholeAmps,
)

CHARGE_STATES = {10: "idle", 11: "bulk", 12: "absorption", 13: "float"}


class ChargeState(Reading):
    """Q1, undocumented: 17 words (MKS, SP, SMH, EG4)."""

    absorption_remaining: Seconds = None
    float_remaining: Seconds = None
    scc_ok: Code = None
    scc_allowed: Code = None
    scc_average_current: Amps = None
    scc_temperature: Celsius = None
    inverter_temperature: Celsius = None
    battery_side_temperature: Celsius = None
    transformer_temperature: Celsius = None
    parallel_role: Code = None
    fan_lock: Code = None
    unused: Code = None
    fan_speed: Percent = None
    scc_charging_power: Watts = None
    parallel_warning: Code = None
    sync_frequency: Hertz = None
    charge_state: Code = None

    def derived(self) -> dict[str, Any]:
        """Return the name of the charge state."""
        if self.charge_state is None:
            return {}
        return {"charge_state_name": CHARGE_STATES.get(self.charge_state, "unknown")}


class ChargeStateEqualization(ChargeState):
    """Q1 of 27 words: as 17, then the ten of QBEQI (f0065)."""

    enabled: Code = None
    time: Minutes = None
    period: Code = None
    max_current: WholeAmps = None
    reserved_5: Code = None
    voltage: Volts = None
    reserved_7: Code = None
    over_time: Minutes = None
    active: Code = None
    elapsed: Code = None


class ChargeStateUnknownTail(ChargeState):
    """Q1 of 22 words: as 17, then five that nobody has explained."""

    unknown_18: Text = None
    unknown_19: Text = None
    unknown_20: Text = None
    unknown_21: Text = None
    unknown_22: Text = None


class ChargeStateClone(ChargeState):
    """Q1 of 13 words on NXPW clones (f0058): no counters, the state last."""

    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        """Return the names of the words that are there."""
        return (
            "scc_ok",
            "scc_allowed",
            "scc_average_current",
            "scc_temperature",
            "inverter_temperature",
            "battery_side_temperature",
            "transformer_temperature",
            "parallel_role",
            "fan_lock",
            "unused",
            "fan_speed",
            "scc_charging_power",
            "charge_state",
        )


class ChargeStateVmii(Reading):
    """Q1 of 18 words on VMII firmware 40.09 (f0280): 65535 stands for unknown."""

    unknown_1: Text = None
    unknown_2: Text = None
    unknown_3: Text = None
    unknown_4: Text = None
    unknown_5: Text = None
    unknown_6: Text = None
    unknown_7: Text = None
    unknown_8: Text = None
    inverter_temperature: Celsius = None
    boost_temperature: Celsius = None
    transformer_temperature: Celsius = None
    pv_temperature: Celsius = None
    unknown_13: Text = None
    unknown_14: Text = None
    unknown_15: Text = None
    unknown_16: Text = None
    unknown_17: Text = None
    charge_state: Code = None

    def derived(self) -> dict[str, Any]:
        """Return the name of the charge state."""
        if self.charge_state is None:
            return {}
        return {"charge_state_name": CHARGE_STATES.get(self.charge_state, "unknown")}
