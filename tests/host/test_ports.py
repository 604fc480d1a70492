import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.machine import FakeMachine
from helpers.transport import pty_pair
from mppdbus.host.ports import (
    Candidate,
    Holder,
    PortVerdict,
    candidates,
    held_by_us,
    holders,
    is_hidraw,
)
from mppdbus.host.usb_adapters import FOREIGN_DEVICES, GENERIC_ADAPTERS, judge_serial


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def the_only(machine: FakeMachine) -> Candidate:
    (candidate,) = candidates(machine.root)
    return candidate


# -- what is there -----------------------------------------------------------------


def test_voltronic_usb_port_is_plausible(machine: FakeMachine) -> None:
    machine.hid("hidraw0", "0003:00000665:00005161", "Cypress USB to Serial")
    assert the_only(machine) == Candidate(
        path="/dev/hidraw0",
        kind="hidraw",
        usb_id="0665:5161",
        product="Cypress USB to Serial",
        driver="hid-generic",
        by_id=None,
        verdict=PortVerdict.PLAUSIBLE,
        reason="USB port of a Voltronic inverter (some UPS have the same)",
    )


def test_keyboard_is_left_alone(machine: FakeMachine) -> None:
    machine.hid("hidraw1", "0003:0000046D:0000C52B", "Logitech USB Receiver")
    keyboard = the_only(machine)
    assert keyboard.verdict is PortVerdict.FOREIGN
    assert keyboard.reason == "HID device 046d:c52b (Logitech USB Receiver)"


def test_serial_adapter_is_plausible(machine: FakeMachine) -> None:
    machine.usb_serial("ttyUSB0", "1a86:7523", product="USB Serial", usb_port="1-1.4")
    assert the_only(machine) == Candidate(
        path="/dev/ttyUSB0",
        kind="serial",
        usb_id="1a86:7523",
        product="USB Serial",
        driver="ch341-uart",
        by_id="/dev/serial/by-path/platform-usb-0:1.4:1.0-port0",
        verdict=PortVerdict.PLAUSIBLE,
        reason="CH340 serial adapter: may lead to an inverter",
    )


def test_adapter_with_a_serial_number_is_named_by_it(machine: FakeMachine) -> None:
    machine.usb_serial(
        "ttyUSB0", "0403:6001", "FTDI", "FT232R USB UART", serial="A50285BI"
    )
    expected = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"
    assert the_only(machine).by_id == expected
    assert the_only(machine).product == "FTDI FT232R USB UART"


def test_two_adapters_alike_have_different_names(machine: FakeMachine) -> None:
    for number in (0, 1):
        machine.usb_serial(
            f"ttyUSB{number}", "1a86:7523", product="USB Serial", usb_port=f"1-{number}"
        )
    first, second = candidates(machine.root)
    assert first.by_id
    assert second.by_id
    assert first.by_id != second.by_id


@pytest.mark.parametrize(
    ("usb_id", "maker", "product", "reason"),
    [
        ("0403:6015", "VictronEnergy BV", "VE Direct cable", "Victron device (Victron"),
        ("0403:6015", "", "VE.Direct cable", "Victron device (VE.Direct cable)"),
        ("0403:6001", "", "MK3-USB Interface", "Victron device (MK3-USB Interface)"),
        ("10c4:ea60", "ITEAD", "SONOFF Zigbee 3.0 USB Dongle Plus V2", "home automat"),
        ("10c4:ea60", "Silicon Labs", "HubZ Smart Home Controller", "home automation"),
        ("1cf1:0030", "", "", "dresden elektronik Zigbee stick"),
        ("1546:01a8", "u-blox AG", "u-blox GNSS receiver", "GPS receiver (u-blox"),
        ("1546:01a7", "", "", "u-blox GPS receiver"),
        ("067b:2303", "", "GPS mouse", "GPS receiver (GPS mouse)"),
        ("12d1:1506", "HUAWEI", "HUAWEI Mobile", "modem (HUAWEI Mobile)"),
        ("2c7c:0125", "", "EC25", "Quectel modem (EC25)"),
        ("0403:6001", "123electric", "SmartBMSToUSB", "battery management system"),
    ],
)
def test_other_devices_are_left_alone(
    machine: FakeMachine, usb_id: str, maker: str, product: str, reason: str
) -> None:
    machine.usb_serial("ttyUSB0", usb_id, maker, product)
    assert the_only(machine).verdict is PortVerdict.FOREIGN
    assert the_only(machine).reason.startswith(reason)


@pytest.mark.parametrize(
    ("usb_id", "product"),
    [
        ("0403:6015", "FT230X Basic UART"),
        ("04e2:1410", "XR21V1410"),
        ("067b:2303", "USB-Serial Controller"),
        ("10c4:ea60", "CP2102 USB to UART Bridge Controller"),
        ("1a86:7523", "USB2.0-Serial"),
        ("04d8:00dd", "MCP2221 USB-I2C/UART Combo"),
        ("0403:6001", "USB-RS485 cable"),
    ],
)
def test_plain_adapters_are_plausible(
    machine: FakeMachine, usb_id: str, product: str
) -> None:
    machine.usb_modem("ttyACM0", usb_id, product)
    assert the_only(machine).verdict is PortVerdict.PLAUSIBLE
    assert the_only(machine).driver == "cdc_acm"


def test_unknown_device_waits_to_be_named(machine: FakeMachine) -> None:
    machine.usb_modem("ttyACM0", "0483:5740", "STM32 Virtual COM Port")
    assert the_only(machine).verdict is PortVerdict.UNNAMED
    assert the_only(machine).reason == (
        "unknown USB device 0483:5740 (STM32 Virtual COM Port): "
        "tried only if you name it"
    )


def test_onboard_port_waits_to_be_named(machine: FakeMachine) -> None:
    machine.onboard("ttyS1")
    machine.onboard("ttyS2", uart_type="0")
    machine.console("tty1")
    port = the_only(machine)
    assert (port.path, port.verdict) == ("/dev/ttyS1", PortVerdict.UNNAMED)
    assert port.reason == "on-board port: tried only if you name it"
    assert (port.usb_id, port.by_id) == (None, None)


@pytest.mark.parametrize(
    ("service", "verdict"),
    [
        ("vedirect-interface", PortVerdict.FOREIGN),
        ("gps:vedirect", PortVerdict.FOREIGN),
        ("sbattery", PortVerdict.FOREIGN),
        ("rs485:default", PortVerdict.PLAUSIBLE),
        ("rs485", PortVerdict.PLAUSIBLE),
        ("ignore", PortVerdict.PLAUSIBLE),
    ],
)
def test_what_venus_gave_away_is_left_alone(
    machine: FakeMachine, service: str, verdict: PortVerdict
) -> None:
    machine.usb_serial("ttyUSB0", "0403:6001", "FTDI", "FT232R USB UART")
    machine.udev("ttyUSB0", ID_BUS="usb", VE_SERVICE=service)
    assert the_only(machine).verdict is verdict
    if verdict is PortVerdict.FOREIGN:
        assert the_only(machine).reason == f"Venus OS gives this port to {service}"


def test_order_is_natural(machine: FakeMachine) -> None:
    machine.onboard("ttyAMA0")
    for number in (10, 2, 1):
        machine.usb_serial(f"ttyUSB{number}", "1a86:7523", usb_port=f"1-{number}")
    machine.usb_modem("ttyACM0", "04e2:1410")
    machine.hid("hidraw3", "0003:00000665:00005161", "")
    assert [
        candidate.path.removeprefix("/dev/") for candidate in candidates(machine.root)
    ] == ["hidraw3", "ttyACM0", "ttyUSB1", "ttyUSB2", "ttyUSB10", "ttyAMA0"]


def test_machine_without_ports(tmp_path: Path) -> None:
    assert candidates(tmp_path) == []


def test_half_a_device_is_no_trouble(machine: FakeMachine) -> None:
    machine.usb_serial("ttyUSB0", "1a86:7523")
    machine.hid("hidraw0", "", "")  # gone while we look: no ids any more
    (machine.root / "sys/class/tty/ttyUSB1").symlink_to("nowhere")
    verdicts = [candidate.verdict for candidate in candidates(machine.root)]
    assert verdicts == [PortVerdict.FOREIGN, PortVerdict.PLAUSIBLE]


@pytest.mark.parametrize("usb_id", [*GENERIC_ADAPTERS, *FOREIGN_DEVICES])
def test_tables_are_spelled_as_sysfs_spells(usb_id: str) -> None:
    assert all(len(part) == 4 and int(part, 16) >= 0 for part in usb_id.split(":"))
    assert usb_id == usb_id.lower()


@pytest.mark.parametrize("usb_id", GENERIC_ADAPTERS)
def test_no_generic_adapter_is_foreign(usb_id: str) -> None:
    assert (
        judge_serial(usb_id, GENERIC_ADAPTERS[usb_id], "")[0] is PortVerdict.PLAUSIBLE
    )


# -- who has it ----------------------------------------------------------------------


def test_held_port_is_not_probed(machine: FakeMachine) -> None:
    machine.usb_serial("ttyUSB0", "1a86:7523")
    machine.usb_serial("ttyUSB1", "1a86:7523", usb_port="1-2")
    machine.process(
        812, "/usr/bin/mpp-solar", "-p", "/dev/ttyUSB0", opens="/dev/ttyUSB0"
    )
    held, free = candidates(machine.root)
    assert held.verdict is PortVerdict.HELD
    assert held.reason == "in use by pid 812 (/usr/bin/mpp-solar -p /dev/ttyUSB0)"
    assert free.verdict is PortVerdict.PLAUSIBLE


def test_foreign_port_stays_foreign_when_held(machine: FakeMachine) -> None:
    machine.usb_serial("ttyUSB0", "0403:6015", product="VE Direct cable")
    machine.process(812, "vedirect-dbus", opens="/dev/ttyUSB0")
    assert the_only(machine).verdict is PortVerdict.FOREIGN


def test_holder_is_found_by_any_name_of_the_port(machine: FakeMachine) -> None:
    machine.usb_serial("ttyUSB0", "1a86:7523", product="USB Serial")
    machine.process(9, "gpsd", opens="/dev/ttyUSB0")
    by_id = "/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0"
    assert holders(by_id, machine.root) == [Holder(9, "gpsd")]
    assert holders("/dev/ttyUSB1", machine.root) == []


def test_command_is_one_short_line(machine: FakeMachine) -> None:
    machine.process(9, "python3", "-c", "import x\nwhile 1: x()", opens="/dev/ttyUSB0")
    machine.process(10, opens="/dev/ttyUSB0")
    machine.process(11, "a" * 500, opens="/dev/ttyUSB0")
    script, kernel, long = holders("/dev/ttyUSB0", machine.root)
    assert script.command == "python3 -c import x while 1: x()"
    assert kernel.command == "[kworker]"
    assert long.command == "a" * 119 + "…"
    assert str(kernel) == "pid 10 ([kworker])"


def test_lock_of_serial_starter_counts(machine: FakeMachine) -> None:
    machine.process(700, "/bin/bash", "/opt/victronenergy/serial-starter.sh")
    machine.lock_of_serial_starter("ttyUSB0", 700)
    machine.lock_of_serial_starter("ttyUSB1", 701)  # its owner is dead
    for number, pid in (2, os.getpid()), (3, os.getppid()):
        machine.process(pid, "start-mppdbus.sh")
        machine.lock_of_serial_starter(f"ttyUSB{number}", pid)
    expected = Holder(700, "/bin/bash /opt/victronenergy/serial-starter.sh")
    assert holders("/dev/ttyUSB0", machine.root) == [expected]
    assert holders("/dev/ttyUSB1", machine.root) == []
    assert holders("/dev/ttyUSB2", machine.root) == []
    assert holders("/dev/ttyUSB3", machine.root) == []


@pytest.mark.parametrize(
    ("text", "pids"),
    [
        ("       700\n", [700]),
        ("700 minicom root\n", [700]),
        ("701\n", []),  # its owner is dead
        ("\x02\x00\x00\x00", []),
        ("", []),
    ],
)
def test_uucp_lock_counts(machine: FakeMachine, text: str, pids: list[int]) -> None:
    machine.process(700, "minicom", opens="/dev/ttyUSB0")
    machine.process(702, "minicom")
    machine.lock_file("ttyUSB7", text)
    assert [holder.pid for holder in holders("/dev/ttyUSB7", machine.root)] == pids


def test_real_process_is_found_and_we_are_not() -> None:
    script = "import sys; port = open(sys.argv[1], 'rb'); print(flush=True); input()"
    with pty_pair() as pty:
        assert holders(pty.path) == []
        assert held_by_us(pty.path)
        with subprocess.Popen(
            [sys.executable, "-c", script, pty.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout
            process.stdout.readline()
            found = holders(pty.path)
            process.kill()
        path = pty.path
    assert [holder.pid for holder in found] == [process.pid]
    assert found[0].command.endswith(pty.path)
    assert not held_by_us(path)


def test_simulator_that_keeps_both_ends_is_no_holder() -> None:
    script = "import os; m, s = os.openpty(); print(os.ttyname(s), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        path = process.stdout.readline().strip()
        assert holders(path) == []
        with Path(path).open("rb", buffering=0):
            assert holders(path) == []  # nor are we
            assert held_by_us(path)
        assert not held_by_us(path)
        process.kill()


@pytest.mark.parametrize("path", ["", "relative", "/no/such/device", "/dev", "/"])
def test_odd_path_has_no_holders(path: str) -> None:
    assert holders(path, Path("/nowhere")) == []


def test_hidraw_is_told_by_the_kernel(tmp_path: Path) -> None:
    node = Path("/dev/null")
    entry = tmp_path / "dev/char/1:3"
    entry.mkdir(parents=True)
    assert not is_hidraw(str(node), tmp_path)
    (entry / "subsystem").symlink_to("../../../../class/mem")
    assert not is_hidraw(str(node), tmp_path)
    (entry / "subsystem").unlink()
    (entry / "subsystem").symlink_to("../../../../class/hidraw")
    assert is_hidraw(str(node), tmp_path)
    assert not is_hidraw("/no/such/node", tmp_path)
