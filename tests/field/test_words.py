"""Layouts of unusual length, and an odd word in a sound reply."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.field import decoded, decoded_case, on_the_bus
from helpers.run import MULTI, eventually
from helpers.scripted import ScriptedInverter
from mppdbus.protocol.framing import encode_reply

UNIT = MULTI + "92332101100001"
PAIR = MULTI + "96342210100001"
CONVERSOL = (
    "230.0 21.7 230.0 50.0 21.7 5000 5000 48.0 49.0 43.0 58.4 54.0 1 20 040 0 2 1 1 01 "
    "0 0 54.0 0"
)
ANOTHER = (  # of 25 words
    "230.0 13.9 230.0 50.0 13.9 3200 3000 24.0 23.0 22.0 29.0 29.0 2 20 020 1 0 2 6 01 "
    "0 0 27.0 0 1"
)


# -- a layout that was only rescued proves nothing ----------------------------------


async def test_a_qpiri_of_24_words(tmp_path: Path) -> None:
    inverter = ScriptedInverter.of("ratings-24-words")
    battery = 'soc = "inverter"'
    async with on_the_bus(tmp_path, inverter, battery=battery) as field:
        wanted = {
            "/Mppdbus/Dialect": "pi30",
            "/Dc/0/Voltage": 54.0,
            "/Dc/0/Current": -1.0,
            "/Dc/0/Power": -54.0,
            "/Soc": 100.0,
            "/Ac/Out/L1/NominalInverterPower": 5000.0,
        }
        await field.shows(UNIT, wanted)


@pytest.mark.parametrize("count", [22, 23])
@pytest.mark.parametrize("words", [CONVERSOL, ANOTHER], ids=["5000", "3200"])
async def test_a_qpiri_cut_short(tmp_path: Path, words: str, count: int) -> None:
    inverter = ScriptedInverter.of("ratings-24-words")
    inverter.replies["QPIRI"] = [" ".join(words.split()[:count])]
    if " 24.0 " in words:
        status = str(inverter.replies["QPIGS"][0])
        inverter.replies["QPIGS"] = [status.replace("54.00", "27.00")]
    battery = 'soc = "inverter"'
    async with on_the_bus(tmp_path, inverter, battery=battery) as field:
        values = await field.shows(UNIT, {"/Dc/0/Current": -1.0, "/Soc": 100.0})
        assert values["/Mppdbus/Dialect"] != "revo"
        power = float(words.split()[6])
        assert values["/Ac/Out/L1/NominalInverterPower"] == power


@pytest.mark.parametrize("count", [22, 23, 24])
@pytest.mark.parametrize("words", [CONVERSOL, ANOTHER], ids=["5000", "3200"])
def test_decode_reads_a_short_qpiri_by_its_beginning(words: str, count: int) -> None:
    said = " ".join(words.split()[:count])
    (record,) = decoded(f"QPIRI ({said}\n").records
    assert record["layout"] == "Ratings"
    values = record["values"]
    assert values["battery_type"] == int(words.split()[12])
    assert values["output_source_priority"] == int(words.split()[16])


# -- an odd word in a sound reply ---------------------------------------------------

TIMES = ("2023081415283", "20230814152", "00000000000000", "20231314152830")


def test_decode_of_a_clock_with_thirteen_digits() -> None:
    done = decoded_case("clock-13-digits")
    (record,) = done.records
    assert done.code == 0
    assert record["values"] == {"time": None}
    assert "2023081415283" in str(record["warnings"])


@pytest.mark.parametrize("time", TIMES)
async def test_a_clock_that_is_none_is_asked_seldom(tmp_path: Path, time: str) -> None:
    """And it spoils no statistics of the line."""
    inverter = ScriptedInverter.of("eg4-pair")
    inverter.replies["QT"] = [time]
    async with on_the_bus(tmp_path, inverter) as field:
        await eventually(lambda: inverter.asked["QVFW3"])  # the last of its kind
        await inverter.is_asked("QPIGS", 6)
        values = await field.shows(PAIR, {"/Ac/Out/L2/P": 2442.0})
        assert inverter.asked["QT"] <= 2
        assert values["/Mppdbus/Link/Failures"] == 0


ODD_STATUS = (
    "230.0 50.0 230.0 50.0 0712 0635 014 369 52.90 003 097 0037 06.2 145.1 00.00 00000 "
    "10010110 00 00 00907 1x0"
)


@pytest.mark.parametrize(
    ("command", "reply", "known"),
    [
        ("QPIGS", ODD_STATUS, {"device_status_2": None, "battery_voltage": 52.9}),
        ("QBEQI", "0 060 030 040 030 58.4O 000 120 0 0000", {"voltage": None}),
        ("QET", "0001234-", {"energy": None}),
    ],
)
def test_decode_shows_what_stands_beside_an_odd_word(
    command: str, reply: str, known: dict[str, object]
) -> None:
    (record,) = decoded(f"{command} {encode_reply(reply).hex()}\n").records
    assert known.items() <= record["values"].items()
