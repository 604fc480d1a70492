"""Every fault of the simulated line does what its name says, and for how long."""

from __future__ import annotations

import asyncio
import random

import pytest

from helpers.simulator import Wire, ask_once, inverter_of, payloads, warped
from mppdbus.protocol.framing import Flaw, ResponseFramer, encode_reply, encode_request
from mppdbus.simulator.line.faults import FaultKind, Faults
from mppdbus.simulator.line.simulator import simulate

NAK = encode_reply("NAK")
BYTE_S = 1 / 240
# What "QPIGS" gives while nothing is wrong.
CLEAN = ask_once(simulate(scene="pause"), "QPIGS")


def faulty(kind: FaultKind, command: str = "QPIGS", seed: int = 0) -> bytes:
    simulator = simulate(scene=f"pause; fault {kind}", seed=seed)
    broken = ask_once(simulator, command)
    assert simulator.scene.faults.struck == 1
    assert payloads(ask_once(simulator, "QMOD")) == [b"L"]  # it lasts for one reply
    return broken


def flaws(data: bytes) -> list[Flaw | None]:
    return [frame.flaw for frame in ResponseFramer().feed(data)]


def test_every_fault_is_tested() -> None:
    tested = {name.removeprefix("test_fault_") for name in globals()}
    assert {kind.value for kind in FaultKind} <= tested


def test_fault_silence() -> None:
    assert faulty(FaultKind.SILENCE) == b""
    simulator = simulate(scene="fault silence")
    assert ask_once(simulator, "POP02") == b""
    assert inverter_of(simulator).writes == []  # never heard


def test_fault_lost() -> None:
    assert faulty(FaultKind.LOST) == b""
    simulator = simulate(scene="fault lost")
    assert ask_once(simulator, "POP02") == b""
    assert inverter_of(simulator).writes == ["POP02"]  # obeyed all the same


def test_fault_nak() -> None:
    assert faulty(FaultKind.NAK) == NAK
    simulator = simulate(scene="fault nak")
    assert ask_once(simulator, "POP02") == NAK
    assert inverter_of(simulator).writes == []


@pytest.mark.parametrize("seed", range(20))
def test_fault_corrupt(seed: int) -> None:
    broken = faulty(FaultKind.CORRUPT, seed=seed)
    pairs = zip(broken, CLEAN, strict=True)
    assert sum((a ^ b).bit_count() for a, b in pairs) == 1
    assert payloads(broken) == []


def test_fault_cut() -> None:
    assert faulty(FaultKind.CUT) == CLEAN[:55]


def test_fault_half() -> None:
    broken = faulty(FaultKind.HALF)
    assert broken.startswith(CLEAN[:55])
    assert len(broken) == 55 + 12
    assert b"\r" not in broken


def test_fault_noise() -> None:
    broken = faulty(FaultKind.NOISE)
    assert broken.endswith(CLEAN)
    assert len(broken) > len(CLEAN)
    assert payloads(broken) == payloads(CLEAN)


def test_fault_extra() -> None:
    broken = faulty(FaultKind.EXTRA)
    assert broken.startswith(CLEAN + b"\n\x00")
    assert len(broken) > len(CLEAN) + 2


def test_fault_echo() -> None:
    assert faulty(FaultKind.ECHO) == encode_request("QPIGS") + CLEAN


def test_fault_loopback() -> None:
    broken = faulty(FaultKind.LOOPBACK)
    assert broken == encode_request("QPIGS")
    assert flaws(broken) == [Flaw.ECHO]


def test_fault_wrong() -> None:
    assert payloads(faulty(FaultKind.WRONG)) == [b"L"]
    assert payloads(faulty(FaultKind.WRONG, "QMOD")) == [b"92932105100123"]


@pytest.mark.parametrize("seed", range(5))
def test_fault_lostreport(seed: int) -> None:
    broken = faulty(FaultKind.LOSTREPORT, seed=seed)
    at = next(n for n in range(0, 110, 8) if CLEAN[:n] + CLEAN[n + 8 :] == broken)
    assert at % 8 == 0
    assert payloads(broken) == []


def test_fault_zeroed() -> None:
    (payload,) = payloads(faulty(FaultKind.ZEROED))
    assert set(payload) == set(b"0. ")
    assert len(payload) == len(CLEAN) - 4


def test_fault_spike() -> None:
    (payload,) = payloads(faulty(FaultKind.SPIKE))
    words, clean = payload.split(), CLEAN[1:-3].split()
    assert words[8] == b"06.70"
    assert words[:8] + words[9:] == clean[:8] + clean[9:]
    assert payloads(faulty(FaultKind.SPIKE, "QMOD")) == [b"L"]


def test_fault_slow() -> None:
    async def main() -> None:
        wire = Wire(simulate(scene="fault slow; fault slow 0.5s"))
        for extra in (2.0, 0.5):
            began = asyncio.get_running_loop().time()
            await wire.ask("QMOD")
            took = wire.pieces[-1][0] - began
            assert took == pytest.approx(12 * BYTE_S + 0.06 + extra, abs=1e-6)

    warped(main)


def test_fault_lf() -> None:
    assert faulty(FaultKind.LF) == CLEAN[:-1] + b"\n"


def test_fault_disconnect() -> None:
    async def main() -> None:
        wire = Wire(simulate(scene="fault disconnect; fault disconnect 3s"))
        assert await wire.ask("QMOD") == b""
        assert await wire.ask("QMOD") == b""
        assert wire.gone == [0.5, 3.0]
        assert payloads(await wire.ask("QMOD")) == [b"L"]

    warped(main)


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("command", ["QMOD", "POP02", "QPIGS", "QPIGS2"])
def test_any_fault_may_strike_any_command(kind: FaultKind, command: str) -> None:
    simulator = simulate(scene=f"fault {kind} forever")
    for _ in range(3):
        ask_once(simulator, command)
    assert simulator.scene.faults.struck == 3


def test_faults_strike_as_often_as_asked_and_where_asked() -> None:
    faults = Faults(random.Random(1))
    faults.arm("nak", 2, command="QPIGS2")
    faults.arm(FaultKind.CUT, None, chance=0.1)
    seen = [faults.take("QPIGS") for _ in range(1000)]
    assert 70 < sum(fault is not None for fault in seen) < 130
    struck = [faults.take("QPIGS2") for _ in range(3)]
    assert [fault and fault.kind for fault in struck[:2]] == [
        FaultKind.NAK,
        FaultKind.NAK,
    ]
    assert struck[2] is None or struck[2].kind is FaultKind.CUT
    faults.clear()
    assert all(faults.take("QPIGS") is None for _ in range(100))
