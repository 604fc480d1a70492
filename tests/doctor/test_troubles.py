"""The right cause first: injected troubles, and set-ups in which nothing is wrong.

A row of the table is a trouble in words, the cause that must come first, and how the
trouble is made. Ports, lines, buses and programs are real ones; what no test machine
has (USB devices, Venus OS) is laid out in a folder as the system does it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from dbus_fast.aio import MessageBus

from helpers.bus import PrivateBus
from helpers.clinic import OURS, UNIT, Clinic
from mppdbus.control.journal import MOST_A_DAY, Journal, WrittenSetting
from mppdbus.doctor.causes import CAUSES
from mppdbus.doctor.examine import Subject
from mppdbus.doctor.findings import troubles
from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.speed import Pace
from mppdbus.transport.port_url import PortUrl
from mppdbus.venus.dbus.items import Value

Inject = Callable[[Clinic], Awaitable[object]]


class Trouble(NamedTuple):
    words: str
    cause: str
    inject: Inject


TTY = "/dev/ttyUSB0"
CH340 = "1a86:7523"

# -- the port --------------------------------------------------------------------------


async def unplugged(clinic: Clinic) -> None:
    clinic.machine.usb_serial("ttyUSB1", CH340)
    clinic.subject(TTY)


async def no_cable(clinic: Clinic) -> None:
    clinic.machine.onboard("ttyS0", uart_type="0")
    clinic.subject(TTY)


def bare_adapter(clinic: Clinic) -> None:
    clinic.write("sys/bus/usb/devices/1-1/idVendor", "1a86\n")
    clinic.write("sys/bus/usb/devices/1-1/idProduct", "7523\n")
    clinic.subject(TTY)


async def brltty(clinic: Clinic) -> None:
    bare_adapter(clinic)
    clinic.write("usr/bin/brltty")


async def no_driver(clinic: Clinic) -> None:
    bare_adapter(clinic)


async def forbidden(clinic: Clinic) -> None:
    await clinic.inverter()
    Path(clinic.subjects[0].port.path).resolve().chmod(0o600)


def held(*command: str, lock: bool = False) -> Inject:
    async def inject(clinic: Clinic) -> None:
        clinic.machine.usb_serial("ttyUSB0", CH340)
        clinic.machine.process(321, *command, opens="" if lock else TTY)
        if lock:
            clinic.venus()
            clinic.machine.lock_of_serial_starter("ttyUSB0", 321)
        clinic.subject(TTY)

    return inject


def at_hidraw(clinic: Clinic) -> None:
    clinic.subjects.append(Subject(PortUrl("hidraw", "/dev/hidraw0")))


async def hid_unplugged(clinic: Clinic) -> None:
    clinic.machine.usb_serial("ttyUSB0", CH340)
    at_hidraw(clinic)


async def hid_keyboard(clinic: Clinic) -> None:
    clinic.machine.hid("hidraw0", "0003:0000046D:0000C31C", "Logitech USB Keyboard")
    at_hidraw(clinic)


async def hid_ups(clinic: Clinic) -> None:
    clinic.machine.hid("hidraw0", "0003:00000665:00005161", "Cypress USB to Serial")
    command = ("/lib/nut/nutdrv_qx", "-a", "ups")
    clinic.machine.process(321, *command, opens="/dev/hidraw0")
    at_hidraw(clinic)


async def really_held(clinic: Clinic) -> None:
    """Let a real program open a real port, and look at the real /proc."""
    await clinic.inverter()
    path = clinic.subjects[0].port.path
    code = "import sys, time; f = open(sys.argv[1]); print(flush=True); time.sleep(99)"
    program = subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE
    )

    def end() -> None:
        program.kill()
        program.communicate()

    clinic.at_the_end(end)
    assert program.stdout is not None
    await asyncio.to_thread(program.stdout.readline)
    clinic.place = replace(clinic.place, root=Path("/"))


async def given_to_gps(clinic: Clinic) -> None:
    clinic.venus()
    clinic.machine.usb_serial("ttyUSB0", CH340)
    clinic.machine.udev("ttyUSB0", VE_SERVICE="gps")
    clinic.subject(TTY)


async def ve_direct(clinic: Clinic) -> None:
    words = "VictronEnergy BV", "VE Direct cable"
    clinic.machine.usb_serial("ttyUSB0", "0403:6015", *words, driver="ftdi")
    clinic.subject(TTY)


async def folder(clinic: Clinic) -> None:
    clinic.plugged(clinic.folder)


async def file(clinic: Clinic) -> None:
    path = clinic.folder / "log.txt"
    path.write_text("")
    clinic.plugged(path)


async def host_unknown(clinic: Clinic) -> None:
    clinic.at_tcp(8899, "no-such-host.invalid")


async def refused(clinic: Clinic) -> None:
    server = clinic.listener()
    clinic.at_tcp(server.getsockname()[1])
    server.close()


async def unreachable(clinic: Clinic) -> None:
    clinic.at_tcp(clinic.listener().getsockname()[1])


async def hangs_up(clinic: Clinic) -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    clinic.at_the_end(server.close)
    clinic.at_tcp(server.sockets[0].getsockname()[1])


# -- the line --------------------------------------------------------------------------


async def at_9600(clinic: Clinic) -> None:
    def answer(request: bytes, speed: int) -> bytes:
        if speed != 9600:
            return b""
        return encode_reply("PI30" if request.startswith(b"QPI") else "NAK")

    await clinic.raw(answer)


async def garbled_at_2400(clinic: Clinic) -> None:
    def answer(request: bytes, speed: int) -> bytes:
        reply = encode_reply("PI30" if request.startswith(b"QPI") else "NAK")
        return reply if speed == 4800 else bytes(b ^ 0x55 for b in reply[:-1])

    await clinic.raw(answer)


async def modbus(clinic: Clinic) -> None:
    await clinic.inverter(scene="modbus 1")


def says(*pairs: tuple[bytes, bytes], otherwise: bytes = b"") -> Inject:
    """Plug in what answers requests that begin so."""

    async def inject(clinic: Clinic) -> None:
        def answer(request: bytes, _: int) -> bytes:
            return next((said for how, said in pairs if how in request), otherwise)

        await clinic.raw(answer)

    return inject


async def ups_echoes(clinic: Clinic) -> None:
    """Megatec: what it does not know comes back."""
    status = b"(226.0 195.0 226.0 014 50.0 27.4 25.0 00001000\r"

    def answer(request: bytes, _: int) -> bytes:
        return status if request == b"Q1" else request + b"\r"

    await clinic.raw(answer)


def fault(line: str) -> Inject:
    """Simulate an inverter on whose line something is wrong."""

    async def inject(clinic: Clinic) -> None:
        await clinic.inverter(scene=line)

    return inject


async def garbage(clinic: Clinic) -> None:
    await clinic.raw(lambda *_: b"\x8f\x12\xff\x00\x91\x87\r")


async def other_unit(clinic: Clinic) -> None:
    await clinic.inverter()
    clinic.change(serial="99999999999999")


async def wrong_dialect(clinic: Clinic) -> None:
    await clinic.inverter("max-8000")
    clinic.change(dialect="pi30lv")


async def two_masters(clinic: Clinic) -> None:
    """Let the replies to somebody else's questions come, too."""
    stray = encode_reply("230.0 21.7 230.0 50.0 21.7 5000 5000 48.0")

    def answer(request: bytes, _: int) -> bytes:
        said = GOOD.get(request[:-2].decode("latin-1"), "NAK")
        return encode_reply(said) + stray

    await clinic.raw(answer)


GOOD = {
    "QPI": "PI30",
    "QID": "92932004102443",
    "QVFW": "VERFW:00072.70",
    "QMOD": "L",
    "QPIGS": (
        "230.1 50.0 230.1 50.0 0322 0240 006 402 52.80 004 088 0041 00.0 000.0 "
        "00.00 00000 00010101 00 00 00000 010"
    ),
    "QPIRI": (
        "230.0 21.7 230.0 50.0 21.7 5000 5000 48.0 46.0 42.0 56.4 54.0 0 10 010 1 0 0 "
        "6 01 0 0 54.0 0 1"
    ),
    "QPIWS": "0" * 32,
}


def replies(**changes: str | None) -> Inject:
    """Plug in an inverter that answers well but for some queries."""

    async def inject(clinic: Clinic) -> None:
        script = {"replies": {k: v for k, v in {**GOOD, **changes}.items() if v}}
        await clinic.scripted(script)

    return inject


async def damaged_qpigs(clinic: Clinic) -> None:
    await clinic.inverter(scene="fault corrupt forever QPIGS")


ODD = f"{GOOD['QPIRI']} 7 8 9 10 11 12 13"
ZEROS = re.sub("[1-9]", "0", GOOD["QPIGS"])

# -- the daemon and its bus ------------------------------------------------------------


async def bad_config(clinic: Clinic) -> None:
    await clinic.inverter()
    port = clinic.subjects[0].port
    clinic.config(f'[[inverter]]\nport = "{port}"\npoll_intervall = 2\n')


async def no_config(clinic: Clinic) -> None:
    await clinic.inverter()
    clinic.place = replace(clinic.place, config=clinic.folder / "config.toml")


async def budget_used(clinic: Clinic) -> None:
    await clinic.inverter()
    journal = Journal(clinic.place.state)
    for number in range(MOST_A_DAY):
        journal.end(
            WrittenSetting(
                time=f"2026-06-01T00:{number:02}:00+00:00",
                unit="1",
                model="",
                firmware="",
                setting="max_charging_current",
                command="MCHGC0020",
                old=10.0,
                value=20.0,
                by="x",
            )
        )


async def no_bus(clinic: Clinic) -> None:
    await clinic.inverter()
    clinic.config()
    clinic.place = replace(clinic.place, bus=f"unix:path={clinic.folder}/no-bus")


async def denied(clinic: Clinic) -> None:
    await clinic.inverter()
    clinic.config()
    clinic.bus.stop()
    clinic.bus.start(policy='<deny own_prefix="com.victronenergy"/>')
    clinic.with_bus()


async def taken(clinic: Clinic) -> None:
    await clinic.inverter()
    clinic.change(bus_name="com.victronenergy.inverter")
    clinic.config()
    await clinic.service("com.victronenergy.inverter", {"/DeviceInstance": 1})


async def not_running(clinic: Clinic) -> None:
    await clinic.inverter()
    clinic.config()
    clinic.with_bus()


async def shows_nothing(clinic: Clinic) -> None:
    await clinic.inverter()
    clinic.daemon()
    clinic.with_bus()


async def twice(clinic: Clinic) -> None:
    await clinic.shown()
    clinic.daemon(77)
    clinic.daemon(78)


async def old_driver_too(clinic: Clinic) -> None:
    await clinic.shown()
    name = "com.victronenergy.multi.mppsolar.ttyUSB1"
    await clinic.service(name, {"/DeviceInstance": 10, "/ProductName": "MPP"})


def shown(**changes: float | str) -> Inject:
    async def inject(clinic: Clinic) -> None:
        await clinic.shown(**changes)

    return inject


async def elsewhere(clinic: Clinic) -> None:
    await clinic.shown(Connected=0)
    clinic.subjects.clear()


async def deaf_service(clinic: Clinic) -> None:
    """Let somebody own a name, and answer nothing."""
    await clinic.shown()
    bus = await MessageBus(bus_address=clinic.bus.address).connect()
    clinic.at_the_end(bus.disconnect)
    await bus.request_name("com.victronenergy.battery.deaf")
    bus.add_message_handler(lambda _: True)  # taken, and never answered


# -- Venus OS --------------------------------------------------------------------------


async def no_settings(clinic: Clinic) -> None:
    clinic.venus()
    await clinic.shown()
    await clinic.service("com.victronenergy.system", {"/DeviceInstance": 0})


async def no_systemcalc(clinic: Clinic) -> None:
    clinic.venus()
    await clinic.shown()
    await clinic.service("com.victronenergy.settings", {"/DeviceInstance": 0})


async def no_acsystem(clinic: Clinic) -> None:
    clinic.subject(TTY)
    clinic.machine.usb_serial("ttyUSB0", CH340)
    await clinic.service(UNIT, OURS)


async def clash(clinic: Clinic) -> None:
    await clinic.shown()
    await clinic.service("com.victronenergy.multi.rs", {"/DeviceInstance": 288})


async def unlisted(clinic: Clinic) -> None:
    await clinic.shown()
    await clinic.gx_shows(mapped="com.victronenergy.multi.another")


async def scripts_disabled(clinic: Clinic) -> None:
    await on_gx(clinic)
    (clinic.root / "data/rcS.local").rename(clinic.root / "data/rcS.local.disabled")


async def hook_gone(clinic: Clinic) -> None:
    await on_gx(clinic)
    clinic.write("data/rcS.local", "#!/bin/sh\n/data/other/boot.sh\n")


async def switched_off(clinic: Clinic) -> None:
    await on_gx(clinic)
    (clinic.root / "data/apps/enabled/mppdbus").unlink()


async def put_down(clinic: Clinic) -> None:
    await on_gx(clinic)
    clinic.write("service/mppdbus/down")


async def on_gx(clinic: Clinic) -> None:
    """Install on a GX; the inverter answers, the daemon does not run."""
    await clinic.inverter()
    clinic.installed()
    clinic.config()
    await clinic.service("com.victronenergy.settings", {"/DeviceInstance": 0})
    await clinic.service("com.victronenergy.system", {"/DeviceInstance": 0})


# -- the machine -----------------------------------------------------------------------


async def year_1970(clinic: Clinic) -> None:
    await clinic.inverter()
    clinic.place = replace(clinic.place, now=datetime(1970, 1, 1, tzinfo=UTC))


async def busy(clinic: Clinic) -> None:
    await gx_and_all_there(clinic)
    clinic.write("proc/loadavg", "9.01 8.40 7.20 3/201 999")


async def read_only_state(clinic: Clinic) -> None:
    await clinic.inverter()
    clinic.place = replace(clinic.place, state=Path("/proc/sys"))


TROUBLES = (
    Trouble("the adapter got another number", "port-missing", unplugged),
    Trouble("no cable is plugged in", "no-adapter", no_cable),
    Trouble("brltty takes the CH340", "brltty", brltty),
    Trouble("the kernel has no driver for the adapter", "no-driver", no_driver),
    Trouble("the user is not in the group", "port-forbidden", forbidden),
    Trouble(
        "dbus-mppsolar has the port",
        "held-by-driver",
        held("python3", "/data/etc/dbus-mppsolar/dbus-mppsolar.py"),
    ),
    Trouble("ModemManager has it", "held-by-driver", held("/usr/sbin/ModemManager")),
    Trouble("an unknown program has it", "held", really_held),
    Trouble("the HID cable is out", "port-missing", hid_unplugged),
    Trouble("hidraw0 is a keyboard", "port-of-victron", hid_keyboard),
    Trouble("NUT takes it for a UPS", "held-by-driver", hid_ups),
    Trouble(
        "serial-starter gave it to vedirect-interface",
        "held-by-venus",
        held("/opt/victronenergy/vedirect-interface/vedirect-interface", lock=True),
    ),
    Trouble("Venus OS keeps it for a GPS", "port-of-victron", given_to_gps),
    Trouble("it is a VE.Direct cable", "port-of-victron", ve_direct),
    Trouble("the port is a folder", "no-port", folder),
    Trouble("the port is a file", "no-port", file),
    Trouble("the host has no such name", "tcp-host", host_unknown),
    Trouble("nothing listens at the TCP port", "tcp-refused", refused),
    Trouble("the serial server is off", "tcp-unreachable", unreachable),
    Trouble("the serial server takes no second client", "port-lost", hangs_up),
    Trouble("the inverter is at 9600 baud", "wrong-baud", at_9600),
    Trouble("the wrong speed garbles replies", "wrong-baud", garbled_at_2400),
    Trouble("a Modbus inverter", "modbus", modbus),
    Trouble("a PI18 inverter that refuses QPI", "pi18", says((b"", b"^0\x1b\xe3\r"))),
    Trouble(
        "a PI18 inverter that ignores QPI",
        "pi18",
        says((b"^P005PI", b"^D00518;\x7f\xa6\r")),
    ),
    Trouble("a UPS that echoes", "ups", ups_echoes),
    Trouble("a UPS with PI01", "ups", replies(QPI="PI01")),
    Trouble("a protocol of the future", "other-protocol", replies(QPI="PI50")),
    Trouble("TX and RX are joined", "echo", fault("fault loopback forever")),
    Trouble("NAK to all", "refuses-all", says(otherwise=encode_reply("NAK"))),
    Trouble("noise", "noise", garbage),
    Trouble("the inverter is off", "silent", fault("fault silence forever")),
    Trouble("no reply to QPIGS", "mute", fault("fault silence forever QPIGS")),
    Trouble("QPIGS is refused", "mute", fault("fault nak forever QPIGS")),
    Trouble("QPIGS comes damaged, all else is well", "mute", damaged_qpigs),
    Trouble("words where no firmware has any", "layout-unknown", replies(QPIRI=ODD)),
    Trouble("two plugs were swapped", "other-inverter", other_unit),
    Trouble("the dialect is set wrong", "dialect-wrong", wrong_dialect),
    Trouble("a WiFi stick asks, too", "strays", two_masters),
    Trouble("a bad cable", "damaged", fault("fault corrupt 30% QPIGS")),
    Trouble("half a reply now and then", "damaged", fault("fault cut 45% QPIGS")),
    Trouble("requests get lost", "lossy", fault("fault silence 35% QPIGS")),
    Trouble("the inverter is still starting", "all-zero", replies(QPIGS=ZEROS)),
    Trouble("a key is misspelt", "config-wrong", bad_config),
    Trouble("nobody has run setup", "config-missing", no_config),
    Trouble("there is no D-Bus", "no-bus", no_bus),
    Trouble("the policy gives no name", "name-denied", denied),
    Trouble("another program has the bare name", "name-taken", taken),
    Trouble("the daemon was not started", "not-running", not_running),
    Trouble("the daemon shows nothing", "not-shown", shows_nothing),
    Trouble("two daemons with one config", "two-daemons", twice),
    Trouble("dbus-mppsolar shows it, too", "other-driver", old_driver_too),
    Trouble("the inverter stopped answering", "offline", shown(Connected=0)),
    Trouble("a unit without a port of ours is away", "disconnected", elsewhere),
    Trouble("one reply in three is bad", "line-bad", shown(Quality=66.0)),
    Trouble("a fault stopped the inverter", "fault", shown(Fault="overload (07)")),
    Trouble("a service holds up all scans", "unanswered", deaf_service),
    Trouble("localsettings is away", "no-localsettings", no_settings),
    Trouble("systemcalc is away", "no-systemcalc", no_systemcalc),
    Trouble("the acsystem is missing", "no-acsystem", no_acsystem),
    Trouble("a name is missing", "nameless", shown(ProductName="")),
    Trouble("two multis with one instance", "instance-clash", clash),
    Trouble("systemcalc leaves us out", "unlisted", unlisted),
    Trouble("scripts were disabled in the GUI", "scripts-disabled", scripts_disabled),
    Trouble("the line in rcS.local is gone", "hook-missing", hook_gone),
    Trouble("its owner switched it off", "switched-off", switched_off),
    Trouble("svc -d and a file down", "switched-off", put_down),
    Trouble("the clock is at its beginning", "clock", year_1970),
    Trouble("the watchdog is near", "load", busy),
    Trouble("a program writes for ever", "budget", budget_used),
    Trouble("the state cannot be written", "state-unwritable", read_only_state),
)


@pytest.fixture
async def clinic(tmp_path: Path, private_bus: PrivateBus) -> AsyncIterator[Clinic]:
    async with Clinic.at(tmp_path, private_bus) as place:
        yield place


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user without rights, where the tests run as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda t: t.words)
async def test_the_right_cause_comes_first(trouble: Trouble, clinic: Clinic) -> None:
    await trouble.inject(clinic)
    if trouble.inject is forbidden:
        for folder in (clinic.folder, *clinic.folder.parents[:-2]):
            folder.chmod(0o755)
        with as_nobody():
            found = await clinic.findings()
    else:
        found = await clinic.findings()
    wrong = troubles(found)
    assert wrong, "nothing was found"
    assert wrong[0].name == trouble.cause, [one.sentence for one in wrong]
    assert wrong[0].help
    assert "None" not in wrong[0].sentence


def test_each_cause_has_a_row_or_a_reason() -> None:
    named = [cause.name for cause in CAUSES]
    assert len(set(named)) == len(named)
    untried = {cause.name for cause in CAUSES if not cause.remark}
    untried -= {trouble.cause for trouble in TROUBLES}
    assert untried == {"disk-full", "battery"}  # see below


async def test_a_full_disk(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    await clinic.inverter()
    usage = shutil.disk_usage("/")._replace(free=4_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    first, *_ = await clinic.findings()
    assert first.name == "disk-full"
    assert "4 MB free" in first.sentence


async def test_a_serial_server_of_the_daemon_is_left_alone(clinic: Clinic) -> None:
    """It may drop the daemon for a second client; so none comes."""
    clients = []

    async def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.append(writer)

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    clinic.at_the_end(server.close)
    clinic.at_tcp(server.sockets[0].getsockname()[1])
    clinic.daemon()
    clinic.with_bus()
    first, *_ = troubles(await clinic.findings())
    assert first.name == "not-shown"
    assert not clients


async def test_serial_starter_and_what_it_remembers(clinic: Clinic) -> None:
    clinic.installed()
    clinic.machine.usb_serial("ttyUSB0", CH340)
    clinic.write("dev/serial-starter/ttyUSB0")
    clinic.write("data/var/lib/serial-starter/ttyUSB0", "gps-dbus\n")
    clinic.subject(TTY)
    found = {one.name: one for one in await clinic.findings()}
    assert "the last one to get it: gps-dbus" in found["served"].evidence
    assert found["served"].remark


# -- nothing is wrong ------------------------------------------------------------------


def simulated(profile: str, pace: Pace | None = None) -> Inject:
    async def inject(clinic: Clinic) -> None:
        await clinic.inverter(profile, pace=pace)

    return inject


async def by_tcp(clinic: Clinic) -> None:
    await clinic.tcp_inverter()


async def one_bad_reply(clinic: Clinic) -> None:
    await clinic.inverter(scene="fault corrupt 1 QPIGS")


async def two_inverters(clinic: Clinic) -> None:
    await clinic.inverter()
    await clinic.inverter("max-8000")


async def gx_and_all_there(clinic: Clinic) -> None:
    clinic.installed()
    await clinic.shown()
    await clinic.gx_shows()
    clinic.daemon()


async def gx_with_other_things(clinic: Clinic) -> None:
    """A BMS, a GPS and other people's scripts are no trouble of ours."""
    await gx_and_all_there(clinic)
    clinic.machine.usb_serial("ttyUSB1", CH340, usb_port="1-2")
    clinic.machine.process(
        50, "/opt/victronenergy/gps-dbus/gps_dbus", opens="/dev/ttyUSB1"
    )
    clinic.write("data/rc.local", "#!/bin/sh\n/data/apps/dbus-serialbattery/start.sh\n")
    bms: dict[str, Value] = {"/DeviceInstance": 1, "/ProductName": "BMS", "/Soc": 71.0}
    await clinic.service("com.victronenergy.battery.ttyUSB1", bms)


HEALTHY: tuple[tuple[str, Inject], ...] = (
    ("an Axpert", simulated("axpert-5000")),
    ("two trackers", simulated("max-8000")),
    ("at the pace of a real line", simulated("axpert-5000", Pace())),
    ("a serial server", by_tcp),
    ("plain PI30", replies()),
    ("one bad reply in thirty", one_bad_reply),
    ("two inverters", two_inverters),
    ("the daemon on a plain bus", shown()),
    ("a GX with everything", gx_and_all_there),
    ("a GX with other drivers' devices", gx_with_other_things),
)


@pytest.mark.parametrize(
    ("words", "prepare"), HEALTHY, ids=[words for words, _ in HEALTHY]
)
async def test_nothing_is_found_where_all_is_well(
    words: str, prepare: Inject, clinic: Clinic
) -> None:
    await prepare(clinic)
    found = troubles(await clinic.findings())
    assert not found, (words, [one.sentence for one in found])
