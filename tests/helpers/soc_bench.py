"""An estimator on the bench: it is shown the same for some time."""

from __future__ import annotations

from mppdbus.model.battery.battery_model import BatteryModel
from mppdbus.model.battery.chemistries import Chemistry
from mppdbus.model.battery.estimator import SocEstimator
from mppdbus.model.power import Losses
from mppdbus.model.victron_codes import State

LFP = BatteryModel(Chemistry.LFP, 200.0, bulk_v=56.4, float_v=54.0, cutoff_v=44.0)
LEAD = BatteryModel(Chemistry.AGM, 200.0, bulk_v=56.4, float_v=54.0, cutoff_v=42.0)
HOUR = 3600.0


class Bench:
    """An estimator and a clock; `hold` shows it the same for some time."""

    def __init__(self, battery: BatteryModel = LFP, soc: float | None = None) -> None:
        self.soc = SocEstimator(battery)
        self.now = 1000.0
        if soc is not None:
            self.soc.correct(soc)

    def hold(
        self,
        volts: float | None,
        amps: float | None,
        seconds: float,
        *,
        stage: State | None = None,
        load: float | None = None,
        pv: float | None = None,
        mode: str | None = None,
        losses: Losses | None = None,
        under_voltage: bool = False,
        step: float = 10.0,
    ) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += step
            self.soc.feed(
                volts,
                amps,
                self.now,
                stage=stage,
                load_w=load,
                pv_w=pv,
                mode=mode,
                losses=losses,
                under_voltage=under_voltage,
            )

    @property
    def value(self) -> float:
        assert self.soc.soc is not None
        return self.soc.soc

    @property
    def margin(self) -> float:
        assert self.soc.margin is not None
        return self.soc.margin
