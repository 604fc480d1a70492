"""TABLE: all causes of trouble that are known, the likeliest explanation first. Pure.

A new cause is one row here and one row in tests/doctor/test_troubles.py.
"""

import re
from collections.abc import Sequence

from mppdbus.doctor.facts import Facts, Heard, PortTrouble
from mppdbus.doctor.findings import Cause

FEW_MB = 10.0  # free space below which Venus OS raises an alarm
FIRST_YEAR = 2024  # an earlier date is no date
BAD_SHARE = 5.0  # % of damaged replies from which the line counts as bad
SEVERAL = 2  # failures; one decides nothing
MISSING_SHARE = 10.0  # % of missing replies
BAD_QUALITY = 90.0  # % of good replies in an hour below which it is told
HIGH_LOAD = 6.0  # the watchdog of a GX resets at this load
STRAYS = 3  # frames that nobody has asked for
TWO_TRACKERS = 5000.0  # W from which many models have two trackers
STOP_TTY = "/opt/victronenergy/serial-starter/stop-tty.sh"
LOCAL = "/data/rcS.local"

# Programs that open a port of their own accord → what they are.
KNOWN_HOLDERS = (
    (r"dbus-mppsolar", "another driver of the same inverter, dbus-mppsolar"),
    (r"mpp-solar|mppsolar", "another driver of the same inverter, mpp-solar"),
    (r"inverter_poller|voltronic|solpiplog|axpert", "another driver of inverters"),
    (r"dbus-serialbattery", "dbus-serialbattery, which looks for a battery there"),
    (r"ModemManager", "ModemManager, which takes adapters for modems"),
    (r"brltty", "brltty, which takes adapters for Braille displays"),
    (r"nutdrv|usbhid-ups|blazer|upsd", "NUT, which looks for a UPS there"),
    (r"esphome|ser2net|socat", "a program that passes the port on"),
    (r"minicom|picocom|screen|putty|cu ", "a terminal program"),
)
STARTED_BY_VENUS = (
    r"vedirect-interface|gps-dbus|gps_dbus|dbus-cgwacs|dbus-modbus-client|"
    r"dbus-imt-si-rs485|dbus-fzsonick|mk2-dbus|serial-starter|dbus-ads1115|"
    r"run-service\.sh"
)


def when(condition: object, *evidence: str) -> Sequence[str]:
    """Return the evidence where the condition holds."""
    return evidence if condition else ()


def held_by(facts: Facts, pattern: str) -> Sequence[str]:
    """Return the programs with the port whose command line fits."""
    if facts.port.trouble is not PortTrouble.HELD:
        return ()
    return tuple(one for one in facts.port.holders if re.search(pattern, one))


def _known_holder(facts: Facts) -> Sequence[str]:
    for pattern, what in KNOWN_HOLDERS:
        if found := held_by(facts, pattern):
            return (f"{facts.port.label} is open in {found[0]}: {what}",)
    return ()


def _other_holder(facts: Facts) -> Sequence[str]:
    port = facts.port
    held = port.trouble is PortTrouble.HELD
    if not held or _known_holder(facts) or held_by(facts, STARTED_BY_VENUS):
        return ()
    who = " and ".join(port.holders[:3])
    return (f"{port.label} is open in {who}" if who else port.said,)


def _trouble(facts: Facts, *wanted: PortTrouble) -> Sequence[str]:
    return when(facts.port.trouble in wanted, facts.port.said or facts.port.label)


def _stop(facts: Facts) -> str:
    """Return what ends the first program that has the port."""
    first = next(iter(facts.port.holders), "")
    if facts.host.venus:
        return f"{STOP_TTY} {facts.port.tty}"
    pid = re.match(r"pid (\d+)", first)
    return f"sudo kill {pid[1]}" if pid else f"sudo fuser -v {facts.port.label}"


def _no_adapter(facts: Facts) -> Sequence[str]:
    port = facts.port
    none = not port.label and not facts.bus.ours
    return when(
        facts.host.no_ports and (none or port.trouble is PortTrouble.MISSING),
        "neither a serial adapter nor a Voltronic USB port is there",
    )


def _missing(facts: Facts) -> Sequence[str]:
    port = facts.port
    if port.trouble is not PortTrouble.MISSING or facts.host.no_ports:
        return ()
    if port.said:  # it says what is there, too
        return (port.said,)
    now = ", ".join(port.others) or "none that may lead to an inverter"
    return (f"{port.label} does not exist", f"present now: {now}")


def _quality(facts: Facts) -> Sequence[str]:
    line = facts.line
    if line.quality is None or line.quality >= BAD_QUALITY or line.offline:
        return ()
    said = [f"{line.quality:.0f} % good replies in the last hour"]
    if line.day_quality is not None:
        said.append(f"{line.day_quality:.0f} % in the last day")
    return said


def _damaged(facts: Facts) -> Sequence[str]:
    line = facts.line
    if line.heard is not Heard.PI30 or line.damaged is None:
        return ()
    count = round(line.damaged * line.attempts / 100)
    if line.damaged < BAD_SHARE or count < SEVERAL:
        return ()
    said = [f"{line.damaged:.0f} % of {line.attempts} replies came damaged"]
    if line.worse is not None:
        said.append("getting worse" if line.worse else "not getting worse")
    return said


def _lost(facts: Facts) -> Sequence[str]:
    line = facts.line
    share = line.missing or 0.0
    count = round(share * line.attempts / 100)
    gone = share >= MISSING_SHARE and count >= SEVERAL
    said = f"{share:.0f} % of {line.attempts} requests got no reply"
    return when(line.heard is Heard.PI30 and gone, said)


def _heard(facts: Facts, wanted: Heard) -> Sequence[str]:
    line = facts.line
    if line.heard is not wanted or line.baud_found is not None:
        return ()
    return (line.said or f"{facts.port.label}: {wanted}",)


def _baud(facts: Facts) -> Sequence[str]:
    line = facts.line
    return when(
        line.baud_found is not None,
        f"it answers at {line.baud_found} baud, and the port is used with {line.baud}",
    )


def _speaks(facts: Facts, pattern: str) -> Sequence[str]:
    line = facts.line
    fits = line.heard is Heard.OTHER and re.search(pattern, line.other)
    return when(fits, line.said or f"it speaks {line.other}")


def _dialect(facts: Facts) -> Sequence[str]:
    line = facts.line
    differ = line.proven_dialect and line.dialect not in ("auto", line.proven_dialect)
    said = f'dialect = "{line.dialect}", but the replies are those of '
    return when(line.dialect and differ, said + line.proven_dialect)


def _other_unit(facts: Facts) -> Sequence[str]:
    line = facts.line
    other = line.wanted_serial and line.serial and line.serial != line.wanted_serial
    said = f"serial = {line.wanted_serial} is wanted, {line.serial} is plugged in"
    return when(other, said)


def _second_tracker(facts: Facts) -> Sequence[str]:
    line = facts.line
    big = (line.rated_power or 0.0) >= TWO_TRACKERS
    said = f"{line.model or 'it'} does not answer QPIGS2, and shows one PV input"
    return when(line.trackers == 1 and big, said)


def _away(facts: Facts) -> bool:
    """Tell whether the daemon surely serves nothing."""
    return facts.bus.ours == () and not facts.bus.trouble


def _not_running(facts: Facts) -> Sequence[str]:
    host = facts.host
    quiet = _away(facts) and not host.daemons and not host.switched_off
    configured = host.config and not host.config_missing and not host.config_errors
    return when(quiet and configured, "no process `mppdbus run`, no service on D-Bus")


def _start(facts: Facts) -> str:
    if facts.host.unit == "systemd":
        return "sudo systemctl start mppdbus"
    if facts.host.unit == "daemontools":
        return "svc -u /service/mppdbus"
    return f"mppdbus run {facts.host.config}".rstrip()


def _not_shown(facts: Facts) -> Sequence[str]:
    """Tell that the daemon runs and has brought nothing onto the bus."""
    quiet = _away(facts) and facts.host.daemons
    pids = ", ".join(map(str, facts.host.daemons))
    return when(quiet, f"mppdbus runs (pid {pids}), and none of its names is on D-Bus")


def _logs(facts: Facts) -> str:
    if facts.host.unit == "systemd":
        return "journalctl -u mppdbus -n 50"
    if facts.host.venus:
        return "tail -n 50 /var/log/mppdbus/current"
    return "mppdbus run --log-level INFO, and read what it says"


def _restart(facts: Facts) -> str:
    if facts.host.venus:
        return "svc -t /service/mppdbus"
    return "sudo systemctl restart mppdbus"


def _stop_driver(facts: Facts) -> str:
    named = " ".join((*facts.bus.others, *facts.host.drivers))
    if facts.host.venus:
        return "ls /service, then svc -d /service/NAME of that driver"
    if pid := re.search(r"pid (\d+)", named):
        return f"sudo kill {pid[1]}, and disable its service"
    return "stop and disable its service"


def _policy(facts: Facts) -> str:
    wanted = re.search(r"\bcopy .*reload dbus", facts.bus.denied)
    return wanted[0] if wanted else "run mppdbus as the user that the policy allows"


CAUSES: tuple[Cause, ...] = (
    # -- the config -------------------------------------------------------------------
    Cause(
        "config-wrong",
        "The configuration cannot be used",
        lambda f: f.host.config_errors,
        lambda f: f"mppdbus check-config {f.host.config}",
    ),
    # -- the port ---------------------------------------------------------------------
    Cause(
        "brltty",
        "brltty takes the serial adapter away as soon as it is plugged in",
        lambda f: when(
            f.host.brltty and f.host.adapters,
            f"brltty is installed, and {', '.join(f.host.adapters)} has no port",
        ),
        "sudo apt remove brltty, then plug the adapter in again",
    ),
    Cause(
        "no-driver",
        "The kernel knows the serial adapter, but gives it no port",
        lambda f: when(
            f.host.adapters and not f.host.brltty,
            f"{', '.join(f.host.adapters)} is on USB without a port",
        ),
        "sudo dmesg | tail -n 20, and plug the adapter in again",
    ),
    Cause(
        "no-adapter",
        "No cable to an inverter is plugged in",
        _no_adapter,
        "plug the cable in, then: mppdbus detect. An inverter behind a network module"
        " must be named: --port tcp://ADDRESS:PORT",
    ),
    Cause(
        "port-missing",
        "The port of the configuration does not exist",
        _missing,
        "mppdbus detect, and write the name below /dev/serial/by-id into the config",
    ),
    Cause(
        "port-forbidden",
        "You may not open the port",
        lambda f: _trouble(f, PortTrouble.FORBIDDEN),
        lambda f: f.port.advice or "sudo mppdbus doctor",
    ),
    Cause(
        "port-of-victron",
        "The port belongs to another device",
        lambda f: when(
            f.port.trouble is PortTrouble.FOREIGN, f"{f.port.label}: {f.port.owner}"
        ),
        "mppdbus detect, and choose the port of the inverter",
    ),
    Cause(
        "held-by-venus",
        "Venus OS has given the port to one of its own programs",
        lambda f: held_by(f, STARTED_BY_VENUS),
        lambda f: f"{STOP_TTY} {f.port.tty}",
    ),
    Cause("held-by-driver", "Another program has the port", _known_holder, _stop),
    Cause("held", "The port is in use", _other_holder, _stop),
    Cause(
        "no-port",
        "What the configuration names is no port",
        lambda f: _trouble(f, PortTrouble.NO_PORT),
        "mppdbus detect",
    ),
    Cause(
        "tcp-host",
        "The host of the serial server is not known",
        lambda f: _trouble(f, PortTrouble.UNKNOWN_HOST),
        "write its address into the config instead of its name",
    ),
    Cause(
        "tcp-refused",
        "Nothing listens at this port of the serial server",
        lambda f: _trouble(f, PortTrouble.REFUSED),
        "look up the TCP port in the settings of the serial server",
    ),
    Cause(
        "tcp-unreachable",
        "The serial server does not answer",
        lambda f: _trouble(f, PortTrouble.UNREACHABLE),
        lambda f: f"ping -c 3 {f.port.label.rpartition(':')[0]}",
    ),
    Cause(
        "port-lost",
        "The port goes away while it is used",
        lambda f: _trouble(f, PortTrouble.LOST),
        lambda f: (
            "is there a second client? Most serial servers take one only"
            if f.port.scheme == "tcp"
            else "sudo dmesg | tail -n 20, and try another USB socket or cable"
        ),
    ),
    # -- the line ---------------------------------------------------------------------
    Cause(
        "wrong-baud",
        "The speed of the port is wrong",
        _baud,
        lambda f: f"write baud = {f.line.baud_found} below [[inverter]]",
    ),
    Cause(
        "modbus",
        "The device speaks Modbus",
        lambda f: _speaks(f, "Modbus"),
        "take a driver for Modbus, or another port of the inverter",
    ),
    Cause(
        "pi18",
        "The inverter speaks PI17 or PI18, a relative of PI30",
        lambda f: _speaks(f, "PI1[78]"),
        "take a driver for PI18: mppdbus speaks PI30 alone",
    ),
    Cause(
        "ups",
        "The device is a UPS",
        lambda f: _speaks(f, "Megatec|UPS|PI0"),
        "choose another port: mppdbus detect",
    ),
    Cause(
        "other-protocol",
        "The device speaks another protocol than PI30",
        lambda f: when(
            not re.search("Modbus|PI1[78]|Megatec|UPS|PI0", f.line.other)
            and f.line.heard is Heard.OTHER,
            f.line.said,
        ),
        "mppdbus detect -v, and choose another port",
    ),
    Cause(
        "echo",
        "Only what is sent comes back: TX and RX are joined",
        lambda f: _heard(f, Heard.ECHO),
        "check the wiring of the plug: RX and TX must go to the inverter, not together",
    ),
    Cause(
        "refuses-all",
        "The device refuses every query",
        lambda f: _heard(f, Heard.REFUSED),
        "mppdbus detect -v, and choose another port: this is no PI30 inverter",
    ),
    Cause(
        "noise",
        "Bytes come, but no reply can be read from them",
        lambda f: (*_heard(f, Heard.NOISE), *_heard(f, Heard.DAMAGED)),
        "check the cable and its ground; mppdbus query QPI --baud 9600 tries a speed",
    ),
    Cause(
        "silent",
        "The inverter does not answer",
        lambda f: _heard(f, Heard.NOTHING),
        "switch the inverter on and use the cable that came with it: mppdbus detect",
    ),
    Cause(
        "mute",
        "The inverter answers, but gives no live values",
        lambda f: when(f.line.mute, f.line.mute),
        "restart the inverter; mppdbus query QPIGS shows when it answers again",
    ),
    Cause(
        "other-inverter",
        "Another inverter is plugged in than the configuration wants",
        _other_unit,
        lambda f: f'write serial = "{f.line.serial}", or plug the other one in',
    ),
    Cause(
        "dialect-wrong",
        "The dialect of the configuration is not that of the inverter",
        _dialect,
        'write dialect = "auto" below [[inverter]]',
    ),
    Cause(
        "strays",
        "Somebody else talks on the same line",
        lambda f: when(
            f.line.strays >= STRAYS,
            f"{f.line.strays} replies came that nobody had asked for",
        ),
        "unplug the WiFi stick or the second cable: one master per inverter",
    ),
    Cause(
        "damaged",
        "Replies come damaged: a bad cable, plug or ground",
        _damaged,
        "use a shorter, screened cable, then again: mppdbus doctor",
    ),
    Cause(
        "lossy",
        "Requests stay without a reply",
        _lost,
        "set poll = 5 below [[inverter]], and check the cable",
    ),
    Cause(
        "offline",
        "The inverter does not answer now",
        lambda f: when(
            f.line.offline and not f.port.trouble,
            f.line.said or f"no reply at {f.port.label}",
        ),
        "is the inverter switched on, and its cable plugged in? mppdbus detect",
    ),
    Cause(
        "line-bad",
        "The line is bad",
        _quality,
        "use a shorter, screened cable; mppdbus support-bundle keeps what was seen",
    ),
    Cause(
        "all-zero",
        "The inverter answers with zeros",
        lambda f: when(f.line.zeros, "QPIGS is intact, and all of its values are 0"),
        "restart the inverter; it may still be starting up",
    ),
    Cause(
        "fault",
        "The inverter has stopped with a fault",
        lambda f: when(f.line.fault, f.line.fault),
        "look up the code in the manual of the inverter; mppdbus query QPIWS",
    ),
    Cause(
        "layout-unknown",
        "The inverter answers in a layout that is not known",
        lambda f: when(f.line.strange, f"unknown: {', '.join(f.line.strange)}"),
        "mppdbus record, and attach the file to an issue",
    ),
    Cause(
        "battery",
        "The batteries of the inverters do not fit together",
        lambda f: when(f.line.battery, f.line.battery),
        'name each battery: battery = "name" below [[inverter]]',
    ),
    # -- the daemon and its bus -------------------------------------------------------
    Cause(
        "disk-full",
        "The disk is full",
        lambda f: when(
            f.host.free_mb is not None and f.host.free_mb < FEW_MB,
            f"{f.host.free_mb or 0:.0f} MB free at {f.host.disk}",
        ),
        lambda f: f"du -sh {f.host.disk}/* | sort -h | tail",
    ),
    Cause(
        "state-unwritable",
        "The folder for counters and settings cannot be written",
        lambda f: when(f.host.unwritable, f.host.unwritable),
        lambda f: f"ls -ld {f.host.disk}",
    ),
    Cause(
        "config-missing",
        "There is no configuration yet",
        lambda f: when(f.host.config_missing, f"looked for {f.host.config}"),
        "mppdbus setup",
    ),
    Cause(
        "scripts-disabled",
        "The start scripts were disabled in the GUI",
        lambda f: when(f.host.hook_disabled, f"{f.host.hook_disabled} is there"),
        lambda f: (
            f"mv {f.host.hook_disabled} "
            f"{f.host.hook_disabled.removesuffix('.disabled')}, then reboot"
        ),
    ),
    Cause(
        "switched-off",
        "Its owner has switched mppdbus off",
        lambda f: when(f.host.switched_off, f.host.switched_off),
        "mppdbus enable",
    ),
    Cause(
        "no-bus",
        "There is no D-Bus",
        lambda f: when(f.bus.trouble, f.bus.trouble),
        lambda f: (
            "reboot"
            if f.host.venus
            else "sudo systemctl start dbus (if it is missing: sudo apt install dbus); "
            "or correct [dbus] bus in the config"
        ),
    ),
    Cause(
        "name-denied",
        "The D-Bus policy does not let mppdbus have its name",
        lambda f: when(f.bus.denied, f.bus.denied),
        _policy,
    ),
    Cause(
        "name-taken",
        "Another program has our name on D-Bus",
        lambda f: when(f.bus.taken, f.bus.taken),
        "stop that program",
    ),
    Cause(
        "two-daemons",
        "mppdbus runs twice",
        lambda f: when(
            len(f.host.daemons) > 1, f"pids {', '.join(map(str, f.host.daemons))}"
        ),
        lambda f: f"sudo kill {f.host.daemons[-1]}",
    ),
    Cause(
        "other-driver",
        "Another driver shows an inverter on D-Bus, too",
        lambda f: [f"{name} is on D-Bus" for name in f.bus.others],
        _stop_driver,
    ),
    Cause(
        "hook-missing",
        "Nothing starts mppdbus after the next boot",
        lambda f: when(f.host.hook_missing, f"{LOCAL} has no line for it"),
        "mppdbus install",
    ),
    Cause("not-running", "mppdbus does not run", _not_running, _start),
    Cause("not-shown", "mppdbus runs, but shows no inverter", _not_shown, _logs),
    Cause(
        "unanswered",
        "A service on D-Bus does not answer, and holds up Victron's programs",
        lambda f: when(f.bus.unanswered, ", ".join(f.bus.unanswered)),
        "restart the program that has this name",
    ),
    # -- Victron's programs -----------------------------------------------------------
    Cause(
        "no-localsettings",
        "Victron's settings are not on D-Bus, so names and instances are not kept",
        lambda f: when(f.venus.settings is False, "no com.victronenergy.settings"),
        "svc -t /service/localsettings",
    ),
    Cause(
        "no-systemcalc",
        "Victron's systemcalc does not run, so the GUI shows nothing",
        lambda f: when(f.venus.systemcalc is False, "no com.victronenergy.system"),
        "svc -t /service/dbus-systemcalc-py",
    ),
    Cause(
        "no-acsystem",
        "The GUI shows a multi only through an acsystem, and ours is missing",
        lambda f: when(f.venus.no_acsystem, "no com.victronenergy.acsystem.mppdbus"),
        _restart,
    ),
    Cause(
        "disconnected",
        "The inverter is on D-Bus, but not connected",
        lambda f: [f"{name}: /Connected is not 1" for name in f.venus.disconnected],
        "mppdbus detect, once the daemon is stopped",
    ),
    Cause(
        "nameless",
        "A service lacks the name that Victron's programs ask for",
        lambda f: [f"{name}: no /ProductName" for name in f.venus.nameless],
        _restart,
    ),
    Cause(
        "instance-clash",
        "Two services of one type have the same instance",
        lambda f: f.venus.clashes,
        "write instance = 290 below one [[inverter]], and restart",
    ),
    Cause(
        "unlisted",
        "systemcalc does not list the service, so the GUI leaves it out",
        lambda f: [
            f"{name} is missing in /ServiceMapping" for name in f.venus.unlisted
        ],
        "svc -t /service/dbus-systemcalc-py",
    ),
    # -- the machine ------------------------------------------------------------------
    Cause(
        "clock",
        "The clock is wrong, so days and history are",
        lambda f: when(
            f.host.year is not None and f.host.year < FIRST_YEAR,
            f"it is the year {f.host.year} here",
        ),
        lambda f: (
            "set the date in Settings, General, Date and time"
            if f.host.venus
            else "sudo timedatectl set-ntp true"
        ),
    ),
    Cause(
        "load",
        "The machine is busier than it can be for long",
        lambda f: when(
            (f.host.load or 0.0) >= HIGH_LOAD and f.host.venus,
            f"load {f.host.load or 0:.1f} in the last five minutes",
        ),
        "top -b -n 1 | head -n 20",
    ),
    Cause(
        "budget",
        "A setting was written as often as a day allows, and is refused until tomorrow",
        lambda f: f.host.used_up,
        "mppdbus writes, which shows by whom: that program must write less",
    ),
    # -- worth knowing ----------------------------------------------------------------
    Cause(
        "served",
        "serial-starter tries its programs at this port",
        lambda f: when(
            f.port.served,
            f"/dev/serial-starter/{f.port.tty} is there",
            *when(f.port.remembered, f"the last one to get it: {f.port.remembered}"),
        ),
        lambda f: f"{STOP_TTY} {f.port.tty}; mppdbus install does it at each boot",
        remark=True,
    ),
    Cause(
        "driver-runs",
        "Another driver of inverters runs",
        lambda f: f.host.drivers,
        _stop_driver,
        remark=True,
    ),
    Cause(
        "installed-driver",
        "Another driver of inverters is installed",
        lambda f: f.host.installed,
        "remove it, or leave it switched off",
        remark=True,
    ),
    Cause(
        "bogus-serial",
        "The inverter has a serial number that many have",
        lambda f: when(f.line.bogus_serial, f"QID says {f.line.bogus_serial}"),
        "leave it in its USB socket: it is known by that",
        remark=True,
    ),
    Cause(
        "no-ac-input",
        "The profile inverter shows no mains in the GUI",
        lambda f: f.venus.profile_inverter,
        'write profile = "hybrid" below [[inverter]]',
        remark=True,
    ),
    Cause(
        "battery-choice",
        "The GX takes the battery from a service that was chosen by hand",
        lambda f: when(f.venus.battery_choice, f.venus.battery_choice),
        "Settings, System setup, Battery monitor: Automatic",
        remark=True,
    ),
    Cause(
        "second-tracker",
        "A second PV input, if it has one, cannot be read",
        _second_tracker,
        "mppdbus record, and attach the file to an issue",
        remark=True,
    ),
)
