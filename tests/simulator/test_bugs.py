"""Every bug of the firmware shows its symptom, and goes when it is switched off."""

from __future__ import annotations

import asyncio
import json

import pytest

from helpers.simulator import Wire, ask_once, inverter_of, payloads, warped
from mppdbus.errors import ConfigError
from mppdbus.protocol.framing import ResponseFramer, encode_reply, encode_request
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.simulator.plant.battery import Phase
from mppdbus.simulator.unit.bugs import BUGS
from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.simulator.unit.profiles import PROFILES

NAK = encode_reply("NAK")
FIXED = "pause; temperature 31; battery 52 20"


def with_bug(
    name: str, scene: str = FIXED, profile: str = "max-8000"
) -> tuple[Simulator, SimulatedInverter]:
    simulator = simulate(profile, scene=f"{scene}; bug {name} on")
    return simulator, inverter_of(simulator)


def words(inverter: SimulatedInverter, command: str) -> list[str]:
    answer = inverter.answer(command)
    assert answer is not None
    return answer.split(" ")


def respond(simulator: Simulator, request: bytes, now: float = 0.0) -> bytes | None:
    response = simulator.respond(request, now)
    return None if response is None else response.data


def asked(simulator: Simulator, command: str, now: float = 0.0) -> bytes | None:
    return respond(simulator, encode_request(command)[:-1], now)


def test_every_bug_is_tested() -> None:
    tested = {name.removeprefix("test_bug_") for name in globals()}
    assert {name.replace("-", "_").replace(".", "_") for name in BUGS} <= tested
    assert all(bug.about and bug.source for bug in BUGS.values())
    assert all(bug.traits or bug.says or bug.sends for bug in BUGS.values())


@pytest.mark.parametrize("profile", PROFILES)
def test_every_bug_fits_every_personality_and_can_be_taken_back(profile: str) -> None:
    commands = ("QPIGS", "QPIRI", "QPIWS", "QPGS0", "Q1", "QMOD", "QNONSENSE", "QID")
    well = simulate(profile, scene=FIXED)
    ill = simulate(profile, scene=FIXED)
    for name in BUGS:
        assert ill.scene.apply(f"bug {name} on").startswith("ok")
    for command in commands * 5:
        asked(ill, command)
    for name in BUGS:
        assert ill.scene.apply(f"bug {name} off").startswith("ok")
    for now, command in enumerate(commands, 1000):
        assert asked(ill, command, now) == asked(well, command, now)


def test_bug_bogus_serial() -> None:
    _, inverter = with_bug("bogus-serial")
    assert words(inverter, "QID") == ["96342107100456"]
    assert inverter.answer("PF") == "ACK"
    assert words(inverter, "QID") == ["55355535553555"]


@pytest.mark.parametrize("buggy", [False, True])
def test_bug_premature_float(*, buggy: bool) -> None:
    simulator = simulate(
        scene="pause; grid off; load 100; soc 50; pv 400"
        + ("; bug premature-float on" if buggy else "")
    )
    plant = simulator.scene.physics
    assert plant.charge_stage is Phase.BULK
    plant.step(40)
    assert plant.charge_stage is Phase.BULK
    plant.step(30)  # 6 A of 60 A for more than 50 s
    assert plant.charge_stage is (Phase.FLOAT if buggy else Phase.BULK)
    assert plant.battery_v < plant.settings.bulk_v - 2
    simulator.scene.apply_script("pv 4000")
    plant.step(600)
    assert plant.charge_stage is (Phase.FLOAT if buggy else Phase.BULK)
    simulator.scene.apply_script("pv 0")
    plant.step(20)
    simulator.scene.apply_script("pv 4000")
    assert plant.charge_stage is Phase.BULK  # a new day


def test_premature_float_counts_the_time_below_the_voltage_too() -> None:
    simulator, inverter = with_bug("premature-float", "pause; grid off; load 100")
    assert inverter.answer("PCVT010") == "ACK"
    plant = simulator.scene.physics
    plant.pins.battery = 56.0, 20.0  # near 56.4 V once
    plant.step(60)
    seen = [plant.charge_stage]
    plant.pins.battery = 52.0, 20.0
    for seconds in (500, 60):
        plant.step(seconds)
        seen.append(plant.charge_stage)
    assert seen == [Phase.ABSORPTION, Phase.ABSORPTION, Phase.FLOAT]


def test_bug_late_priority() -> None:
    simulator, inverter = with_bug("late-priority", "pause; pv 0; soc 90")
    plant = simulator.scene.physics
    assert plant.mode == "L"
    assert inverter.answer("POP02") == "ACK"
    assert words(inverter, "QPIRI")[16] == "2"
    plant.step(290)
    assert plant.mode == "L"
    plant.step(20)
    assert plant.mode == "B"
    simulator.scene.apply("bug late-priority off")
    assert inverter.answer("POP00") == "ACK"
    assert plant.mode == "L"


def test_bug_ack_only() -> None:
    simulator, inverter = with_bug("ack-only")
    before = words(inverter, "QPIRI")
    for setter in ("POP02", "MNCHGC0100", "PBCV50.0", "PF"):
        assert inverter.answer(setter) == "ACK"
        assert words(inverter, "QPIRI") == before
    assert inverter.answer("POP09") == "NAK"
    assert inverter.writes == []
    simulator.scene.apply("bug ack-only off")
    assert inverter.answer("POP02") == "ACK"
    assert words(inverter, "QPIRI")[16] == "2"


def test_bug_stuck_totals() -> None:
    simulator, inverter = with_bug("stuck-totals")
    first = words(inverter, "QPGS0")
    simulator.scene.apply("load 2000")
    now, empty = words(inverter, "QPGS0"), words(inverter, "QPGS4")
    assert (first[9], now[9]) == ("0500", "2000")
    assert first[15:19] == now[15:19] == empty[15:19]


@pytest.mark.parametrize(("name", "shown"), [("volts-6.7", 6.7), ("volts-1.1", 1.1)])
def test_bug_volts_6_7(name: str, shown: float) -> None:
    simulator, inverter = with_bug(name, "pause; output off")
    for query, word in (("QPIGS", 8), ("QPGS0", 11)):
        seen = {float(words(inverter, query)[word]) for _ in range(4)}
        assert shown in seen
        assert max(seen) > 50
    simulator.scene.apply("output on")
    assert min(float(words(inverter, "QPIGS")[8]) for _ in range(4)) > 50


test_bug_volts_1_1 = test_bug_volts_6_7


def test_bug_small_loads() -> None:
    simulator, inverter = with_bug("small-loads", "pause; load 90")
    assert words(inverter, "QPIGS")[4:7] == ["0000", "0000", "000"]
    assert simulator.scene.truth()["load_w"] == 90
    simulator.scene.apply("load 110")
    assert words(inverter, "QPIGS")[5] == "0110"


def test_bug_blind_discharge() -> None:
    simulator, inverter = with_bug("blind-discharge", "pause; grid off; pv 0; load 110")
    assert words(inverter, "QPIGS")[15] == "00000"
    simulator.scene.apply("load 150")
    assert words(inverter, "QPIGS")[15] == "00003"


def test_bug_soc_from_volts() -> None:
    simulator, inverter = with_bug("soc-from-volts", "pause; soc 50; battery 53.9 5")
    assert words(inverter, "QPIGS")[10] == "099"
    assert simulator.scene.truth()["soc"] == 50


def test_bug_pv_amps_at_battery() -> None:
    _, inverter = with_bug("pv-amps-at-battery", FIXED + "; grid off; pv 1040 0")
    shown = words(inverter, "QPIGS")
    assert (shown[12], shown[13], shown[19]) == ("20.0", "320.0", "01040")


def test_bug_wrong_ratings() -> None:
    _, inverter = with_bug("wrong-ratings", profile="max-11000")
    shown = words(inverter, "QPIRI")
    assert (shown[1], shown[4], shown[5], shown[6]) == ("04.8", "04.8", "1000", "1000")
    _, inverter = with_bug("wrong-ratings", profile="ms-3000")
    assert words(inverter, "QPIRI")[1] == "01.3"  # f0014


def test_bug_volts_per_block() -> None:
    _, inverter = with_bug("volts-per-block", profile="ms-3000")
    assert words(inverter, "QPIRI")[8:12] == ["11.5", "10.5", "14.1", "13.5"]


def test_bug_padded_q1() -> None:
    _, inverter = with_bug("padded-q1")
    answer = inverter.answer("Q1")
    assert answer is not None
    assert answer.startswith("    1 00000 ")
    assert len(answer.split()) == 27


def test_bug_decimal_status() -> None:
    _, inverter = with_bug("decimal-status", FIXED + "; warn 22 on")
    assert words(inverter, "QPGS0")[19][3:5] == "02"


def test_bug_raw_temperature() -> None:
    _, inverter = with_bug("raw-temperature")
    assert 400 < int(words(inverter, "QPIGS")[11]) < 700


def test_bug_silent_nak() -> None:
    simulator, inverter = with_bug("silent-nak")
    assert inverter.answer("QNONSENSE") is None
    assert inverter.answer("POP09") is None
    assert asked(simulator, "QNONSENSE") is None


def test_bug_bare_nak() -> None:
    simulator, _ = with_bug("bare-nak")
    assert asked(simulator, "QNONSENSE") == b"(NAK\r"
    assert asked(simulator, "QMOD") == encode_reply("L")


def test_bug_torn_nak() -> None:
    simulator, inverter = with_bug("torn-nak")
    unescaped = b"POP02\xe2\x0a\x0d"  # f0156

    async def main() -> bytes:
        wire = Wire(simulator)
        wire.line.feed(unescaped)
        await asyncio.sleep(1)
        return wire.data

    assert warped(main) == b"(NAK\rs\r"
    assert inverter.writes == []


def test_bug_echo() -> None:
    simulator, _ = with_bug("echo")
    assert asked(simulator, "QMOD") == encode_request("QMOD") + encode_reply("L")


def test_bug_lf() -> None:
    simulator, _ = with_bug("lf")
    assert asked(simulator, "QMOD") == encode_reply("L")[:-1] + b"\n"


def test_bug_crlf() -> None:
    simulator, _ = with_bug("crlf")
    assert asked(simulator, "QMOD") == encode_reply("L") + b"\n"


def test_two_manners_live_side_by_side() -> None:
    simulator, _ = with_bug("crlf", FIXED + "; bug idle-deaf on; bug echo on")
    reply = asked(simulator, "QMOD", 0.0)
    assert reply == encode_request("QMOD") + encode_reply("L") + b"\n"
    assert asked(simulator, "QMOD", 100.0) is None


def test_bug_zero_sent_as_one() -> None:
    simulator, inverter = with_bug("zero-sent-as-one")
    hits = 0
    for watts in range(400):
        simulator.scene.apply(f"load {watts}")
        good, sent = inverter.reply("QPIGS"), asked(simulator, "QPIGS")
        assert good is not None
        assert sent is not None
        assert sent == good[:-3] + good[-3:-1].replace(b"\x00", b"\x01") + b"\r"
        hits += sent != good
    assert hits


def test_bug_zero_heard_as_one() -> None:
    simulator, _ = with_bug("zero-heard-as-one")
    usual = encode_request("MNCHGC0127")[:-1]
    assert b"\x00" in usual
    assert respond(simulator, usual) == NAK
    assert simulator.scene.requests["(bad checksum)"] == 1
    respond(simulator, encode_request("MNCHGC0127", zero_as_one=True)[:-1])
    assert simulator.scene.requests["MNCHGC0127"] == 1


def test_bug_idle_deaf() -> None:
    simulator, _ = with_bug("idle-deaf")
    assert asked(simulator, "QMOD", 0.0) is not None
    assert asked(simulator, "QMOD", 59.0) is not None
    assert asked(simulator, "QMOD", 120.0) is None
    assert asked(simulator, "QMOD", 121.0) is not None


def test_bug_lost_report() -> None:
    simulator, _ = with_bug("lost-report")
    replies = [asked(simulator, "QPIRI") or b"" for _ in range(10)]
    assert [len(payloads(reply)) for reply in replies] == [1, 1, 1, 1, 0] * 2
    assert len(replies[0]) - len(replies[4]) == 8


def test_bug_foreign_replies() -> None:
    simulator, _ = with_bug("foreign-replies")
    got = [payloads(asked(simulator, "QID") or b"") for _ in range(6)]
    assert [len(frames) for frames in got] == [1, 1, 2] * 2
    assert got[2] == [b"L", b"96342107100456"]


def test_bug_leading_ff() -> None:
    simulator, _ = with_bug("leading-ff")
    replies = [ask_once(simulator, "QMOD") for _ in range(4)]
    assert replies == [encode_reply("L")] * 3 + [b"\xff" + encode_reply("L")]
    assert payloads(replies[3]) == [b"L"]


def test_bugs_by_the_control_language() -> None:
    scene = simulate(scene="pause").scene
    assert scene.apply("bug echo on") == "ok bugs: echo"
    assert scene.apply("bug lf on") == "ok bugs: echo lf"
    shown = json.loads(scene.apply("bugs").removeprefix("ok "))
    assert shown == {name: name in ("echo", "lf") for name in BUGS}
    assert scene.apply("bug echo off") == "ok bugs: lf"
    assert scene.apply("bug lf off") == "ok bugs: none"
    assert "no bug 'nonsense'; there are bogus-serial" in scene.apply("bug nonsense on")
    with pytest.raises(ConfigError, match="maybe is neither on nor off"):
        scene.apply_script("bug echo maybe")


def test_intact_frames_pass_the_driver_while_bugs_of_the_wire_are_on() -> None:
    simulator, _ = with_bug("crlf", FIXED + "; bug echo on; bug leading-ff on")
    framer = ResponseFramer()
    intact = 0
    for _ in range(20):
        data = asked(simulator, "QPIGS") or b""
        intact += sum(frame.intact for frame in framer.feed(data))
    assert intact == 20
