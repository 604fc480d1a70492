"""Q1, undocumented: the state of charging, in five layouts."""

from mppdbus.protocol.replies import fields as f
from mppdbus.protocol.replies.fields import Reading

CHARGE_STATES = {10: "idle", 11: "bulk", 12: "absorption", 13: "float"}


class ChargeState(Reading):
    """Q1, undocumented: 17 words (MKS, SP, SMH, EG4)."""

    absorption_remaining: f.Seconds = None
    float_remaining: f.Seconds = None
    scc_ok: f.Code = None
    scc_allowed: f.Code = None
    scc_average_current: f.Amps = None
    scc_temperature: f.Celsius = None
    inverter_temperature: f.Celsius = None
    battery_side_temperature: f.Celsius = None
    transformer_temperature: f.Celsius = None
    parallel_role: f.Code = None
    fan_lock: f.Code = None
    unused: f.Code = None
    fan_speed: f.Percent = None
    scc_charging_power: f.Watts = None
    parallel_warning: f.Code = None
    sync_frequency: f.Hertz = None
    charge_state: f.Code = None


class ChargeStateEqualization(ChargeState):
    """Q1 of 27 words: as 17, then the ten of QBEQI (f0065)."""

    enabled: f.Code = None
    time: f.Minutes = None
    period: f.Code = None
    max_current: f.WholeAmps = None
    reserved_5: f.Code = None
    voltage: f.Volts = None
    reserved_7: f.Code = None
    over_time: f.Minutes = None
    active: f.Code = None
    elapsed: f.Code = None


class ChargeStateUnknownTail(ChargeState):
    """Q1 of 22 words: as 17, then five of unknown meaning."""

    unknown_18: f.Text = None
    unknown_19: f.Text = None
    unknown_20: f.Text = None
    unknown_21: f.Text = None
    unknown_22: f.Text = None


class ChargeStateClone(ChargeState):
    """Q1 of 13 words on NXPW clones (f0058): no counters, the state last."""

    @classmethod
    def wire_names(cls) -> tuple[str, ...]:
        """Return the names of the words that are there."""
        return (*ChargeState.wire_names()[2:14], "charge_state")


class ChargeStateVmii(Reading):
    """Q1 of 18 words on VMII firmware 40.09 (f0280): 65535 stands for unknown."""

    unknown_1: f.Text = None
    unknown_2: f.Text = None
    unknown_3: f.Text = None
    unknown_4: f.Text = None
    unknown_5: f.Text = None
    unknown_6: f.Text = None
    unknown_7: f.Text = None
    unknown_8: f.Text = None
    inverter_temperature: f.Celsius = None
    boost_temperature: f.Celsius = None
    transformer_temperature: f.Celsius = None
    pv_temperature: f.Celsius = None
    unknown_13: f.Text = None
    unknown_14: f.Text = None
    unknown_15: f.Text = None
    unknown_16: f.Text = None
    unknown_17: f.Text = None
    charge_state: f.Code = None
