"""Every simulated inverter against the recordings and documents that it rests on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mppdbus.protocol.commands import QUERIES, base_command, decode
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.fields import Reading
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.protocol.identification import Evidence, identify
from mppdbus.simulator.inverter import SimulatedInverter
from mppdbus.simulator.profile import Profile
from mppdbus.simulator.profiles import PROFILES
from mppdbus.simulator.simulator import simulate
from support_simulator import ask_once, inverter_of, payloads, shape

FRAMES = Path(__file__).parent / "frames" / "frames.jsonl"


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
ALL = list(PROFILES.values())


def of(name: str) -> SimulatedInverter:
    return SimulatedInverter(profile=PROFILES[name])


def said(inverter: SimulatedInverter, command: str) -> str:
    answer = inverter.answer(command)
    assert answer is not None
    return answer


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
    "max-7200": {
        "QPIGS": ("f0041",),
        "QPIWS": ("f0043", "f0064"),
        "Q1": ("f0065",),
    },
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
def test_every_advertised_query_is_answered(profile: Profile) -> None:
    for command, answer in answers(SimulatedInverter(profile=profile)).items():
        assert answer != "NAK" or command in ("QPICF", "QPIHF"), command


@pytest.mark.parametrize("profile", ALL, ids=PROFILES)
def test_what_is_not_supported_gets_nak_or_silence(profile: Profile) -> None:
    inverter = SimulatedInverter(profile=profile)
    expected = None if profile.name == "vevor-4000" else "NAK"
    for command in ("QNONSENSE", "QLITH1", "POP77", "PNONSENSE", "", "QPGSA"):
        assert inverter.answer(command) == expected
    assert inverter.writes == []


def queries_of(inverter: SimulatedInverter) -> dict[str, str | None]:
    return {query: inverter.answer(query) for query in READ_BACK}


READ_BACK = ("QPIRI", "QFLAG", "QBEQI", "QDOP", "QCST", "QCVT", "QBATCD", "QMSCHGCR")

# Personality, setter, where it reads back, what stands there: with its own codes.
WRITES = [
    ("ms-3000", "MCHGC050", "QPIRI", 15, "50"),
    ("ms-3000", "MUCHGC030", "QPIRI", 14, "30"),
    ("ms-3000", "PBCV24.5", "QPIRI", 9, "24.5"),
    ("ms-3000", "PCP00", "QPIRI", 18, "0"),
    ("mks-5000", "MCHGC080", "QPIRI", 15, "080"),
    ("mks-5000", "MNCHGC0090", "QPIRI", 15, "090"),
    ("mks-5000", "MUCHGC020", "QPIRI", 14, "20"),
    ("mks-5000", "PPCP001", "QPIRI", 18, "1"),
    ("mks-5000", "PCVT090", "QPIRI", 26, "090"),
    ("plus-duo-5000", "PCST02", "QCST", 1, "02"),
    ("plus-duo-5000", "PCVT120", "QCVT", 1, "120"),
    ("vm3-twin-4000", "PBCC050", "QDOP", 9, "050"),
    ("vm3-twin-4000", "PBDC080", "QDOP", 10, "080"),
    ("vm3-twin-4000", "PSDC020", "QDOP", 11, "020"),
    ("vm3-twin-4000", "PTOPV23.5", "QDOP", 6, "23.5"),
    ("vm3-twin-4000", "PTOPD999", "QDOP", 7, "999"),
    ("vm3-twin-4000", "PTOPC25", "QDOP", 8, "25"),
    ("vm3-twin-4000", "PTOPVC030", "QDOP", 12, "030"),
    ("vm3-twin-4000", "PTOPE0", "QDOP", 2, "0"),
    ("vm3-twin-4000", "SRS01", "QPIGS", 23, "01"),
    ("vm4-3200", "PBT09", "QPIRI", 13, "09"),
    ("vm4-3200", "MUCHGC020", "QPIRI", 14, "020"),
    ("mks2-5000", "POPV2400", "QPIRI", 3, "240.0"),
    ("mks2-5000", "MUCHGC0010", "QPIRI", 14, "10"),
    ("king-5000", "PCP03", "QPIRI", 18, "3"),
    ("king-5000", "PCP00", "QPIRI", 18, "0"),
    ("king-5000", "POPLG02", "QPIRI", 27, "2"),
    ("king-5000", "MUCHGC050", "QPIRI", 14, "50"),
    ("max-7200", "PCVT480", "QPIRI", 26, "480"),
    ("max-11000", "MNCHGC0150", "QPIRI", 15, "150"),
    ("max-3600", "PBCV28.5", "QPIRI", 9, "28.5"),
    ("phocos-5000", "PBATCD010", "QBATCD", 1, "010"),
    ("phocos-5000", "PBATMAXDISC120", "QPIRI", 28, "120"),
    ("phocos-5000", "POPV2200", "QPIRI", 3, "220.0"),
    ("eg4-6500", "V127", "QPIRI", 3, "127.0"),
    ("eg4-6500", "PCP01", "QPIRI", 18, "1"),
    ("lv6548", "PCP00", "QPIRI", 18, "1"),  # sent as the menu counts, read as ever
    ("lv6548", "PCP02", "QPIRI", 18, "3"),
    ("nxpw-4200", "MUCHGC060", "QPIRI", 14, "060"),
    ("nxpw-4200", "PBT06", "QPIRI", 13, "6"),
    ("nxpw-4200", "PEg", "QFLAG", 1, "EagkxyzDbdjluv"),
    ("vevor-4000", "POP01", "QPIRI", 17, "1"),
    ("vevor-4000", "PCP02", "QPIRI", 18, "2"),
    ("lv5048", "MUCHGC010", "QPIRI", 14, "10"),
    ("lv5048", "MNCHGC0070", "QPIRI", 15, "070"),
]
# Setters that the same family refuses.
REFUSED = [
    ("ms-3000", "MNCHGC0050"),
    ("ms-3000", "MUCHGC0030"),
    ("ms-3000", "PBEQE1"),
    ("ms-3000", "V240"),
    ("ms-3000", "PCP03x"),
    ("mks-5000", "PCP02"),  # not in B for the MKS
    ("mks-5000", "PBEQE1"),
    ("mks-5000", "PCVT015"),
    ("mks-5000", "PPCP101"),  # nobody has the number 1
    ("axpert-5000", "PCP00"),
    ("axpert-5000", "MNCHGC0060"),
    ("mks2-5000", "V240"),
    ("mks2-5000", "MUCHGC010"),
    ("king-5000", "PCP04"),
    ("max-8000", "PCP00"),
    ("max-8000", "PSPB1"),
    ("eg4-6500", "V230"),
    ("nxpw-4200", "MUCHGC0060"),
    ("nxpw-4200", "POPM01"),
    ("lv5048", "POPM00"),
    ("revo-5500", "POP01x"),
    ("revo-5500", "PF"),
]


@pytest.mark.parametrize(("name", "setter", "query", "word", "value"), WRITES)
def test_a_setter_of_the_family_reads_back(
    name: str, setter: str, query: str, word: int, value: str
) -> None:
    inverter = of(name)
    assert inverter.answer(setter) == "ACK"
    assert said(inverter, query).split()[word - 1] == value
    assert inverter.writes == [setter]


@pytest.mark.parametrize(("name", "setter"), REFUSED)
def test_what_the_family_does_not_have_is_refused(name: str, setter: str) -> None:
    inverter = of(name)
    before = queries_of(inverter)
    assert inverter.answer(setter) == "NAK"
    assert queries_of(inverter) == before


def test_the_solar_limit_of_the_plus_duo_has_no_readback() -> None:
    inverter = of("plus-duo-5000")
    before = queries_of(inverter)
    assert inverter.answer("MSCHGC090") == "ACK"
    assert inverter.plant.settings.max_solar_charge_a == 90
    assert queries_of(inverter) == before
    assert inverter.answer("PCVT255") == "ACK"
    assert (inverter.plant.settings.cv_minutes, said(inverter, "QCVT")) == (0, "255")


@pytest.mark.parametrize(
    ("name", "setter", "meaning"),
    [
        ("axpert-5000", "POP01", "solar"),
        ("vevor-4000", "POP00", "solar"),
        ("vevor-4000", "POP01", "battery"),
        ("vevor-4000", "POP02", "utility"),
        ("axpert-5000", "PCP01", "solar first"),
        ("vevor-4000", "PCP00", "solar first"),
        ("vevor-4000", "PCP02", "only solar"),
        ("lv6548", "PCP01", "solar and utility"),
        ("king-5000", "PCP01", "solar to battery, then load; utility does not charge"),
    ],
)
def test_a_code_means_what_it_means_in_its_family(
    name: str, setter: str, meaning: str
) -> None:
    inverter = of(name)
    assert inverter.answer(setter) == "ACK"
    held = inverter.plant.settings
    assert meaning in (held.output_priority, held.charger_priority)


def test_the_king_may_keep_the_mains_from_the_battery() -> None:
    simulator = simulate("king-5000", scene="pause; pv 1000; load 700")
    grid: dict[str, float] = {}
    battery: dict[str, float] = {}
    for code in ("00", "01", "02", "03"):
        inverter_of(simulator).answer(f"PCP{code}")
        flow = simulator.scene.physics.flow
        grid[code], battery[code] = flow.grid_w, flow.battery_w
    assert battery["01"] == pytest.approx(1000)  # all of the sun, and the load is fed
    assert grid["01"] == pytest.approx(700)
    assert (grid["03"], battery["03"]) == pytest.approx((0, 300))
    assert min(battery["00"], battery["02"]) > 1000


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


@pytest.mark.parametrize("command", ["HTEMP", "HGEN", "HIMSG1", "HBAT", "HOP"])
def test_the_h_dialect_is_as_recorded(command: str) -> None:
    rows = [json.loads(line) for line in FRAMES.read_text().splitlines()]
    (row,) = [r for r in rows if r["command"] == command]
    response = simulate("vevor-4000").respond(command.encode(), 0.0)
    assert response is not None
    assert response.data == bytes.fromhex(row["response_hex"])


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
