"""The simulated wire: framing, time, half duplex, and every fault."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.simulator import Wire, ask_once, inverter_of, payloads, warped
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.line.speed import Overrun, Pace, RequestCutter, verified
from mppdbus.simulator.unit.profiles_axpert import AXPERT_5000

NAK = encode_reply("NAK")
BYTE_S = 1 / 240


def cut(data: bytes) -> list[bytes]:
    cutter = RequestCutter()
    taken = (cutter.take(byte) for byte in data)
    return [request for request in taken if request is not None]


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_a_request_with_the_right_checksum_is_understood(command: str) -> None:
    assert verified(encode_request(command)[:-1]) == command


@given(st.binary(max_size=40))
@example(b"QMODI\xc1")
@example(b"QMODI\xc2")
@example(b"QCHGS\x01\xe2")
def test_a_request_is_understood_only_with_its_own_checksum(data: bytes) -> None:
    if (command := verified(data)) is not None:
        forms = [encode_request(command, zero_as_one=one) for one in (False, True)]
        assert data + b"\r" in forms


@pytest.mark.parametrize(
    ("sent", "requests"),
    [
        (b"QMODI\xc1\r", [b"QMODI\xc1"]),
        (b"QMODI\xc1\r\x00QMODI\xc1\r", [b"QMODI\xc1", b"QMODI\xc1"]),
        (b"POP02\xe2\n\r", [b"POP02\xe2"]),  # LF ends a command, as f0156 shows
        (b"\r\r\n\x00\x00\r", []),
        (b"Q" * 80 + b"\r", [b"Q" * 64]),
        (b"QMOD", []),
    ],
)
def test_requests_are_cut_at_cr_and_lf(sent: bytes, requests: list[bytes]) -> None:
    assert cut(sent) == requests


@pytest.mark.parametrize(
    ("wire", "zero", "understood"),
    [
        ("QCHGS\x00\xe2", "both", True),
        ("QCHGS\x01\xe2", "both", True),
        ("QCHGS\x00\xe2", "raw", True),
        ("QCHGS\x01\xe2", "raw", False),
        ("QCHGS\x00\xe2", "one", False),
        ("QCHGS\x01\xe2", "one", True),
        ("POP02\xe2\x0b", "both", True),
        ("POP02\xe2\x0a", "both", False),
        ("QMOD\x49\xc2", "both", False),
    ],
)
def test_forms_of_a_checksum(wire: str, zero: str, *, understood: bool) -> None:
    command = verified(wire.encode("latin-1"), zero=zero)
    assert (command is not None) is understood


@pytest.mark.parametrize(
    "request_bytes", [b"QMODI\xc2\r", b"QMOD\r", b"X\r", b"POP02\xe2\n", b"\xff\xfe\r"]
)
def test_a_bad_checksum_gives_nak_and_does_nothing(request_bytes: bytes) -> None:
    simulator = simulate()

    async def main() -> bytes:
        wire = Wire(simulator)
        wire.line.feed(request_bytes)
        await asyncio.sleep(1)
        return wire.data

    assert warped(main) == NAK
    assert inverter_of(simulator).writes == []


def test_a_reply_takes_the_time_that_its_bytes_take() -> None:
    async def main() -> None:
        wire = Wire(simulate())
        began = asyncio.get_running_loop().time()
        data = await wire.ask("QPIGS")
        times = [at - began for at, _ in wire.pieces]
        assert len(times) == len(data) == 110
        for number, at in enumerate(times, 1):
            assert at == pytest.approx((8 + number) * BYTE_S + 0.06, abs=1e-6)

    warped(main)


@pytest.mark.parametrize(
    ("pace", "expected_s", "pieces"),
    [
        (Pace(), 13 * BYTE_S - BYTE_S + 0.06, 5),
        (Pace(baud=24000), 12 / 2400 + 0.06, 5),
        (Pace(think=0.3), 12 * BYTE_S + 0.3, 5),
        (Pace(chunk=4), 12 * BYTE_S + 0.06, 2),
        (Pace(paced=False), 0.06, 1),
        (Pace.instant(), 0.0, 1),
    ],
    ids=str,
)
def test_paces(pace: Pace, expected_s: float, pieces: int) -> None:
    async def main() -> None:
        wire = Wire(simulate(pace=pace))
        began = asyncio.get_running_loop().time()
        assert payloads(await wire.ask("QMOD")) == [b"L"]
        assert wire.pieces[-1][0] - began == pytest.approx(expected_s, abs=1e-6)
        assert len(wire.pieces) == pieces

    warped(main)


def test_a_late_loop_catches_up_instead_of_falling_behind() -> None:
    async def main() -> None:
        wire = Wire(simulate())
        loop = asyncio.get_running_loop()
        wire.line.feed(encode_request("QPIGS"))
        await asyncio.sleep(0.2)
        before = len(wire.data)
        loop._warp.now += 0.1  # type: ignore[attr-defined]
        await asyncio.sleep(0.0001)
        assert len(wire.data) - before == pytest.approx(24, abs=1)
        await asyncio.sleep(1)
        assert wire.pieces[-1][0] == pytest.approx(118 * BYTE_S + 0.06, abs=1e-6)

    warped(main)


def test_think_time_varies_within_its_jitter() -> None:
    async def main() -> list[float]:
        wire = Wire(simulate(pace=Pace(think=0.1, jitter=0.05, paced=False)))
        loop, thinks = asyncio.get_running_loop(), []
        for _ in range(20):
            began = loop.time()
            await wire.ask("QMOD")
            thinks.append(wire.pieces[0][0] - began)
        return thinks

    thinks = warped(main)
    assert 0.05 <= min(thinks) < 0.08
    assert 0.12 < max(thinks) <= 0.15


def test_a_request_in_pieces_is_heard_when_it_is_complete() -> None:
    async def main() -> None:
        wire = Wire(simulate())
        loop = asyncio.get_running_loop()
        for byte in encode_request("QMOD"):
            wire.line.feed(bytes((byte,)))
            await asyncio.sleep(0.05)
        heard_at = loop.time() - 0.05
        await asyncio.sleep(1)
        assert payloads(wire.data) == [b"L"]
        assert wire.pieces[0][0] == pytest.approx(heard_at + 0.06 + BYTE_S, abs=1e-6)

    warped(main)


@pytest.mark.parametrize(
    ("overrun", "seen"),
    [
        (Overrun.LOST, [b"PI30"]),
        (Overrun.CORRUPT, []),
        (Overrun.QUEUED, [b"PI30", b"L"]),
    ],
)
def test_talking_while_it_answers(overrun: Overrun, seen: list[bytes]) -> None:
    async def main() -> bytes:
        wire = Wire(simulate(pace=Pace(overrun=overrun)))
        wire.line.feed(encode_request("QPI"))
        await asyncio.sleep(0.1)
        wire.line.feed(encode_request("QMOD"))
        await asyncio.sleep(3)
        return wire.data

    assert payloads(warped(main)) == seen


def test_the_next_request_is_heard_as_soon_as_the_reply_is_over() -> None:
    async def main() -> None:
        wire = Wire(simulate())
        wire.line.feed(encode_request("QPI"))
        while not wire.data.endswith(b"\r"):
            await asyncio.sleep(0.001)
        wire.line.feed(encode_request("QMOD"))
        await asyncio.sleep(1)
        assert payloads(wire.data) == [b"PI30", b"L"]

    warped(main)


def test_closing_stops_in_the_middle() -> None:
    async def main() -> None:
        wire = Wire(simulate())
        wire.line.feed(encode_request("QPIGS"))
        await asyncio.sleep(0.3)
        wire.line.close()
        seen = len(wire.data)
        await asyncio.sleep(1)
        assert 0 < seen == len(wire.data) < 110

    warped(main)


def test_time_passes_for_the_plant_between_requests() -> None:
    async def main() -> None:
        simulator = simulate(scene="time 10:00; speed 60")
        wire = Wire(simulator)
        await wire.ask("QT", 10)
        assert payloads(await wire.ask("QT"))[0].endswith(b"101000")
        simulator.scene.apply("pause")
        assert payloads(await wire.ask("QT", 30))[0].endswith(b"101000")
        simulator.scene.apply("resume")
        assert payloads(await wire.ask("QT", 10))[0].endswith(b"101000")
        assert payloads(await wire.ask("QT"))[0].endswith(b"102000")

    warped(main)


def test_quirks_of_a_personality_reach_the_line() -> None:
    async def main() -> None:
        odd = replace(
            AXPERT_5000, ends_with=b"\n", zero_crc="one", idle_deaf_s=60.0, refusal=None
        )
        wire = Wire(simulate(odd))
        assert await wire.ask("QMOD") == encode_reply("L")[:-1] + b"\n"
        await asyncio.sleep(60)
        assert await wire.ask("QMOD") == b""  # asleep
        assert payloads(await wire.ask("QMOD")) == [b"L"]
        assert await wire.ask("QNONSENSE") == b""
        wire.line.feed(b"QCHGS\x00\xe2\r")
        await asyncio.sleep(1)
        assert payloads(wire.data) == [b"NAK"]

    warped(main)


def test_hid_replies_leave_in_padded_reports_at_line_speed() -> None:
    async def main() -> None:
        wire = Wire(simulate(), report=8)
        began = asyncio.get_running_loop().time()
        data = await wire.ask("QPIGS")
        assert all(len(piece) == 8 for _, piece in wire.pieces)
        assert data == CLEAN_NOW(data) + bytes(2)
        gaps = {
            round(b - a, 6)
            for (a, _), (b, _) in zip(wire.pieces, wire.pieces[1:], strict=False)
        }
        assert gaps == {round(8 * BYTE_S, 6)}
        assert wire.pieces[-1][0] - began == pytest.approx(120 * BYTE_S + 0.06)

    warped(main)


def CLEAN_NOW(data: bytes) -> bytes:
    (payload,) = payloads(data)
    return encode_reply(payload)


def test_requests_are_counted() -> None:
    simulator = simulate()
    ask_once(simulator, "QMOD")
    ask_once(simulator, "QMOD")
    simulator.respond(b"QMODxx", 0.0)
    assert simulator.scene.requests == {"QMOD": 2, "(bad checksum)": 1}
