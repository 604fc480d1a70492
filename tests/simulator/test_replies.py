"""Every simulated inverter's replies against the recordings that they rest on."""

from __future__ import annotations

import json
import re

import pytest

from helpers.personalities import ALL, of, said
from helpers.places import TESTS
from helpers.simulator import inverter_of, shape
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.unit.profiles import PROFILES

FRAMES = TESTS / "frames" / "frames.jsonl"


def recorded() -> dict[str, str]:
    """The payloads of the good frames, by the number in their id."""
    found: dict[str, str] = {}
    for line in FRAMES.read_text().splitlines():
        row = json.loads(line)
        if row["quality"] in ("good", "reconstructed"):
            frame = bytes.fromhex(row["response_hex"]).split(b"\r")[0]
            found[row["id"].split("-")[0]] = frame[1:-2].decode("ascii")
    return found


RECORDED = recorded()

# Which recorded replies a personality's must have the shape of: field by field as
# wide, with its points at the same places.
SHAPES: dict[str, dict[str, tuple[str, ...]]] = {
    "ms-3000": {
        "QPI": ("f0131",),
        "QID": ("f0132",),
        "QVFW": ("f0140",),
        "QVFW2": ("f0141",),
        "QPIRI": ("f0014",),
        "QPIGS": ("f0015", "f0134", "f0146", "f0147", "f0159", "f0211", "f0237"),
    },
    "ms-3000-17": {"QPIGS": ("f0161",)},
    "mks-5000": {
        "QPIRI": ("f0045",),
        "QPIGS": ("f0044", "f0047", "f0142", "f0462", "f0473", "f0498"),
        "QPIWS": ("f0048",),
        "QDI": ("f0013",),
        "QBOOT": ("f0257",),
    },
    "plus-duo-5000": {
        "QPIWS": ("f0136",),
        "QDI": ("f0138",),
        "QPIRI": ("f0137",),
        "QPGS0": ("f0139",),
    },
    "plus-tri-5000": {"QPIWS": ("f0136",), "QDI": ("f0138",)},
    "axpert-5000": {
        "QPIRI": ("f0054", "f0168", "f0355", "f0447"),
        "QPIGS": ("f0009", "f0053", "f0170", "f0356", "f0357", "f0448"),
        "QPIWS": ("f0172",),
        "QDI": ("f0173",),
        "QBEQI": ("f0176",),
        "QVFW": ("f0245",),
        "QVFW3": ("f0247",),
    },
    "vm3-twin-4000": {"QPIGS": ("f0078",)},
    "vm4-3200": {"QBEQI": ("f0344",)},
    "mks2-5000": {"QPIRI": ("f0045",)},
    "king-5000": {
        "QPIRI": ("f0177",),
        "QPIGS": ("f0056", "f0180"),
        "QDI": ("f0178",),
        "QBMS": ("f0256",),
    },
    "max-7200": {"QPIGS": ("f0041",), "QPIWS": ("f0043", "f0064"), "Q1": ("f0065",)},
    "max-8000": {
        "QPIRI": ("f0426",),
        "QPIGS": ("f0427", "f0429", "f0431"),
        "QPIGS2": ("f0423", "f0428", "f0430", "f0432"),
        "QPIWS": ("f0036",),
        "QDI": ("f0017", "f0037"),
        "Q1": ("f0065", "f0094"),
        "QT": ("f0151",),
    },
    "max-11000": {"QPIRI": ("f0152",), "QPIGS": ("f0149",), "QT": ("f0151",)},
    "phocos-5000": {
        "QPIRI": ("f0079",),
        "QPIGS": ("f0078",),
        "QPIWS": ("f0088",),
        "Q1": ("f0080",),
        "QET": ("f0081",),
        "QEY2024": ("f0082",),
        "QLD20241022": ("f0087",),
    },
    "eg4-6500": {"QPIGS": ("f0350",), "Q1": ("f0351",), "QPGS0": ("f0353",)},
    "nxpw-4200": {
        "QPIRI": ("f0025", "f0060", "f0216"),
        "QPIGS": ("f0217",),
        "Q1": ("f0058", "f0098"),
    },
    "nxpw-10200": {"QPIGS": ("f0068",)},
    "vevor-4000": {
        "QPIGS": ("f0272", "f0286", "f0289", "f0293"),
        "QPIWS": ("f0290",),
        "QDI": ("f0273",),
        "QBEQI": ("f0274",),
        "Q1": ("f0280", "f0287", "f0294"),
        "QBV": ("f0283", "f0288", "f0295"),
    },
    "lv5048": {
        "QPIRI": ("f0254",),
        "QPGS0": ("f0034", "f0253", "f0413"),
        "QP2GS0": ("f0252", "f0412"),
    },
}
# Which recorded replies a personality gives letter by letter.
WORDS: dict[str, dict[str, str]] = {
    "mks-5000": {"QPIWS": "f0075"},  # in a blackout
    "axpert-5000": {
        "QMCHGCR": "f0174",
        "QMUCHGCR": "f0175",
        "QVFW": "f0245",
        "QVFW2": "f0246",
        "QVFW3": "f0247",
        "QVFW4": "f0248",
        "QMN": "f0249",
    },
    "king-5000": {"QMN": "f0250", "QGMN": "f0251"},
    "max-8000": {
        "QMN": "f0019",
        "QMCHGCR": "f0038",
        "QDI": "f0037",
        "QVFW": "f0421",
        "VERFW:": "f0421",
    },
    "max-11000": {"QBATCD": "f0154"},
    "phocos-5000": {"QMN": "f0091", "QPIGS2": "f0092"},
    "eg4-6500": {"QMN": "f0345", "QGMN": "f0346", "QVFW": "f0348"},
    "nxpw-4200": {"QMN": "f0069", "QID": "f0218", "QBATCD": "f0026"},
    "nxpw-10200": {"QMN": "f0069", "QPIGS2": "f0027"},
    "vevor-4000": {
        "QPI": "f0268",
        "QMN": "f0269",
        "QVFW2": "f0271",
        "QMCHGCR": "f0275",
        "QMUCHGCR": "f0276",
        "QOPM": "f0277",
        "QBOOT": "f0278",
        "QFS": "f0279",
        "QMD": "f0281",
        "QWS": "f0282",
        "QBT": "f0284",
        "QGR": "f0285",
        "QPICF": "f0291",
    },
}
# Replies whose letters a unit orders by its state: the letters must be the same.
FLAGS = {
    "ms-3000": ("f0135",),
    "mks-5000": ("f0076",),
    "axpert-5000": (),  # f0169 has a j
    "max-8000": ("f0018", "f0425"),
    "phocos-5000": ("f0090",),
    "nxpw-4200": ("f0021", "f0024", "f0062", "f0063"),
}


@pytest.mark.parametrize(
    ("name", "command", "frame"),
    [
        (name, command, frame)
        for name, commands in SHAPES.items()
        for command, frames in commands.items()
        for frame in frames
    ],
)
def test_replies_are_laid_out_as_recorded(name: str, command: str, frame: str) -> None:
    inverter = of(name)
    ours = shape(said(inverter, command).encode())
    assert _modeless(ours) == _modeless(shape(RECORDED[frame].encode()))


def _modeless(text: bytes) -> bytes:
    return re.sub(rb"(?<= )[A-Z](?= )", b"M", text)


@pytest.mark.parametrize(
    ("name", "command", "frame"),
    [
        (name, command, frame)
        for name, commands in WORDS.items()
        for command, frame in commands.items()
    ],
)
def test_replies_are_as_recorded(name: str, command: str, frame: str) -> None:
    simulator = simulate(name, scene="pause; grid off")
    assert said(inverter_of(simulator), command) == RECORDED[frame]


@pytest.mark.parametrize(
    ("name", "frame"), [(name, frame) for name, ids in FLAGS.items() for frame in ids]
)
def test_flags_are_the_recorded_letters(name: str, frame: str) -> None:
    letters = set(said(of(name), "QFLAG")) - {"E", "D"}
    assert letters == set(RECORDED[frame]) - {"E", "D"}


def test_every_recorded_personality_has_flags_or_none_are_known() -> None:
    assert set(FLAGS) | set(SHAPES) <= set(PROFILES)
    documents_only = {"mks2-5000", "max-3600", "lv6548", "revo-5500"}
    assert set(PROFILES) - set(SHAPES) <= documents_only
    assert all(profile.basis for profile in ALL)


@pytest.mark.parametrize("command", ["HTEMP", "HGEN", "HIMSG1", "HBAT", "HOP"])
def test_the_h_dialect_is_as_recorded(command: str) -> None:
    rows = [json.loads(line) for line in FRAMES.read_text().splitlines()]
    row = next(r for r in rows if r["command"] == command)
    response = simulate("vevor-4000").respond(command.encode(), 0.0)
    assert response is not None
    assert response.data == bytes.fromhex(row["response_hex"])
