"""Which `[[inverter]]` an inverter belongs to, wherever it is plugged in. Pure.

Port, baud, timeout and poll belong to the port. All else, such as the name, the phase
or the battery, belongs to the inverter: it goes with its serial number where two plugs
are swapped, also over a restart.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from mppdbus.config.models import BatteryConfig, Config, InverterConfig
from mppdbus.control.write_check import ControlLevel
from mppdbus.model.battery.bank import BankSettings
from mppdbus.model.unit_ids import candidates
from mppdbus.model.victron_codes import AcInput
from mppdbus.model.views import Unit, UnitView

AC_INPUTS = {
    "none": AcInput.NONE,
    "grid": AcInput.GRID,
    "generator": AcInput.GENERATOR,
    "shore": AcInput.SHORE,
    "setting": AcInput.GRID,  # until it is known
}


def unit_of(config: InverterConfig) -> Unit:
    """Return the unit that a config section describes."""
    return Unit(
        name=config.name,
        connection=config.port.label,
        instance=config.instance,
        phase=1 if config.phase == "auto" else config.phase,
        phase_follows=config.phase == "auto",
        ac_input=AC_INPUTS[config.ac_input],
        ac_input_follows=config.ac_input == "setting",
        profile=config.profile,
        bus_name=config.bus_name,
        bank=config.battery,
    )


def banks_of(config: Config) -> dict[str, BankSettings]:
    """Return the settings of each battery of the config, by its name."""
    names = [unit.battery for unit in config.inverter]
    return {name: _settings(config.bank(name), names.count(name)) for name in names}


def levels_of(config: Config) -> dict[str, ControlLevel]:
    """Return what may be written to the inverter of each section, by its name."""
    usual = config.control.level
    return {unit.name: ControlLevel(unit.control or usual) for unit in config.inverter}


def _settings(said: BatteryConfig, units: int) -> BankSettings:
    return BankSettings(
        source=said.soc,
        chemistry=None if said.chemistry == "auto" else said.chemistry,
        capacity_ah=said.capacity_ah or None,
        cells=said.cells or None,
        units=units,
        monitor=said.monitor or None,
    )


@dataclass(frozen=True, slots=True)
class Membership:
    """A section as it was when an inverter belonged to it: its name and its port."""

    name: str
    port: str


@dataclass(slots=True)
class Memberships:
    """What is stored: the section of each inverter, by its uid."""

    units: dict[str, Membership] = field(default_factory=dict)


class Sections:
    """The sections of the config, by name; `stored` is of earlier runs, and is changed.

    A section that got another name or port since then is a new one: the user has
    changed his mind about it.
    """

    def __init__(
        self, configs: Iterable[InverterConfig] = (), stored: Memberships | None = None
    ) -> None:
        self.use(configs)
        self.stored = stored or Memberships()
        self._ports: dict[str, str] = {}  # uid → section of the port where it is now

    def use(self, configs: Iterable[InverterConfig]) -> None:
        """Take the sections of a new config."""
        self._configs = {config.name: config for config in configs}

    def find(
        self, uid: str, serial: str | None, at: str, taken: Collection[str] = ()
    ) -> str | None:
        """Return the section of the inverter that was found at the port of `at`.

        None: the port is bound to another inverter, and nothing is known of this one.
        `taken` are the sections of other inverters that answer now.
        """
        for name, config in self._configs.items():
            if serial and config.serial == serial:
                return name
        own = self._configs.get(at)
        before = self.stored.units.get(uid)
        if before is not None and before.name not in taken:
            section = self._configs.get(before.name)
            if section and section.port.label == before.port and not section.serial:
                return before.name
        if own is None or not own.serial:
            return at
        # The inverter of this port may have taken the place of the one found here.
        swapped = self._configs.get(self._ports.get(_uid(own.serial), ""))
        if swapped is None or swapped.serial or swapped.name in taken:
            return None
        return swapped.name

    def describe(
        self, unit: Unit, uid: str, serial: str | None, views: Iterable[UnitView]
    ) -> Unit:
        """Return a unit with its uid, as the section that it belongs to describes it.

        `unit` is that of the section of its port, `views` are all units on the bus.
        """
        if unit.reported or unit.name not in self._configs:
            return replace(unit, uid=uid)
        taken = {
            view.unit.name
            for view in views
            if view.snapshot.online
            and view.unit.uid != uid
            and view.unit.connection != unit.connection
        }
        name = self.find(uid, serial, unit.name, taken) or unit.name
        config = self._configs[name]
        self._ports[uid] = unit.name
        self.stored.units[uid] = Membership(name, config.port.label)
        return replace(unit_of(config), connection=unit.connection, uid=uid)

    def is_of(self, unit: Unit, names: Collection[str]) -> bool:
        """Tell whether a unit is of one of these sections, at its port, or told by it.

        A section and its port have different units where two plugs were swapped.
        """
        ports = {self._configs[name].port.label for name in names}
        port = unit.connection.partition(" (")[0]
        return unit.name in names or unit.connection in ports or port in ports

    def of_serial(self, serial: str | None, at: str) -> str | None:
        """Return the same as `find`, while the uid of the inverter is not known."""
        return self.find(_uid(serial), serial, at)

    def dialect(self, serial: str | None, at: InverterConfig) -> str:
        """Return the dialect of the inverter that was found at the port of `at`."""
        name = self.of_serial(serial, at.name)
        return self._configs.get(name or "", at).dialect


def _uid(serial: str | None) -> str:
    """Return the uid of a serial number, if no other inverter has the same."""
    return candidates(serial, "")[0]
