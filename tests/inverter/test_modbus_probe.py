"""A unit that speaks Modbus RTU is recognised as such, and nobody else is disturbed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.bus import PrivateBus
from helpers.commands import command, simulated
from helpers.run import Daemon, Ports
from mppdbus.errors import NoReply, OtherProtocol
from mppdbus.inverter import timing
from mppdbus.inverter.device import Inverter
from mppdbus.inverter.link import Link
from mppdbus.inverter.modbus_probe import ModbusProbe, find_modbus
from mppdbus.protocol.modbus import QUESTIONS, Question, answers, checksum, encode_read
from mppdbus.simulator.line.simulator import Response, Simulator, simulate
from mppdbus.simulator.line.speed import Pace
from mppdbus.simulator.ports.server import serve_pty, serve_tcp
from mppdbus.simulator.unit.modbus import ModbusStation, crc
from mppdbus.transport import open_transport
from mppdbus.transport.port_url import parse_port

# What the Wi-Fi plug of a PowMr HVM sends every few seconds, as its owner recorded it.
RECORDED = ("05031195002d9143", "050311c20010e142")
SENT = [encode_read(station, register) for _, station, register in QUESTIONS]


# -- the codec, against a second one and against recorded bytes ----------------------


@pytest.mark.parametrize("text", RECORDED)
def test_recorded_checksums_fit(text: str) -> None:
    frame = bytes.fromhex(text)
    assert checksum(frame[:-2]) == crc(frame[:-2]) == frame[-2:]


def test_all_that_is_ever_sent_is_a_question_of_one_register() -> None:
    for request in SENT:
        assert (request[1], request[4:6]) == (3, b"\x00\x01")
        assert not set(request) & set(b"\r\n(")  # no PI30 unit takes it for a request


@given(st.integers(0, 0xFFFF), st.sampled_from(QUESTIONS))
def test_a_register_and_an_exception_are_answers(
    value: int, question: Question
) -> None:
    station = question.station
    for body in (bytes((station, 3, 2)) + value.to_bytes(2), bytes((station, 0x83, 2))):
        reply = body + crc(body)
        assert answers(b"\xff" + reply + b"\x00", station)
        assert not answers(reply, station + 1)
        assert not answers(reply[:-1], station)
        assert not answers(reply[:-1] + bytes((reply[-1] ^ 1,)), station)


@given(st.binary(max_size=64))
def test_noise_is_no_answer(data: bytes) -> None:
    assert not any(answers(data, question.station) for question in QUESTIONS)


@pytest.mark.parametrize("request_", SENT, ids=bytes.hex)
def test_an_echo_is_no_answer(request_: bytes) -> None:
    assert not answers(request_ * 2, request_[0])


# -- the simulated station ------------------------------------------------------------


def said(station: ModbusStation, data: bytes, now: float) -> bytes:
    """What comes of bytes that arrive together; b"" is silence."""
    return b"".join(station.take(byte, now) or b"" for byte in data)


def test_a_station_keeps_to_its_rules() -> None:
    station = ModbusStation(5)
    write = b"\x05\x06\x13\x9a\x00\x01"
    spoiled = encode_read(5, 4501)[:-1] + b"x"
    for now, (request, reply) in enumerate(
        (
            (bytes.fromhex(RECORDED[1]), b"\x05\x03\x20"),
            (encode_read(5, 60000), b"\x05\x83\x02"),
            (write + crc(write), b"\x05\x86\x01"),
            (encode_read(4, 4501), b""),
            (spoiled, b""),
            (b"QPI\xbe\xac\r", b""),
            (encode_read(5, 4501), b"\x05\x03\x02"),  # after a gap, anew
        )
    ):
        assert said(station, request, float(now))[:3] == reply
    assert station.requests == {3: 3, 6: 1}


# -- detect ---------------------------------------------------------------------------


def test_detect_names_a_modbus_unit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with simulated(tmp_path, "--scene", "modbus 5") as unit:
        said = command(capsys, "detect", "--port", unit.path)
        assert said.code == 3
        assert (
            f"{unit.path}: the device speaks Modbus RTU (station 5 at 2400 baud), not "
            "PI30; this driver does not speak Modbus: take one that does"
        ) in said.out
        assert "switched on" not in said.out
        (record,) = command(capsys, "detect", "--json", "--port", unit.path).records
        assert record["error"].startswith("other-protocol: the device speaks Modbus")
        unit.tell("modbus off")
        assert command(capsys, "detect", "--port", unit.path).code == 0


def test_a_silent_port_is_no_modbus_unit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with simulated(tmp_path, "--scene", "power off") as unit:
        said = command(capsys, "detect", "--port", unit.path)
        assert said.code == 3
        assert "QPI: no reply" in said.out
        assert "Is it the cable that came with it?" in said.out
        assert "Modbus" not in said.out
        unit.tell("power on")
        assert command(capsys, "detect", "--port", unit.path).code == 0


# -- the line -------------------------------------------------------------------------


class Mute(Simulator):
    """A PI30 unit that hears, and answers from the moment when it `wakes`."""

    def __init__(self) -> None:
        unit = simulate(pace=Pace.instant())
        super().__init__(unit.source, unit.scene)
        self.wakes = False
        self.heard: list[bytes] = []

    def respond(self, request: bytes, now: float) -> Response | None:
        self.heard.append(request)
        return super().respond(request, now) if self.wakes else None


def speaking(station: int) -> Simulator:
    unit = simulate(pace=Pace.instant())
    unit.scene.apply(f"modbus {station}")
    return unit


@asynccontextmanager
async def meeting(folder: Path) -> AsyncIterator[Inverter]:
    """One connection to the unit that is served at tty."""
    link = Link("garage", patience=0.1)
    clock = asyncio.get_running_loop().time
    inverter = Inverter("garage", link, clock)
    link.attach(await open_transport(f"serial:{folder / 'tty'}", link, baud=115200))
    try:
        yield inverter
    finally:
        await link.close()


def probe_at(folder: Path, baud: int = 115200) -> ModbusProbe:
    return ModbusProbe(parse_port(f"serial:{folder / 'tty'}"), baud)


@pytest.fixture
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "MODBUS_PATIENCE", {"serial": 0.05, "tcp": 0.1})
    monkeypatch.setattr(timing, "MODBUS_SETTLE", 0.05)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.usefixtures("haste")
async def test_each_station_is_found_by_one_function(
    tmp_path: Path, question: Question
) -> None:
    unit = speaking(question.station)
    async with serve_pty(unit, tmp_path / "tty"):
        found = await find_modbus(parse_port(f"serial:{tmp_path / 'tty'}"), 2400)
    assert found == question
    assert unit.scene.modbus is not None
    assert unit.scene.modbus.requests == {3: 1}


@pytest.mark.usefixtures("haste")
async def test_a_station_behind_a_serial_server_is_found() -> None:
    async with serve_tcp(speaking(4)) as port:
        found = await find_modbus(parse_port(f"tcp://{port.host}:{port.port}"), 2400)
    assert found is not None
    assert found.station == 4


@pytest.mark.usefixtures("haste")
async def test_usb_is_not_asked(tmp_path: Path) -> None:
    """No port is opened: there is none at the path."""
    assert await find_modbus(parse_port(f"hidraw:{tmp_path / 'none'}"), 2400) is None


@pytest.mark.usefixtures("haste")
async def test_a_silent_port_is_asked_once_and_left_clean(tmp_path: Path) -> None:
    """The CR ends what a unit that wakes up in the middle has in its buffer."""
    unit, asking = Mute(), probe_at(tmp_path)
    async with serve_pty(unit, tmp_path / "tty"):
        for attempt in range(3):
            unit.wakes = attempt == 2
            async with meeting(tmp_path) as inverter:
                if unit.wakes:
                    await asking.introduce(inverter)
                    assert inverter.identity.serial == "92932105100123"
                    assert inverter.link.stats.retries == 0
                else:
                    with pytest.raises(NoReply):
                        await asking.introduce(inverter)
        garbage = [request for request in unit.heard if request[:1] != b"Q"]
        assert garbage == [b"".join(SENT).lstrip(b"\0")]


@pytest.mark.usefixtures("haste")
async def test_the_answer_to_the_cr_is_not_taken_for_the_next_reply(
    tmp_path: Path,
) -> None:
    """A unit that hears again just as the CR comes says NAK to what it got."""
    unit, asking = (
        simulate(pace=Pace.instant(), scene="fault silence 2"),
        probe_at(tmp_path),
    )
    async with serve_pty(unit, tmp_path / "tty"):
        async with meeting(tmp_path) as inverter:
            with pytest.raises(NoReply):
                await asking.introduce(inverter)
        assert unit.scene.requests["(bad checksum)"] == 1
        async with meeting(tmp_path) as inverter:
            await asking.introduce(inverter)
            assert inverter.link.stats.lost == 0


@pytest.mark.usefixtures("haste")
async def test_where_pi30_was_spoken_nobody_is_asked_later(tmp_path: Path) -> None:
    """At night an inverter is switched off, and its port is as silent as any."""
    unit, asking = Mute(), probe_at(tmp_path)
    async with serve_pty(unit, tmp_path / "tty"):
        for unit.wakes in (True, False):
            async with meeting(tmp_path) as inverter:
                if unit.wakes:
                    await asking.introduce(inverter)
                else:
                    with pytest.raises(NoReply):
                        await asking.introduce(inverter)
        assert {request[:1] for request in unit.heard} == {b"Q"}


@pytest.mark.usefixtures("haste")
async def test_a_modbus_unit_is_named_each_time_but_asked_once(tmp_path: Path) -> None:
    unit, asking = speaking(5), probe_at(tmp_path)
    async with serve_pty(unit, tmp_path / "tty"):
        for _ in range(2):
            async with meeting(tmp_path) as inverter:
                with pytest.raises(OtherProtocol, match="speaks Modbus RTU"):
                    await asking.introduce(inverter)
        assert unit.scene.modbus is not None
        assert unit.scene.modbus.requests == {3: 1}
        unit.scene.apply("modbus off")  # the cable goes into an inverter of ours
        async with meeting(tmp_path) as inverter:
            await asking.introduce(inverter)


# -- the daemon -----------------------------------------------------------------------


async def test_the_daemon_says_it_and_the_others_go_on(tmp_path: Path) -> None:
    bus = PrivateBus(tmp_path)
    bus.start()
    async with Ports.below(tmp_path) as ports:
        await ports.add("alien", speaking(1))
        await ports.add("good")
        units = [ports.unit("alien", ""), ports.unit("good", "")]
        daemon = Daemon(tmp_path, bus.address, units)
        try:
            line = await daemon.says("speaks Modbus RTU (station 1 at 9600 baud)")
            assert "WARNING" in line
            assert "alien" in line
            await daemon.says("connected on")
        finally:
            daemon.stop()
            bus.stop()
