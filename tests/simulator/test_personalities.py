"""What each simulated inverter answers, what it is taken for, and its own ways."""

from __future__ import annotations

import pytest

from helpers.personalities import ALL, of, said
from helpers.simulator import ask_once, inverter_of, payloads
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.protocol.identification import identify
from mppdbus.protocol.queries import QUERIES, base_command, decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.simulator.unit.profile import UnitProfile
from mppdbus.simulator.unit.profiles import PROFILES


def test_serials_are_as_long_as_real_ones() -> None:
    assert {len(profile.serial) for profile in ALL} == {14}
    assert all(p.fixed["QID"] == p.serial for p in ALL)


# What the driver should take each for.
DIALECT = {
    "ms-3000": "pi30ms",
    "ms-3000-17": "pi30ms",
    "mks-5000": "pi30",
    "plus-duo-5000": "pi30duo",
    "plus-tri-5000": "pi30duo",
    "axpert-5000": "pi30vm3",
    "vm3-twin-4000": "pi30vm3",
    "vm4-3200": "pi30vm4",
    "mks2-5000": "pi30mks2",
    "king-5000": "pi30king",
    "max-7200": "pi30max",
    "max-8000": "pi30max",
    "max-11000": "pi30max",
    "max-3600": "pi30max24",
    "phocos-5000": "pi30max",
    "eg4-6500": "pi30lv",
    "lv6548": "pi30lv",
    "nxpw-4200": "pi30clone",
    "nxpw-10200": "pi30clone",
    "vevor-4000": "pi30vmii",
    "lv5048": "pi41",
    "revo-5500": "revo",
}
ARGUMENTS = {"QPGS": "0", "QP2GS": "0", "QEY": "2024", "QEM": "202406"}
ARGUMENTS |= {"QED": "20240621", "QLY": "2024", "QLM": "202406", "QLD": "20240621"}


def answers(inverter: SimulatedInverter) -> dict[str, str]:
    """Everything that a personality says it answers."""
    profile = inverter.profile
    names = (profile.queries | set(profile.fixed)) - profile.summed
    commands = [name + ARGUMENTS.get(name, "") for name in sorted(names)]
    return {command: said(inverter, command) for command in commands}


@pytest.mark.parametrize("name", PROFILES)
def test_the_driver_reads_every_reply_and_knows_the_dialect(name: str) -> None:
    sun = " ".join(("900", "700", "500")[: PROFILES[name].trackers])
    simulator = simulate(name, scene=f"pause; pv {sun}")
    readings: dict[str, Reading] = {}
    status = b""
    for command, payload in answers(inverter_of(simulator)).items():
        if payload in ("NAK", "ACK"):
            continue
        if command == "QPIGS":
            status = payload.encode()
        base = base_command(command)
        assert base in QUERIES, command
        readings[base] = decode(command, payload.encode())
    assert (
        identify(Evidence.gather(readings, status)).dialect is DIALECTS[DIALECT[name]]
    )


def test_every_personality_has_a_dialect() -> None:
    assert set(DIALECT) == set(PROFILES)


@pytest.mark.parametrize("profile", ALL, ids=PROFILES)
def test_every_advertised_query_is_answered(profile: UnitProfile) -> None:
    for command, answer in answers(SimulatedInverter(profile=profile)).items():
        assert answer != "NAK" or command in ("QPICF", "QPIHF"), command


@pytest.mark.parametrize("profile", ALL, ids=PROFILES)
def test_what_is_not_supported_gets_nak_or_silence(profile: UnitProfile) -> None:
    inverter = SimulatedInverter(profile=profile)
    expected = None if profile.name == "vevor-4000" else "NAK"
    for command in ("QNONSENSE", "QLITH1", "POP77", "PNONSENSE", "", "QPGSA"):
        assert inverter.answer(command) == expected
    assert inverter.writes == []


def test_the_ms_counts_instead_of_measuring() -> None:
    simulator = simulate("ms-3000", scene="pause; grid off; temperature 30")
    words = said(inverter_of(simulator), "QPIGS").split()
    assert words[0] == "001.0"
    assert int(words[11]) > 400
    assert words[12] == f"{800 / simulator.scene.physics.battery_v:04.0f}"
    assert words[14] == words[8]


def test_the_second_leg_of_a_split_phase_unit() -> None:
    simulator = simulate("lv5048", scene="pause; load 1000; legs 60")
    inverter = inverter_of(simulator)
    first, second = (said(inverter, q).split() for q in ("QPIGS", "QPIGS2"))
    assert (first[5], second[5]) == ("0600", "0400")
    assert (first[6], second[6]) == ("027", "018")  # of half the rating
    assert (first[2], second[2]) == ("120.0", "120.0")
    assert said(inverter, "QP2GS0").split()[9] == "0400"
    assert said(inverter, "QPGS0").split()[17] == "01000"
    assert simulate("max-8000").scene.apply("legs 60").startswith("error: ")


def test_the_battery_of_a_split_phase_unit_may_be_open() -> None:
    simulator = simulate("lv5048", scene="pause; warn 22 on")
    assert said(inverter_of(simulator), "QPGS0").split()[19] == "11102010"  # f0338
    usual = simulate("max-8000", scene="pause; warn 22 on")
    assert said(inverter_of(usual), "QPGS0").split()[19][3:5] == "10"


def test_the_trackers_of_a_plus_tri() -> None:
    simulator = simulate("plus-tri-5000", scene="pause; grid off; load 100; soc 40")
    simulator.scene.apply_script("pv 800 600 400")
    words = said(inverter_of(simulator), "QPIGS2").split()
    assert len(words) == 12
    assert (words[3], words[10], words[11]) == ("00600", "00400", "01800")
    assert words[4][:2] == "11"
    assert said(inverter_of(simulator), "QP2GS0").split()[4] == "00600"


def test_the_mains_current_of_a_vm_iv() -> None:
    simulator = simulate("vm4-3200", scene="pause; pv 0; load 460; battery 26 0")
    words = said(inverter_of(simulator), "QPIGS").split()
    assert (len(words), words[24]) == (25, "02.0")


def test_a_clone_cuts_its_rating_and_hides_its_second_tracker() -> None:
    simulator = simulate("nxpw-10200", scene="pause; grid off; load 1500; pv 900 600")
    inverter = inverter_of(simulator)
    assert said(inverter, "QPIRI").split()[5:7] == ["0200", "0200"]
    assert said(inverter, "QPIRI").split()[1] == "44.3"
    assert said(inverter, "QPIGS").split()[19] == "01500"
    assert inverter.answer("QPIGS2") == "NAK"


def test_a_weak_battery_shows_on_a_max_only() -> None:
    for name, length, weak in (("max-8000", 36, True), ("king-5000", 36, False)):
        simulator = simulate(name, scene="pause; grid off; pv 0; battery 43.5 -10")
        warnings = said(inverter_of(simulator), "QPIWS")
        assert len(warnings) == length
        assert (warnings[12], warnings[31] == "1") == ("1", weak)


@pytest.mark.parametrize(
    ("name", "bit"), [("axpert-5000", 31), ("king-5000", 32), ("max-8000", 32)]
)
def test_where_the_fault_code_stands(name: str, bit: int) -> None:
    simulator = simulate(name, scene="pause; fault 57")
    assert said(inverter_of(simulator), "QPIWS")[bit : bit + 2] == "57"


def test_a_bms_tells_a_max_its_charge() -> None:
    inverter = of("max-8000")
    assert inverter.answer("PBMS0 042 0 0 0 532 532 450 0120 0240") == "ACK"
    assert said(inverter, "QPIGS").split()[10] == "042"
    assert inverter.answer("PBMS0 42 0 0 0 532 532 450 0120 0240") == "NAK"
    assert inverter.answer("PBMS1 042 0 0 0 532 532 450 0120 0240") == "ACK"
    assert said(inverter, "QPIGS").split()[10] == "080"


def test_vevor_says_nothing_to_garbage_and_speaks_without_checksums() -> None:
    simulator = simulate("vevor-4000", scene="pause; grid on 239 50")
    respond = simulator.respond

    def wire(data: bytes) -> bytes | None:
        response = respond(data, 0.0)
        return None if response is None else response.data

    assert wire(b"QPIGS\x00\x01") is None
    assert wire(b"QPIGS") is None
    hgrid = wire(b"HGRID")
    assert hgrid == b"(239.0 50.0 280 090 70 40 +00000 0 04500 11+00000\r"
    assert wire(b"QPRTL") == b"(HPVINV02\r"
    assert wire(encode_request("HGRID")[:-1]) is None
    assert wire(encode_request("QMOD")[:-1]) == encode_reply("L")


def test_the_revo_adds_instead_of_dividing() -> None:
    simulator = simulate("revo-5500", scene="pause; scene bat+pv")

    def wire(command: bytes) -> bytes:
        check = bytes(((sum(command) + 1) & 0xFF,))
        response = simulator.respond(command + check, 0.0)
        assert response is not None
        return response.data

    qall = wire(b"QALL")
    assert qall[:1] == b"("
    assert qall[-2] == (sum(qall[:-2]) + 1) & 0xFF
    assert len(qall[1:-2].split()) == 18
    assert qall[1:-2].split()[4] == b"0500"
    assert wire(b"PSET0") == b"(NAK\x03\r"  # f0406
    assert payloads(ask_once(simulator, "QALL")) == [b"NAK"]
    words = said(inverter_of(simulator), "QPIGS").split()
    assert (words[5], words[12], words[19]) == ("0500", "0800", "00800")
    assert len(said(inverter_of(simulator), "QPIRI").split()) == 21
