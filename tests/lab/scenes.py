"""Four scenes, and what Victron's system service must make of each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GRID, NO_INPUT = 1, 240
BULK, INVERTING = 3, 9

WATTS = (
    "/Ac/Grid/L1/Power",
    "/Ac/Consumption/L1/Power",
    "/Ac/ConsumptionOnOutput/L1/Power",
    "/Ac/ActiveIn/L1/Power",
    "/Dc/Pv/Power",
    "/Dc/Battery/Power",
    "/Dc/Battery/Current",
    "/Dc/InverterCharger/Power",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """The truth around one inverter: W, V, and A that charge the battery.

    The battery is pinned, so that PV + grid = load + battery to the watt.
    """

    mains: bool
    pv: float
    load: float
    volts: float
    amps: float

    @property
    def battery(self) -> float:
        """Watts into the battery."""
        return self.volts * self.amps

    @property
    def grid(self) -> float:
        """Watts from the mains; nothing else may feed what is missing."""
        return self.load + self.battery - self.pv if self.mains else 0.0

    def system(self, *, battery_units: int = 0, units: int = 1) -> dict[str, Any]:
        """Return the values of com.victronenergy.system for `units` such inverters.

        `battery_units`: so many of them charge the battery, if it is another number.
        """
        battery_units = battery_units or units
        return {
            "/Ac/Grid/L1/Power": units * self.grid if self.mains else None,
            "/Ac/Consumption/L1/Power": units * self.load,
            "/Dc/Pv/Power": units * self.pv,
            "/Dc/Battery/Power": battery_units * self.battery,
            "/Dc/Battery/Voltage": self.volts,
            "/Dc/Battery/Current": battery_units * self.amps,
            "/Dc/Battery/Soc": 80.0,
            "/SystemState/State": BULK if self.mains else INVERTING,
            "/Ac/ActiveIn/Source": GRID if self.mains else NO_INPUT,
            "/Ac/In/NumberOfAcInputs": 1,
            "/Ac/In/0/Connected": int(self.mains),
            "/Ac/In/0/Source": GRID,
            "/Ac/In/0/ServiceType": "acsystem",
            "/Ac/HasAcLoads": 1,
        }


# The names are those of the simulator's scenes.
SCENES = {
    "bat+pv": Scene(mains=False, pv=800, load=500, volts=52, amps=6),
    "bat": Scene(mains=False, pv=0, load=500, volts=51, amps=-10),
    "mains": Scene(mains=True, pv=0, load=500, volts=52, amps=6),
    "mains+pv": Scene(mains=True, pv=800, load=500, volts=52, amps=6),
}
