"""The interview: everything safe is asked, nothing else, and every byte is kept."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from itertools import groupby

import pytest

from helpers.scripted import FIELD
from helpers.simulator import inverter_of, warped
from mppdbus.errors import EchoedRequest, NoReply, OtherProtocol
from mppdbus.protocol.framing import encode_reply
from mppdbus.protocol.optional_queries import CAPABILITIES
from mppdbus.protocol.queries import base_command
from mppdbus.recording.journal_entries import RecordedUnit, entries_of
from mppdbus.recording.recorder import ALWAYS, Recorder, is_query
from mppdbus.recording.recording_link import RecordingLink
from mppdbus.recording.reply_quality import Exchange, judge_reply
from mppdbus.simulator.line.line import Line
from mppdbus.simulator.line.simulator import Simulator, simulate
from mppdbus.simulator.scene.control import Scene
from mppdbus.simulator.unit.recording import Recording
from mppdbus.transport import Receiver

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


class MemoryPort:
    """A transport whose inverter is on the same loop, at the speed of a real line."""

    label = "memory"
    byte_time = 10 / 2400
    sends_zero_as_one = False

    def __init__(self, simulator: Simulator, receiver: Receiver) -> None:
        self._line = Line(simulator, receiver.data_received, lambda _: None)

    def write(self, data: bytes) -> None:
        self._line.feed(data)

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def discard_input(self) -> None: ...

    async def close(self) -> None: ...


class Done:
    """An interview that took no real time: what was asked, and when it was over."""

    def __init__(self, simulator: Simulator, *, cycles: int = 0) -> None:
        self.told: list[str] = []
        self.seconds = 0.0
        self.exchanges: list[Exchange] = []
        self.recorder = warped(lambda: self._run(simulator, cycles))

    async def _run(self, simulator: Simulator, cycles: int) -> Recorder:
        clock = asyncio.get_running_loop().time
        link = RecordingLink("unit", patience=0.6)
        link.attach(MemoryPort(simulator, link))
        recorder = Recorder(link, self.told.append)
        try:
            await recorder.ask_all(NOW)
            await recorder.ask_live(lambda cycle: cycle >= cycles)
        finally:
            self.exchanges, self.seconds = link.exchanges, clock()
        return recorder

    @property
    def commands(self) -> list[str]:
        return [exchange.command for exchange in self.exchanges]

    @property
    def qualities(self) -> dict[str, str]:
        return {one.command: judge_reply(one.command, one.response).quality
                for one in self.exchanges}  # fmt: skip


def saying(unrecorded: str | None = "NAK", **replies: str) -> Simulator:
    """A unit that says what is given and refuses the rest, or is silent to it."""
    said = {command: [encode_reply(text)] for command, text in replies.items()}
    rest = None if unrecorded is None else encode_reply(unrecorded)
    return Simulator(Recording("unit", said, rest), Scene(None))


@pytest.mark.parametrize("profile", ["axpert-5000", "max-8000"])
def test_everything_is_asked_and_nothing_is_set(profile: str) -> None:
    simulator = simulate(profile)
    done = Done(simulator)
    asked = {base_command(command) for command in done.commands}
    assert asked >= {"QPI", *ALWAYS, *map(base_command, CAPABILITIES)}
    final = [one.command for one in done.exchanges if one.final]
    assert len(set(final)) == len(final)
    assert all(map(is_query, simulator.scene.requests))
    assert inverter_of(simulator).writes == []
    # A short reply that came for another query before is asked for once more.
    assert done.told == [command for command, _ in groupby(done.commands)]


@pytest.mark.parametrize("setter", ["POP02", "PF", "PBCV48.0", "RTEY", "DAT260701"])
def test_a_setter_cannot_be_sent(setter: str) -> None:
    simulator = simulate()

    async def run() -> None:
        link = RecordingLink("unit", patience=1.0)
        link.attach(MemoryPort(simulator, link))
        await Recorder(link, lambda _: None).read(setter)

    with pytest.raises(ValueError, match="is no query"):
        warped(run)
    assert not simulator.scene.requests


def test_dates_are_those_of_the_inverters_clock() -> None:
    simulator = simulate()
    simulator.scene.physics.clock = datetime(2023, 2, 28, 23, 59, tzinfo=UTC)
    done = Done(simulator)
    assert {"QEY2023", "QEM202302", "QED20230228"} <= set(done.commands)


def test_live_values_are_asked_in_cycles() -> None:
    commands = Done(simulate("max-8000"), cycles=3).commands
    assert commands[-4:] == ["QPIGS", "QPIGS2", "QMOD", "QPIWS"]
    assert commands.count("QPIGS") == 4
    assert Done(simulate("axpert-5000"), cycles=3).commands.count("QPIGS2") == 2


def test_other_units_of_a_set_are_asked_up_to_the_first_that_is_not_there() -> None:
    commands = Done(simulate("max-8000")).commands
    assert [c for c in commands if c.startswith("QPGS")] == ["QPGS0", "QPGS1"]
    commands = Done(simulate("axpert-5000")).commands
    assert [c for c in commands if c.startswith("QPGS")] == ["QPGS0"] * 2


def test_silence_is_borne_and_does_not_take_for_ever() -> None:
    done = Done(saying(None, QPI="PI30", QMOD="B"))
    assert done.qualities["QMOD"] == "good"
    assert set(done.qualities.values()) == {"good", "silent"}
    assert done.seconds < 240  # two rounds of 45 queries
    assert done.recorder.answers.capabilities.unsupported >= {"QPIGS2", "QBMS", "QMN"}


def test_the_first_request_may_be_lost() -> None:
    simulator = simulate()
    simulator.scene.apply("fault silence")
    done = Done(simulator)
    assert [(e.command, e.final) for e in done.exchanges[:3]] == [
        ("QPI", False),
        ("QPI", True),
        ("QID", True),
    ]


def test_a_unit_without_qpi_is_one_all_the_same() -> None:
    done = Done(saying(QMOD="B"))
    assert done.qualities["QMOD"] == "good"


def test_nobody_is_told() -> None:
    with pytest.raises(NoReply):
        Done(saying(None))


def test_another_protocol_is_told_at_once() -> None:
    with pytest.raises(OtherProtocol, match="PI18"):
        Done(saying(QPI="PI18"))


def test_an_echo_is_told() -> None:
    simulator = simulate()
    simulator.scene.apply("fault loopback 99")
    with pytest.raises(EchoedRequest, match="wiring"):
        Done(simulator)


def test_damage_is_kept_and_asked_again() -> None:
    simulator = simulate()
    simulator.scene.apply("fault corrupt QPIRI")
    done = Done(simulator)
    first, second = (e for e in done.exchanges if e.command == "QPIRI")
    qualities = [judge_reply("QPIRI", e.response).quality for e in (first, second)]
    assert qualities == ["corrupt", "good"]
    assert [first.final, second.final] == [False, True]


def test_every_byte_and_its_time_are_kept() -> None:
    done = Done(simulate())
    qpi, qid = done.exchanges[:2]
    assert qpi.request == b"QPI\xbe\xac\r"
    assert qpi.response == encode_reply("PI30")
    # 6 bytes there, 60 ms of thinking, 8 bytes back, 4.17 ms each
    assert qpi.ms == pytest.approx(6 * 4.17 + 60 + 8 * 4.17, abs=3)
    assert qpi.t_ms == 0
    assert qid.t_ms == pytest.approx(qpi.ms, abs=3)


# -- one reply decides nothing ---------------------------------------------------------


def pair() -> Simulator:
    """The lead of the pair that came from the field, at the speed of a real line."""
    script = json.loads((FIELD / "eg4-pair.json").read_text())["replies"]
    said = {command: item for command, item in script.items() if command != "QPGS0"}
    return saying(**said, QPGS0=script["QPGS0"][0], QVFW2="VERFW2:00001.01")


def recorded(done: Done) -> list[tuple[str, str]]:
    """Return command and quality of each row of the file."""
    final = [one for one in done.exchanges if one.final]
    entries = entries_of(final, RecordedUnit("pair", "pi30lv", "a test"))
    return [(entry.command, entry.quality) for entry in entries]


@pytest.mark.parametrize("mishap", ["nak", "silence"])
@pytest.mark.parametrize(
    "command", ["QID", "QPIRI", "QFLAG", "QMN", "QPIGS2", "QVFW2", "QPGS0", "QPGS1"]
)
def test_a_single_mishap_leaves_the_recording_whole(command: str, mishap: str) -> None:
    """The same queries, each with its good reply, as without the mishap."""
    simulator = pair()
    simulator.scene.apply_script(f"fault {mishap} 1 {command}")
    plain, upset = Done(pair()), Done(simulator)
    assert len(upset.exchanges) > len(plain.exchanges)
    before, after = recorded(plain), recorded(upset)
    assert dict(after) == dict(before)
    assert dict(before)[command] == "good"
    assert len(after) == len(before)  # the mishap is left out
