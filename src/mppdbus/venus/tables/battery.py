"""TABLES: the battery that several inverters share, as one service.

There is no /Info, because with it DVCC would take this for a BMS; no alarm but that of
its charge, because the inverters show the others; no /Dc/0/Temperature, because it is
not measured.
"""

from operator import attrgetter

from mppdbus import __version__
from mppdbus.model.alarms.effects import LOW_SOC
from mppdbus.model.battery.state_of_charge import Charge
from mppdbus.model.views import SystemView, UnitView
from mppdbus.venus.tables.cards import CHARGE_CONTROL
from mppdbus.venus.tables.diagnostics import CHARGE
from mppdbus.venus.tables.row import (
    AMP,
    DC_VOLT,
    INT,
    LEVELS,
    NUM,
    TEXT,
    WATT,
    Row,
    fixed,
    hexadecimal,
)
from mppdbus.venus.tables.unit import CHARGE_OF, CUSTOM_NAME, PRODUCT_ID, SOC

BATTERY_NAME = "com.victronenergy.battery.mppdbus"
PRODUCT_NAME = "Battery bank"
AMP_HOURS = "{:.1f} Ah"
LOW_SOC_ALARM = f"/Alarms/{LOW_SOC}"
_LOW = "our count, as far as /Settings/AlarmLevel/LowSoc of its inverters lets it"


def _sum(path: str, field: str, text: str) -> Row[SystemView]:
    """Return the row of the sum over all units; a unit without a battery adds 0."""
    read = attrgetter(field)

    def of_unit(view: UnitView) -> float | None:
        return read(view.flow) if view.snapshot.battery_fitted else 0.0

    about = "sum of all units; positive while charging"
    return Row(path, NUM, lambda s: s.total(of_unit), text, about, digits=1)


def _voltage(view: UnitView) -> float | None:
    return view.flow.battery_voltage if view.snapshot.battery_fitted else None


def _name(system: SystemView) -> str:
    """Return the name of the battery, as the config has it."""
    bank = system.units[0].unit.bank if system.units else ""
    return f"Battery {bank}" if bank else PRODUCT_NAME


def _connection(system: SystemView) -> str:
    """Return the port of a single unit, else the number of units."""
    units = system.units
    return units[0].unit.connection if len(units) == 1 else f"{len(units)} inverters"


def _capacity_left(charge: Charge) -> float | None:
    if charge.percent is None or charge.capacity is None:
        return None
    return charge.capacity * charge.percent / 100


_NAME = "what the user has written"
_MEAN = "mean of all units that see a battery"
_LEFT = "`/Soc` of `/InstalledCapacity`"
_WHOLE = "`capacity_ah` in the config"
_TROUBLE = "what does not fit, in words, such as two batteries; empty: nothing"
_OFFSET = "what the meters of all units read too high, as far as learned"
BATTERY: tuple[Row[SystemView], ...] = (
    fixed("/Mgmt/ProcessName", TEXT, "mppdbus"),
    fixed("/Mgmt/ProcessVersion", TEXT, __version__, "", "version of mppdbus"),
    Row("/Mgmt/Connection", TEXT, _connection, "", "how many inverters share it"),
    fixed("/DeviceInstance", INT, None, "", "localsettings"),
    fixed("/ProductId", INT, PRODUCT_ID, hexadecimal),
    fixed("/ProductName", TEXT, PRODUCT_NAME),
    Row("/CustomName", TEXT, _name, about=_NAME, fixed=True, write=CUSTOM_NAME),
    fixed("/FirmwareVersion", TEXT, __version__, "", "version of mppdbus"),
    fixed("/HardwareVersion", TEXT, None, "", "unknown: there is no such device"),
    fixed("/Serial", TEXT, None, "", "unknown: there is no such device"),
    Row("/Connected", INT, lambda s: bool(s.online), "", "1 while any answers"),
    Row("/Dc/0/Voltage", NUM, lambda s: s.mean(_voltage), DC_VOLT, _MEAN, digits=2),
    _sum("/Dc/0/Current", "battery_current", AMP),
    _sum("/Dc/0/Power", "battery_power", WATT),
    SOC,
    Row("/Capacity", NUM, _capacity_left, AMP_HOURS, _LEFT, CHARGE_OF, 1),
    Row("/InstalledCapacity", NUM, "capacity", AMP_HOURS, _WHOLE, CHARGE_OF),
    Row(LOW_SOC_ALARM, INT, lambda _: None, LEVELS, _LOW),
    *CHARGE,
    *CHARGE_CONTROL,
    Row("/Mppdbus/Trouble", TEXT, "trouble", "", _TROUBLE, CHARGE_OF),
    Row("/Mppdbus/Soc/Offset", NUM, "offset", "{:.2f} A", _OFFSET, CHARGE_OF, 2),
)
