"""query against a simulated inverter on a pty, and how commands choose an inverter."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from helpers.commands import HASTE, MPPDBUS, Simulated, command, simulated
from helpers.field import run_command
from helpers.scripted import NAK, Item, ScriptedInverter
from mppdbus.cli import main
from mppdbus.commands.query import hex_dump, parse_query
from mppdbus.errors import ConfigError
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.framing import encode_reply, encode_request

Capture = pytest.CaptureFixture[str]


# -- query ---------------------------------------------------------------------------


def test_a_query_shows_units_names_and_milliseconds(
    capsys: Capture, inverter: Simulated
) -> None:
    said = command(capsys, "query", "QPIGS", "qmod", "--port", inverter.path)
    assert said.code == 0
    assert re.match(r"QPIGS  \d+ ms\n  grid_voltage               230\.0 V\n", said.out)
    assert re.search(r"\nQMOD  \d+ ms\n  mode  L \(line\)\n", said.out)


def test_the_family_is_asked_for_where_its_codes_matter(
    capsys: Capture, inverter: Simulated
) -> None:
    line = ("query", "QPIWS", "--json", "--port", inverter.path)
    inverter.tell("warn 31 on")
    assert command(capsys, *line).records[0]["values"]["warnings"] == ["battery_weak"]
    assert "QGMN" not in inverter.tell("requests")  # QMN was enough
    fixed = command(capsys, *line, "--dialect", "pi30").records[0]
    assert fixed["values"]["warnings"] == []


def test_the_name_is_asked_for_even_where_a_number_seems_enough(
    capsys: Capture, tmp_path: Path
) -> None:
    said = {"QPI": "PI30", "QGMN": "037", "QMN": "VMII-NXPW5KW"}
    said["QPIWS"] = 36 * "0"
    origin = {"id": "x", "model": "odd", "quality": "good"}
    rows = (
        {**origin, "command": query, "response_hex": encode_reply(reply).hex()}
        for query, reply in said.items()
    )
    recording = tmp_path / "clone.jsonl"
    recording.write_text("\n".join(map(json.dumps, rows)))
    with simulated(tmp_path, "--recording", str(recording)) as unit:
        line = ("query", "QGMN", "QPIWS", "--port", unit.path)
        assert command(capsys, *line).code == 0
        assert '"QMN": 1' in unit.tell("requests")
        found = command(capsys, "detect", "-v", "--port", unit.path).out
    clone = DIALECTS["pi30clone"].title
    assert re.search(rf"pi30clone, \d+%: {re.escape(clone)}$", found, re.MULTILINE)
    assert "QGMN 037" not in found


def test_a_split_phase_unit_is_known_by_its_protocol(
    capsys: Capture, tmp_path: Path
) -> None:
    with simulated(tmp_path, "--profile", "lv5048") as unit:
        line = ("query", "--json", "--port", unit.path)
        for query in ("QPIGS", "QPGS0", "QP2GS0", "QPIGS2"):
            (record,) = command(capsys, *line, query).records
            flags = record["values"]["flags"]
            assert "load_on" in flags
            assert "ac_charging" in flags
            assert "configuration_changed" not in flags  # b6 of a plain QPIGS
        (record,) = command(capsys, *line, "QPGS0").records
        assert record["values"]["output_mode_name"] == "parallel, 180°"


def test_raw_shows_the_bytes(capsys: Capture, inverter: Simulated) -> None:
    said = command(capsys, "query", "QMOD", "--raw", "--port", inverter.path)
    assert re.search(r"> 51 4d 4f 44 49 c1 0d +QMODI\.\.\n", said.out)
    assert re.search(r"< 28 4c 06 07 0d +\(L\.\.\.\n", said.out)
    line = ("query", "QMOD", "--raw", "--json", "--port", inverter.path)
    record = command(capsys, *line).records[0]
    assert record["sent_hex"] == "514d4f4449c10d"
    assert record["response_hex"] == encode_reply("L").hex()


def test_a_refused_query_does_not_stop_the_others(
    capsys: Capture, inverter: Simulated
) -> None:
    line = ("query", "QXX", "QMOD", "--json", "--port", inverter.path)
    said = command(capsys, *line)
    assert said.code == 1
    assert [record["values"] for record in said.records] == [
        {"acknowledged": False},
        {"mode": "L", "mode_name": "line"},
    ]


def test_one_missed_reply_is_1_and_none_at_all_is_3(
    capsys: Capture, inverter: Simulated
) -> None:
    line = ("query", "QMOD", "QPI", *HASTE, "--port", inverter.path)
    inverter.tell("fault silence 3")  # two attempts, and a second round
    said = command(capsys, *line)
    assert said.code == 1
    assert "no-reply: QMOD: no reply within" in said.out
    assert "PI30" in said.out
    inverter.tell("fault silence forever")
    assert command(capsys, *line).code == 3


@pytest.mark.parametrize("word", ["POP02", "MCHGC010", "pgr00", "PCVV56.4"])
def test_a_setter_is_never_sent(
    capsys: Capture, inverter: Simulated, word: str
) -> None:
    said = command(capsys, "query", "QMOD", word, "--port", inverter.path)
    assert said.code == 2
    assert f"{word} would change a setting, and query only asks" in said.err
    assert inverter.tell("requests") == "ok {}"


def test_the_queries_are_listed_with_what_they_answer(capsys: Capture) -> None:
    said = command(capsys, "query", "--list")
    assert said.code == 0
    assert re.search(r"^QPIGS +live values", said.out, re.MULTILINE)
    assert re.search(r"^QEDYYYYMMDD +PV energy of a day$", said.out, re.MULTILINE)
    assert "--list shows all queries" in command(capsys, "query").err


@pytest.mark.parametrize("word", ["", "(B", "Q P I", "QPI\r", "É", "VERFW"])
def test_what_is_no_query_is_never_sent(word: str) -> None:
    with pytest.raises(ConfigError):
        parse_query(word)


def test_an_odd_reply_is_shown_as_it_came(capsys: Capture, tmp_path: Path) -> None:
    recording = tmp_path / "odd.jsonl"
    line = {"id": "x", "model": "odd", "command": "QVFW", "quality": "good"}
    reply = encode_reply("1 2 3").hex()
    recording.write_text(json.dumps({**line, "response_hex": reply}))
    with simulated(tmp_path, "--recording", str(recording)) as unit:
        said = command(capsys, "query", "QVFW", "QMD", "--port", unit.path)
    assert said.code == 1
    assert "1 2 3" in said.out


def test_a_hex_dump_of_nothing() -> None:
    assert hex_dump("<", b"") == ["  < nothing"]
    assert len(hex_dump("<", bytes(17))) == 2


# -- which inverter ------------------------------------------------------------------


def test_the_configuration_names_the_port(
    capsys: Capture,
    inverter: Simulated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / "config.toml"
    one = f'[[inverter]]\nname = "a"\nport = "{inverter.path}"\n'
    config.write_text(one)
    assert command(capsys, "query", "QPI", "--config", str(config)).code == 0
    monkeypatch.chdir(tmp_path)
    assert command(capsys, "query", "QPI").code == 0
    config.write_text(f'{one}[[inverter]]\nname = "b"\nport = "/dev/ttyNO"\n')
    assert command(capsys, "query", "QPI", "--name", "a").code == 0
    said = command(capsys, "query", "QPI")
    assert said.code == 2
    assert 'several inverters; say --name with one of "a", "b"' in said.err
    said = command(capsys, "query", "QPI", "--name", "c")
    assert said.code == 2
    assert 'has no "c"' in said.err
    both = ("query", "QPI", "--name", "a", "--port", inverter.path)
    assert "either --port or" in command(capsys, *both).err


def test_without_a_port_the_choices_are_named(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = command(capsys, "query", "QPI")
    assert said.code == 2
    assert "say which with --port" in said.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--port", "COM3"], '--port: "COM3" is no port'),
        (["--port", "tcp://x:1", "--baud", "9600"], "has no speed to set"),
    ],
)
def test_ports_that_make_no_sense(
    capsys: Capture, words: list[str], complaint: str
) -> None:
    said = command(capsys, "query", "QPI", *words)
    assert said.code == 2
    assert complaint in said.err


@pytest.mark.parametrize("value", ["0", "nan", "soon", "61"])
def test_arguments_that_make_no_sense(capsys: Capture, value: str) -> None:
    for words in (("query", "QPI", "--timeout"), ("monitor", "--interval")):
        with pytest.raises(SystemExit) as ended:
            main([*words, value])
        assert ended.value.code == 2
        assert "seconds" in capsys.readouterr().err


def test_a_port_that_the_driver_has_names_the_driver(
    capsys: Capture, inverter: Simulated
) -> None:
    with subprocess.Popen(
        [*MPPDBUS, "monitor", "--port", inverter.path, "--interval", "fast"],
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert "line" in other.stdout.readline()
        for words in (("query", "QPI"), ("detect",), ("test-connection",)):
            said = command(capsys, *words, "--port", inverter.path)
            assert said.code == 3
            assert f"in use by pid {other.pid}" in said.out + said.err
        other.send_signal(signal.SIGINT)
        assert other.wait(60) == 0
    assert command(capsys, "query", "QPI", "--port", inverter.path).code == 0


# -- one reply decides nothing ---------------------------------------------------------


@pytest.mark.parametrize("mishap", [NAK, None], ids=["NAK", "silence"])
async def test_a_single_mishap_is_asked_again(tmp_path: Path, mishap: Item) -> None:
    inverter = ScriptedInverter.of("status-mute").first("QID", mishap)
    async with inverter.at(tmp_path / "inverter"):
        port = str(tmp_path / "inverter")
        done = await run_command("query", "QID", "--json", "--port", port)
    (record,) = done.records
    assert (done.code, record["values"]["serial"]) == (0, "92332101100001")
    assert inverter.asked["QID"] == 2


async def test_a_silent_port_says_what_to_check(tmp_path: Path) -> None:
    inverter = ScriptedInverter({"replies": {}, "else": None})
    async with inverter.at(tmp_path / "inverter"):
        port = str(tmp_path / "inverter")
        words = ("query", "QPI", "--port", port, "--timeout", "0.2")
        done = await run_command(*words)
    assert done.code == 3
    for what in ("switched on", "cable", "another program", "--baud, 2400 now"):
        assert what in done.out


async def test_a_ups_that_sends_back_what_it_does_not_know(tmp_path: Path) -> None:
    request = encode_request("QPI").hex()
    inverter = ScriptedInverter({"replies": {"QPI": {"raw": request}}})
    async with inverter.at(tmp_path / "inverter"):
        for words in (("query", "QPI"), ("detect",)):
            done = await run_command(*words, "--port", str(tmp_path / "inverter"))
            assert done.code == 3
            assert "a UPS that speaks Megatec (Q1)" in done.out + done.err
