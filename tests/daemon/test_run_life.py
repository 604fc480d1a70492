"""The life of services: start, live, mute, unplugged, back.

Two units live in one process: a hybrid, with the system over it, and an inverter. A
third one is configured on a port that is never there.
"""

from __future__ import annotations

import asyncio
import csv
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import NamedTuple

import pytest
import pytest_asyncio
from dbus_fast import Variant

from helpers.bus import PrivateBus
from helpers.places import TESTS
from helpers.run import (
    BATTERY,
    INVERTER,
    MULTI,
    PATIENCE,
    SYSTEM,
    Daemon,
    Ports,
    Watcher,
    eventually,
)

MULTI_NAME = MULTI + "96342107100456"
INVERTER_NAME = INVERTER + "92932105100123"
SERVICES = {
    "multi": MULTI_NAME,
    "acsystem": SYSTEM,
    "inverter": INVERTER_NAME,
    "battery": BATTERY,
}
UNITS = ("multi", "inverter")
LOST = ("mute", "unplugged")

# What stays known while the inverter is away: who it is, what was configured or set by
# the user, what was counted, and how the line does.
LASTING = re.compile(
    r"/Mgmt/.*|/DeviceInstance|/Product.*|/CustomName|/FirmwareVersion|/Serial"
    r"|/Connected|/Status|/ModeIsAdjustable|/IsInverterCharger|/Ac/NumberOf.*"
    r"|/Ac/In/1/Type|/Ac/In/1/CurrentLimitIsAdjustable|/Settings/System/AcPhase"
    r"|/Capabilities/.*|/Devices/.*|/NrOfTrackers|/InstalledCapacity"
    r"|/Settings/AlarmLevel/.*|/Energy/.*|/Yield/(User|System)|/History/.*"
    r"|/GenericInput/\w+/Name|/(GenericInput|SwitchableOutput)/\w+/Settings/.*"
    r"|/Mppdbus/(Origin/.*|Dialect|Doctor|Link/.*|Soc/Offset)"
    r"|/Mppdbus/Control/(Level|LastWrite)"
)
# Of these, what is not for ever as it was: whether it is there, what grows, and what
# the doctor says of a line that was mute.
MOVING = re.compile(
    r"/Connected|/Status|/Energy/.*|/Yield/.*|/History/.*|/Mppdbus/(Origin|Link|Soc)/.*"
    r"|/Mppdbus/Doctor|/GenericInput/\w+/Settings/ShowUIInput"
)
COUNTED = re.compile(r"/Energy/.*|/Yield/(User|System)")

# What is unknown of each live unit: no such thing, or told otherwise; what is first
# learned from a night on battery; and how sure the charge is, which the battery has.
UNKNOWN = {
    *("/HardwareVersion", "/Mppdbus/Losses", "/Mppdbus/HiddenLoad"),
    *("/Mppdbus/Soc/Margin", "/Mppdbus/Soc/Confidence"),
    "/Mppdbus/Link/Interval",  # they have cables of their own
    *("/SwitchableOutput/StateOfCharge/Dimming",),
    *("/SwitchableOutput/StateOfCharge/Status",),
    *("/SwitchableOutput/StateOfCharge/Name", "/Alarms/LowSoc"),
    "/Settings/ChargeCurrentLimit",  # read-only
    *("/Mppdbus/Control/Request", "/Mppdbus/Control/Reply"),  # of the command line
}
NEVER = {
    "multi": UNKNOWN | {"/Pv/V", "/Ac/In/1/CurrentLimit"},
    # GridLost: the user has not asked for it.
    "acsystem": {
        *("/HardwareVersion", "/Alarms/GridLost", "/Ac/In/1/CurrentLimit"),
        "/Settings/Ess/Mode",  # read-only
    },
    "inverter": UNKNOWN
    | {"/Pv/0/V", "/Pv/0/P", "/Pv/1/V", "/Pv/1/P"}
    # Its QFLAG does not speak of it.
    | {"/SwitchableOutput/PowerSaving/State"},
    "battery": {"/HardwareVersion", "/Serial", "/Alarms/LowSoc"},  # a guess so far
}
# Days before the first one; and the records of the first day, which are shown once a
# minute, as soon as two readings bear them out.
NOT_YET = re.compile(
    r"/History/Daily/[1-9]\d?/.*|/History/(Daily/0|Overall)/.*(Max|Min)\w+"
    r"|/History/Daily/0/Pv/1/Yield"
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("life"),  # they share one run of the daemon
]


class Life(NamedTuple):
    """What was on the bus: in each phase, and in every signal between."""

    phases: dict[str, dict[str, dict[str, Variant]]]  # phase → service → path → value
    names: dict[str, set[str]]
    signals: list[tuple[str, dict[str, Variant]]]  # service, path → value
    daemon: Daemon


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def life(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Life]:
    folder = tmp_path_factory.mktemp("life")
    bus = PrivateBus(folder)
    bus.start()
    async with Ports.below(folder) as ports, Watcher.on(bus.address) as watcher:
        units = [
            ports.unit("hybrid"),
            ports.unit("inverter", 'profile = "inverter"'),
            ports.unit("nowhere"),
        ]
        daemon = Daemon(folder, bus.address, units, battery="capacity_ah = 200")
        try:
            yield await walk(ports, watcher, daemon)
        finally:
            daemon.stop()
            bus.stop()


async def walk(ports: Ports, watcher: Watcher, daemon: Daemon) -> Life:
    phases: dict[str, dict[str, dict[str, Variant]]] = {}
    names: dict[str, set[str]] = {}
    await daemon.says("hybrid does not exist")
    scene = "grid on; pv 800 400; load 700; soc 50"
    units = [
        await ports.add("hybrid", "max-8000", scene),
        await ports.add("inverter", "axpert-5000", "grid on; pv 800; load 700; soc 50"),
    ]

    async def phase(name: str, *, known: bool) -> None:
        for service in SERVICES.values():
            await watcher.wait(service, {"/Connected": int(known)})
        phases[name] = {k: await settled(watcher, k, known=known) for k in SERVICES}
        names[name] = await watcher.names()

    await phase("live", known=True)
    watcher.signals.clear()
    # Three polls without an answer, each asks twice: enough to turn values invalid.
    units[0].scene.apply("fault silence 6 QPIGS")
    await eventually(lambda: shown_invalid(watcher, "/Ac/Out/L1/P"))
    await watcher.wait(MULTI_NAME, {"/Ac/Out/L1/P": ...})
    for unit in units:
        unit.scene.apply("fault silence forever")
    await watcher.wait(MULTI_NAME, {"/Ac/Out/L1/P": None})
    await phase("mute", known=False)
    for unit in units:
        unit.scene.apply("fault off")
    await phase("back", known=True)
    for unit in units:
        unit.scene.apply("fault disconnect 1 QPIGS 1.5s")
    await phase("unplugged", known=False)
    await phase("again", known=True)
    owners = {await watcher.owner(name): name for name in SERVICES.values()}
    signals = [
        (owners[sender], rows) for sender, rows in watcher.signals if sender in owners
    ]
    return Life(phases, names, signals, daemon)


async def settled(watcher: Watcher, kind: str, *, known: bool) -> dict[str, Variant]:
    """Return all values of a service, as soon as what must be known is known."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        rows = await watcher.raw(SERVICES[kind])
        late = asyncio.get_running_loop().time() > end
        if late or not known or not unknown(rows) - NEVER[kind]:
            return rows
        await watcher.news()


def shown_invalid(watcher: Watcher, path: str) -> bool:
    """Tell whether a signal has shown `path` as unknown."""
    return any(path in rows and is_invalid(rows[path]) for _, rows in watcher.signals)


def is_invalid(value: Variant) -> bool:
    return value.signature == "ai" and value.value == []


def unknown(rows: dict[str, Variant]) -> set[str]:
    """Return what is unknown and would have to be known."""
    return {p for p in rows if is_invalid(rows[p]) and not NOT_YET.fullmatch(p)}


def table() -> dict[str, list[tuple[re.Pattern[str], set[str]]]]:
    """Return service → patterns of paths with the types that Victron has there."""
    found = defaultdict(list)
    with (TESTS / "data" / "venus_paths.csv").open() as file:
        for row in csv.DictReader(file):
            pattern = re.sub(r"\\\{\w+\\\}", r"\\w+", re.escape(row["path"]))
            types = set(row["type"].replace("or invalid", "").split()) - {"or"}
            found[row["service"]].append((re.compile(pattern), types))
    return found


TABLE = table()
# Of ours, and those that the table has for another service.
OWN = re.compile(
    r"/Mppdbus/.*|/ModeIsAdjustable|/Ac/NumberOf.*|/Capabilities/.*"
    r"|/Settings/AlarmLevel/\w+|/Alarms/ShortCircuit"
)


def types_of(service: str, path: str) -> set[str] | None:
    return next((t for p, t in TABLE[service] if p.fullmatch(path)), None)


# -- tests ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
async def test_every_path_keeps_the_type_that_victron_has_there(
    life: Life, service: str
) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for rows in [phase[service] for phase in life.phases.values()] + [
        rows for name, rows in life.signals if name == SERVICES[service]
    ]:
        for path, value in rows.items():
            if not is_invalid(value):
                seen[path].add(value.signature)
    assert len(seen) > 20
    for path, signatures in seen.items():
        wanted = types_of(service, path)
        assert len(signatures) == 1, (path, signatures)
        if wanted is None:
            assert OWN.fullmatch(path), path
        else:
            assert signatures <= wanted, (path, signatures, wanted)


@pytest.mark.parametrize("service", SERVICES)
async def test_the_paths_of_a_service_are_the_same_all_its_life(
    life: Life, service: str
) -> None:
    paths = [set(phase[service]) for phase in life.phases.values()]
    assert all(each == paths[0] for each in paths)


@pytest.mark.parametrize("phase", ["live", "back", "again"])
@pytest.mark.parametrize("service", SERVICES)
async def test_live_everything_is_known(life: Life, service: str, phase: str) -> None:
    rows = life.phases[phase][service]
    assert unknown(rows) == NEVER[service]


@pytest.mark.parametrize("service", UNITS)
async def test_on_the_first_day_there_is_one_day(life: Life, service: str) -> None:
    rows = life.phases["again"][service]
    assert rows["/History/Overall/DaysAvailable"].value == 1
    assert rows["/History/Daily/0/Yield"].value >= 0.0
    later = [path for path in rows if re.match(r"/History/Daily/[1-9]", path)]
    assert len(later) >= 30 * 9
    assert all(is_invalid(rows[path]) for path in later)


@pytest.mark.parametrize("phase", LOST)
@pytest.mark.parametrize("service", SERVICES)
async def test_lost_everything_is_invalid_but_who_it_is(
    life: Life, service: str, phase: str
) -> None:
    rows, live = dict(life.phases[phase][service]), life.phases["live"][service]
    states = [rows.pop(path).value for path in ("/State",) if path in rows]
    assert states == ([] if service == "battery" else [255])  # none would read "Off"
    for path, value in rows.items():
        if not LASTING.fullmatch(path):
            assert is_invalid(value), (path, value)
        elif not MOVING.fullmatch(path):
            assert value == live[path], path
    assert rows["/Connected"].value == 0
    if service == "inverter":
        assert (rows["/Status"].value, live["/Status"].value) == (0, 1)
    cards = [path for path in rows if path.endswith("/ShowUIInput")]
    assert len(cards) == (3 if service in UNITS else 0)
    for path in cards:  # the GUI would show 0
        assert (rows[path].value, live[path].value) == (0, 1)


@pytest.mark.parametrize("service", UNITS)
async def test_what_was_counted_stays_and_never_falls(life: Life, service: str) -> None:
    each = [phase[service] for phase in life.phases.values()]
    counted = [path for path in each[0] if COUNTED.fullmatch(path)]
    assert len(counted) == (11 if service == "multi" else 6)
    for path in counted:
        seen = [rows[path].value for rows in each]
        assert seen == sorted(seen), (path, seen)
    for before, after in pairwise(each):
        for path in before:
            if path.startswith("/History/") and not is_invalid(before[path]):
                assert not is_invalid(after[path]), path


async def test_who_it_is_stays_the_same(life: Life) -> None:
    for service in SERVICES.keys() - {"battery"}:
        for path in ("/Serial", "/ProductName", "/FirmwareVersion", "/CustomName"):
            seen = {str(phase[service][path].value) for phase in life.phases.values()}
            assert len(seen) == 1, (service, path, seen)


async def test_the_names_stay_while_the_units_are_away_for_a_while(life: Life) -> None:
    assert all(each == set(SERVICES.values()) for each in life.names.values())


async def test_each_trouble_is_logged_once(life: Life) -> None:
    warnings = life.daemon.warnings()
    troubles = ("does not exist", "no reply within", "was lost")
    logged = {
        name: [sum(f".{name}: " in w and t in w for w in warnings) for t in troubles]
        for name in ("hybrid", "inverter", "nowhere")
    }
    # The first two were plugged in late and unplugged once; the first was mute twice.
    assert logged == {"hybrid": [2, 2, 1], "inverter": [2, 1, 1], "nowhere": [1, 0, 0]}
    assert len(warnings) == 10
    assert "Traceback" not in life.daemon.said
