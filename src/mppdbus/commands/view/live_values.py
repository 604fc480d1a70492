"""The values that the monitor shows of one inverter at one moment. Pure.

A picture is made of our own readings (`of_unit`), or of the paths of a service on
D-Bus (`of_service`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mppdbus.model.power import MAINS_PRESENT, Origin
from mppdbus.model.victron_codes import State
from mppdbus.model.views import UnitView
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.explain import explain, warnings_of
from mppdbus.protocol.modes import MODE_NAMES
from mppdbus.venus.dbus.items import Value
from mppdbus.venus.tables.row import STATE_NAMES

STAGES = {State.BULK, State.ABSORPTION, State.FLOAT}


@dataclass(frozen=True, slots=True)
class Tracker:
    """One PV input; V and W."""

    voltage: float | None = None
    power: float | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """One inverter; V, A, W, Hz, °C, %, s. None is unknown, and shown as such.

    `silent` is None while the inverter answers, else the s without an answer; `age` is
    the s since `heard`: the last reading, or the last change on the bus.
    """

    name: str
    where: str
    model: str | None = None
    serial: str | None = None
    dialect: str | None = None
    silent: float | None = None
    age: float | None = None
    heard: str = "read"
    mode: str | None = None
    stage: str | None = None
    trackers: tuple[Tracker, ...] = ()
    pv_power: float | None = None
    grid_voltage: float | None = None
    grid_frequency: float | None = None
    grid_power: float | None = None
    grid_present: bool | None = None
    grid_origin: str | None = None
    output_voltage: float | None = None
    output_frequency: float | None = None
    load_power: float | None = None
    load_apparent: float | None = None
    load_percent: float | None = None
    battery_voltage: float | None = None
    battery_current: float | None = None
    battery_power: float | None = None
    soc: float | None = None
    temperature: float | None = None
    rated_power: float | None = None
    alarms: tuple[str, ...] | None = None
    quality: float | None = None
    exchange_time: float | None = None
    failures: int | None = None
    trouble: str | None = None  # why the inverter is silent, if that is known

    @property
    def live(self) -> bool:
        """True when the values are current."""
        return self.silent is None and self.age is not None

    def gone(self, silent: float, trouble: str | None = None) -> "Picture":
        """Return the picture of an inverter that has not answered for `silent` s."""
        return Picture(
            self.name,
            self.where,
            self.model,
            self.serial,
            self.dialect,
            silent=silent,
            trackers=tuple(Tracker() for _ in self.trackers),
            rated_power=self.rated_power,
            trouble=trouble,
        )

    def record(self) -> dict[str, Any]:
        """Return the picture for scripts; times to the millisecond."""
        record = asdict(self)
        for name in ("age", "silent", "exchange_time"):
            if record[name] is not None:
                record[name] = round(record[name], 3)
        return record


def of_unit(view: UnitView, *, age: float | None) -> Picture:
    """Return the picture of our own snapshot, whose last reply is `age` s old."""
    snapshot, flow = view.snapshot, view.flow
    who, status, ratings = snapshot.identity, snapshot.status, snapshot.ratings
    return Picture(
        name=view.unit.name,
        where=view.unit.connection,
        model=who.model,
        serial=who.serial,
        dialect=who.dialect,
        age=age,
        mode=MODE_NAMES.get(snapshot.mode or "", snapshot.mode),
        stage=_stage(view.state),
        trackers=_trackers(view),
        pv_power=flow.pv_total,
        grid_voltage=status.grid_voltage if status else None,
        grid_frequency=status.grid_frequency if status else None,
        grid_power=flow.mains_power,
        grid_present=flow.mains_present,
        grid_origin=_known(flow.mains_origin),
        output_voltage=status.ac_output_voltage if status else None,
        output_frequency=status.ac_output_frequency if status else None,
        load_power=flow.load,
        load_apparent=status.ac_output_apparent_power if status else None,
        load_percent=status.load_percent if status else None,
        battery_voltage=flow.battery_voltage,
        battery_current=flow.battery_current,
        battery_power=flow.battery_power,
        soc=view.charge.percent,
        temperature=_temperature(view),
        rated_power=ratings.ac_output_rating_active_power if ratings else None,
        alarms=_warnings(view),
        quality=snapshot.link.quality,
        exchange_time=snapshot.link.exchange_time,
        failures=snapshot.link.failures,
    )


def _trackers(view: UnitView) -> tuple[Tracker, ...]:
    status, second = view.snapshot.status, view.snapshot.second
    voltages = (
        status.pv_input_voltage if status else None,
        second.pv2_voltage if second else None,
        getattr(second, "pv3_voltage", None),
    )
    pairs = zip(voltages, view.flow.pv, strict=False)
    return tuple(Tracker(voltage, power) for voltage, power in pairs)


def _stage(state: float | None) -> str | None:
    return _state_name(state) if state in STAGES else None


def _known(origin: str | None) -> str | None:
    return None if origin is None or origin == Origin.UNKNOWN else str(origin)


def _temperature(view: UnitView) -> float | None:
    """Return the heat sink in °C; not the raw counts that the MS family sends."""
    status = view.snapshot.status
    dialect = DIALECTS.get(view.snapshot.identity.dialect or "")
    if status is None or (dialect is not None and dialect.raw_temperature):
        return None
    return status.heatsink_temperature


def _warnings(view: UnitView) -> tuple[str, ...] | None:
    """Return the warnings of QPIWS in words; None if it was not read."""
    reading = view.snapshot.warnings
    if reading is None:
        return None
    dialect = DIALECTS.get(view.snapshot.identity.dialect or "", DIALECTS["pi30"])
    said = explain(reading, dialect, mode=view.snapshot.mode)
    words = [bit.text for bit in warnings_of(dialect, reading.bits)]
    if fault := said.get("fault_name"):
        words.insert(0, f"fault {said['fault_code']:02}: {fault}")
    return tuple(words)


# -- from the bus ------------------------------------------------------------------

ALARM_WORDS = {
    "LowVoltage": "battery voltage low",
    "HighVoltage": "battery voltage high",
    "LowVoltageAcOut": "output voltage low",
    "HighVoltageAcOut": "output voltage high",
    "HighTemperature": "over temperature",
    "Overload": "overload",
    "ShortCircuit": "output short-circuited",
}
LEVELS: dict[float | None, str] = {1: "warning", 2: "alarm"}
PHASES = ("L1", "L2", "L3")


def of_service(
    service: str, values: Mapping[str, Value], *, age: float | None
) -> Picture:
    """Return the picture of a multi, inverter or acsystem, as its paths show it."""
    items, out, ac_in = _Items(values), "/Ac/Out", "/Ac/In/1"
    voltage = items.number("/Dc/0/Voltage")
    grid_voltage = items.mean(ac_in, "V")
    letter = items.text("/Mppdbus/Mode")
    state = items.number("/State")
    failures = items.number("/Mppdbus/Link/Failures")
    picture = Picture(
        name=items.text("/CustomName") or items.text("/ProductName") or service,
        where=service,
        model=items.text("/ProductName"),
        serial=items.text("/Serial"),
        dialect=items.text("/Mppdbus/Dialect"),
        age=age,
        heard="changed",
        mode=MODE_NAMES.get(letter or "", letter) or _state_name(state),
        stage=_stage(state),
        trackers=items.trackers(),
        pv_power=items.number("/Yield/Power"),
        grid_voltage=grid_voltage,
        grid_frequency=items.mean(ac_in, "F"),
        grid_power=items.total(ac_in, "P"),
        grid_present=None if grid_voltage is None else grid_voltage >= MAINS_PRESENT,
        grid_origin=_known(items.text("/Mppdbus/Origin/AcIn")),
        output_voltage=items.mean(out, "V"),
        output_frequency=items.mean(out, "F"),
        load_power=items.total(out, "P"),
        load_apparent=items.total(out, "S"),
        load_percent=items.number("/Mppdbus/Load"),
        battery_voltage=voltage,
        battery_current=items.number("/Dc/0/Current"),
        battery_power=items.number("/Dc/0/Power"),
        soc=items.number("/Soc"),
        rated_power=items.total(out, "NominalInverterPower"),
        alarms=items.alarms(),
        quality=items.number("/Mppdbus/Link/Quality"),
        failures=None if failures is None else int(failures),
    )
    return picture if items.number("/Connected") else picture.gone(age or 0.0)


def _state_name(state: float | None) -> str | None:
    name = STATE_NAMES.get(state)
    return name.lower() if name else None


class _Items:
    """The values of a service; a value of another type counts as unknown."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def number(self, path: str) -> float | None:
        value = self._values.get(path)
        return float(value) if isinstance(value, int | float) else None

    def text(self, path: str) -> str | None:
        value = self._values.get(path)
        return value if isinstance(value, str) and value else None

    def _phases(self, prefix: str, name: str) -> list[float]:
        found = (self.number(f"{prefix}/{phase}/{name}") for phase in PHASES)
        return [value for value in found if value is not None]

    def total(self, prefix: str, name: str) -> float | None:
        found = self._phases(prefix, name)
        return sum(found) if found else self.number(f"{prefix}/{name}")

    def mean(self, prefix: str, name: str) -> float | None:
        found = self._phases(prefix, name)
        return sum(found) / len(found) if found else None

    def trackers(self) -> tuple[Tracker, ...]:
        count = int(self.number("/NrOfTrackers") or 0)
        if count == 1:
            return (Tracker(self.number("/Pv/V"), self.number("/Yield/Power")),)
        return tuple(
            Tracker(self.number(f"/Pv/{n}/V"), self.number(f"/Pv/{n}/P"))
            for n in range(min(count, 4))
        )

    def alarms(self) -> tuple[str, ...] | None:
        levels = {name: self.number(f"/Alarms/{name}") for name in ALARM_WORDS}
        if set(levels.values()) == {None}:
            return None
        raised = ((name, LEVELS.get(level)) for name, level in levels.items())
        return tuple(f"{ALARM_WORDS[name]} ({word})" for name, word in raised if word)
