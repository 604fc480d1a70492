"""Where a port is plugged in, in a machine in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.machine import FakeMachine
from mppdbus.host.port_location import place_of


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def test_the_place_stays_when_the_number_changes(tmp_path: Path) -> None:
    places = set()
    for number in range(2):
        machine = FakeMachine(tmp_path / str(number))
        machine.usb_serial(f"ttyUSB{number}", "1a86:7523", usb_port="1-1.3")
        places.add(place_of(f"/dev/ttyUSB{number}", machine.root))
    assert places == {"usb 1-1.3:1.0"}


def test_two_sockets_are_two_places(machine: FakeMachine) -> None:
    machine.usb_serial("ttyUSB0", "1a86:7523", usb_port="1-1.3")
    machine.usb_serial("ttyUSB1", "1a86:7523", usb_port="1-1.4")
    assert place_of("/dev/ttyUSB0", machine.root) == "usb 1-1.3:1.0"
    assert place_of("/dev/ttyUSB1", machine.root) == "usb 1-1.4:1.0"


def test_a_link_leads_to_the_place(machine: FakeMachine) -> None:
    machine.usb_serial("ttyUSB0", "1a86:7523", usb_port="1-1.3")
    (link,) = (machine.root / "dev/serial/by-id").iterdir()
    path = f"/dev/serial/by-id/{link.name}"
    assert place_of(path, machine.root) == "usb 1-1.3:1.0"


def test_ports_behind_one_interface_are_told_apart(machine: FakeMachine) -> None:
    machine.usb_serial("ttyUSB0", "9710:7840", usb_port="1-2")
    number = machine.root / "sys/devices/platform/soc/usb1/1-2/1-2:1.0/ttyUSB0"
    (number / "port_number").write_text("2\n")
    assert place_of("/dev/ttyUSB0", machine.root) == "usb 1-2:1.0 port 2"
    (number / "port_number").write_text("0\n")
    assert place_of("/dev/ttyUSB0", machine.root) == "usb 1-2:1.0"


def test_hid_and_modems_have_places(machine: FakeMachine) -> None:
    machine.hid("hidraw3", "0003:00000665:00005161", "USB to Serial", usb_port="2-1")
    machine.usb_modem("ttyACM0", "1111:2222")
    assert place_of("/dev/hidraw3", machine.root) == "usb 2-1:1.0"
    assert place_of("/dev/ttyACM0", machine.root) == "usb 1-2:1.0"


@pytest.mark.parametrize("name", ["ttyS0", "ttyUSB9", "inverter"])
def test_anything_else_is_where_its_name_says(machine: FakeMachine, name: str) -> None:
    machine.onboard("ttyS0")
    assert place_of(f"/dev/{name}", machine.root) == name
