"""Replies about a unit and its parallel set: QPGSn, QP2GSn, Q2PGSn."""

from typing import Annotated

from pydantic import Field

from mppdbus.protocol.replies import fields as f
from mppdbus.protocol.replies.fields import Reading, TextReading
from mppdbus.protocol.replies.status import Status8


class _ParallelReply(TextReading):
    """The first words of QPGS and QP2GS."""

    texts = frozenset(("serial", "mode", "status"))

    exists: f.Bool = None
    serial: f.Text = None
    mode: Annotated[str, Field(pattern=r"^[A-Z]$")] | None = None
    fault_code: f.Code = None
    grid_voltage: f.Volts = None
    grid_frequency: f.Hertz = None
    ac_output_voltage: f.Volts = None
    ac_output_frequency: f.Hertz = None
    ac_output_apparent_power: f.VoltAmps = None
    ac_output_active_power: f.Watts = None
    load_percent: f.Percent = None
    battery_voltage: f.Volts = None
    battery_charging_current: f.WholeAmps = None
    battery_capacity: f.Percent = None


class ParallelStatus(_ParallelReply):
    """QPGSn: one unit of a parallel set; 27 words, 29 on MAX and MAX II.

    An empty slot says so in `exists`, with mode P, but fills the totals (f0129).
    """

    pv_input_voltage: f.Volts = None
    total_charging_current: f.WholeAmps = None
    total_ac_output_apparent_power: f.VoltAmps = None
    total_ac_output_active_power: f.Watts = None
    total_load_percent: f.Percent = None
    status: Status8 = None
    output_mode: f.Code = None
    charger_source_priority: f.Code = None
    max_charging_current: f.WholeAmps = None
    max_charging_range: f.WholeAmps = None
    max_ac_charging_current: f.WholeAmps = None
    pv_input_current: f.Amps = None
    battery_discharge_current: f.WholeAmps = None
    pv2_voltage: f.Volts = None
    pv2_current: f.Amps = None


class SecondPhaseParallelStatus(_ParallelReply):
    """QP2GSn of PI41: the second phase of a unit, 17 words (f0252)."""

    exists: f.Code = None  # type: ignore[assignment]
    pv2_voltage: f.Volts = None
    pv2_current: f.Amps = None
    status: Status8 = None


class SecondTrackersParallel(Reading):
    """QP2GSn of Plus Duo and Tri: trackers 2 and 3 of a unit, 9 words (document B)."""

    exists: f.Bool = None
    pv_power: f.Watts = None
    pv2_voltage: f.Volts = None
    pv2_current: f.Amps = None
    pv2_power: f.Watts = None
    pv3_voltage: f.Volts = None
    pv3_current: f.Amps = None
    pv3_power: f.Watts = None
    scc_status: Annotated[str, Field(pattern=r"^[01]{4}$")] | None = None


class FeedInParallel(Reading):
    """Q2PGSn of QGMN 025: feed-in of a unit, 4 words (document E)."""

    exists: f.Bool = None
    pv_power: f.Watts = None
    solar_feed_to_grid: f.Code = None
    solar_feed_to_grid_power: f.Watts = None
