"""What the simulated inverters say, held against recordings; what may be set."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.places import TESTS
from helpers.simulator import shape
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.scene.control import SCENES
from mppdbus.simulator.unit.inverter import SimulatedInverter
from mppdbus.simulator.unit.profile import OneOf, Steps, UnitProfile
from mppdbus.simulator.unit.profiles_axpert import AXPERT_5000
from mppdbus.simulator.unit.profiles_max import MAX_8000
from mppdbus.simulator.unit.settings import ChargerPriority

FRAMES = TESTS / "frames" / "frames.jsonl"


def recorded_shapes() -> dict[str, set[bytes]]:
    """The shapes of all good replies, by command without its argument."""
    shapes: dict[str, set[bytes]] = defaultdict(set)
    for line in FRAMES.read_text().splitlines():
        row = json.loads(line)
        if row["quality"] == "good":
            payload = bytes.fromhex(row["response_hex"]).split(b"\r")[0][1:-2]
            shapes[row["command"].rstrip("0123456789n")].add(shape(payload))
    shapes["QPIGS2"] = {shape(b"01.0 202.0 00205 ")}  # its 2 is no argument
    return shapes


SHAPES = recorded_shapes()
# Letters that a recording of another state would not have.
AS_RECORDED = [
    *("QPI", "QVFW", "QPIRI", "QPIGS", "QPIWS", "QMOD", "QDI", "QBEQI", "QGMN"),
    *("QOPM", "QBOOT", "QT", "QET", "QEY2024", "QEM202406", "QED20240621"),
    *("QMCHGCR", "Q1"),
]


def said(inverter: SimulatedInverter, command: str) -> str:
    answer = inverter.answer(command)
    assert answer is not None
    return answer


@pytest.fixture(params=[AXPERT_5000, MAX_8000], ids=lambda profile: profile.name)
def inverter(request: pytest.FixtureRequest) -> SimulatedInverter:
    profile: UnitProfile = request.param
    return SimulatedInverter(profile=profile)


@pytest.mark.parametrize("command", AS_RECORDED)
def test_replies_have_the_shape_of_recorded_ones(
    inverter: SimulatedInverter, command: str
) -> None:
    seen = shape(said(inverter, command).encode())
    if command == "QMCHGCR":
        assert set(seen.split()) == {b"999"}
    else:
        assert seen in SHAPES[command.rstrip("0123456789") or command]


def test_the_second_tracker_answers_as_recorded() -> None:
    inverter = SimulatedInverter(profile=MAX_8000)
    inverter.plant.sun.watts = [1000.0, 205.0]
    inverter.plant.pins.battery = 52.0, 10.0
    inverter.plant.grid.on = False
    inverter.plant.settle()
    assert inverter.answer("QPIGS2") == "00.6 320.0 00205 "
    assert shape(said(inverter, "QPIGS2").encode()) in SHAPES["QPIGS2"]
    assert SimulatedInverter(profile=AXPERT_5000).answer("QPIGS2") == "NAK"


def test_parallel_replies_have_the_shape_of_a_recorded_max() -> None:
    inverter = SimulatedInverter(profile=MAX_8000)
    assert shape(said(inverter, "QPGS0").replace("L", "B").encode()) in SHAPES["QPGS"]
    empty = said(inverter, "QPGS3").split()
    assert empty[:4] == ["0", "0" * 14, "P", "00"]
    assert empty[17] == "00500"  # totals of the system, even from an empty slot
    assert SimulatedInverter(profile=AXPERT_5000).answer("QPGS0") == "NAK"


# Fields of QPIGS: grid V, grid Hz, load W, battery V, charge A, PV W, discharge A.
SEEN = (1, 2, 6, 9, 10, 20, 16)


@pytest.mark.parametrize(
    ("name", "fields", "mode", "grid_w", "battery_w"),
    [
        ("bat+pv", "000.0 00.0 0500 52.00 006 00800 00000", "B", 0, 312),
        ("bat", "000.0 00.0 0500 51.00 000 00000 00010", "B", 0, -510),
        ("mains", "230.0 50.0 0500 52.00 006 00000 00000", "L", 812, 312),
        ("mains+pv", "230.0 50.0 0500 52.00 006 00800 00000", "L", 12, 312),
    ],
)
def test_the_four_known_flows(
    name: str, fields: str, mode: str, grid_w: float, battery_w: float
) -> None:
    simulator = simulate(scene=f"pause; scene {name}")
    inverter = simulator.source
    assert isinstance(inverter, SimulatedInverter)
    words = said(inverter, "QPIGS").split()
    assert " ".join(words[n - 1] for n in SEEN) == fields
    assert inverter.answer("QMOD") == mode
    truth = simulator.scene.truth()
    assert (truth["grid_w"], truth["battery_w"]) == (grid_w, battery_w)


def test_every_known_flow_is_tested() -> None:
    assert set(SCENES) == {"bat+pv", "bat", "mains", "mains+pv"}


@pytest.mark.parametrize("count", [17, 21, 24, 25])
def test_layouts_of_qpigs_are_prefixes_of_one_another(count: int) -> None:
    inverter = SimulatedInverter(profile=replace(AXPERT_5000, qpigs_fields=count))
    inverter.plant.pins.battery = 52.0, 20.0
    inverter.plant.settle()  # 1040 W, of which 800 W from the sun
    words = said(inverter, "QPIGS").split()
    assert len(words) == count
    if count == 25:
        assert words[24] == "03.2"  # (1040 + 500 - 800) W at 230 V


# Setter, where it reads back (query and word, from 1), what stands there.
WRITES = [
    ("PBCV48.0", "QPIRI", 9, "48.0"),
    ("PSDV43.5", "QPIRI", 10, "43.5"),
    ("PCVV57.0", "QPIRI", 11, "57.0"),
    ("PBFT55.7", "QPIRI", 12, "55.7"),
    ("PBT03", "QPIRI", 13, "3"),
    ("PGR01", "QPIRI", 16, "1"),
    ("POP01", "QPIRI", 17, "1"),
    ("POP02", "QPIRI", 17, "2"),
    ("PCP01", "QPIRI", 18, "1"),
    ("PCP03", "QPIRI", 18, "3"),
    ("PBDV52.0", "QPIRI", 23, "52.0"),
    ("PBDV00.0", "QPIRI", 23, "00.0"),
    ("PPVOKC1", "QPIRI", 24, "1"),
    ("PSPB0", "QPIRI", 25, "0"),
    ("V240", "QPIRI", 3, "240.0"),
    ("PBEQE1", "QBEQI", 1, "1"),
    ("PBEQA1", "QBEQI", 9, "1"),
    ("PBEQT090", "QBEQI", 2, "090"),
    ("PBEQP045", "QBEQI", 3, "045"),
    ("PBEQV57.25", "QBEQI", 6, "57.25"),
    ("PBEQOT240", "QBEQI", 8, "240"),
    ("PEb", "QFLAG", 1, "EabkxyzDuv"),
    ("PDa", "QFLAG", 1, "EkxyzDabuv"),
    ("PEbuPDk", "QFLAG", 1, "EabuxyzDkv"),
    ("MNCHGC070", "QPIRI", 15, "070"),
    ("MUCHGC002", "QPIRI", 14, "02"),
    ("DAT240229235900", "QT", 1, "20240229235900"),
]
WRITES_MAX = [
    ("MNCHGC0120", "QPIRI", 15, "120"),
    ("MUCHGC020", "QPIRI", 14, "020"),
    ("MUCHGC0120", "QPIRI", 14, "120"),
    ("PPCP003", "QPIRI", 18, "3"),
    ("PCVT480", "QPIRI", 26, "480"),
    ("POPLG02", "QPIRI", 27, "2"),
    ("PBATMAXDISC120", "QPIRI", 28, "120"),
]


@pytest.mark.parametrize(
    ("profile", "setter", "query", "word", "value"),
    [
        *((AXPERT_5000, *row) for row in WRITES),
        *((MAX_8000, *row) for row in WRITES_MAX),
    ],
    ids=lambda value: value.name if isinstance(value, UnitProfile) else None,
)
def test_a_setter_reads_back(
    profile: UnitProfile, setter: str, query: str, word: int, value: str
) -> None:
    inverter = SimulatedInverter(profile=profile)
    assert said(inverter, query).split()[word - 1] != value
    assert inverter.answer(setter) == "ACK"
    assert said(inverter, query).split()[word - 1] == value
    assert inverter.writes == [setter]


@pytest.mark.parametrize(
    "setter",
    [
        *("PBCV43.0", "PBCV52.0", "PBCV48.5", "PBCV48", "PBDV47.0", "PBDV59.0"),
        *("PSDV41.9", "PSDV48.1", "PCVV61.1", "PBFT47.9", "PBT04", "PGR02"),
        *("POP03", "POP1", "PCP00", "PCP04", "PPCP001", "PPVOKC2", "PSPB2"),
        *("MNCHGC090", "MNCHGC065", "MNCHGC0060", "MCHGC060", "MNCHGC60"),
        *("MUCHGC070", "MUCHGC0030", "MUCHGC30", "MUCHGC130"),
        *("F50", "F55", "V250", "PCVT060", "POPM01", "PBATMAXDISC100"),
        *("PBEQE2", "PBEQT007", "PBEQP091", "PBEQV47.99", "PBEQV61.01", "PBEQV57.2"),
        *("PE", "PEq", "PED", "PDad", "DAT241301000000", "DAT20240101000000"),
        *("", "PCVV53.9", "PBFT56.5", "NONSENSE", "PFx", "pf", "QNONSENSE"),
        *("QED2024", "QED20241340", "QEY20240101", "QPIGSX"),
    ],
)
def test_what_a_real_unit_would_refuse_is_refused_and_changes_nothing(
    setter: str,
) -> None:
    inverter = SimulatedInverter(profile=AXPERT_5000)
    queries = ("QPIRI", "QFLAG", "QBEQI", "QT", "QPIGS")
    before = [inverter.answer(query) for query in queries]
    assert inverter.answer(setter) == "NAK"
    assert [inverter.answer(query) for query in queries] == before
    assert inverter.writes == []


@given(st.text(alphabet="PBCVDSFTQ0123456789.MUNHG", max_size=10))
def test_any_command_gets_an_answer(command: str) -> None:
    assert isinstance(SimulatedInverter().answer(command), str)


@given(st.integers(0, 9999), st.sampled_from(["PBCV", "PBDV", "PSDV", "PCVV", "PBFT"]))
def test_a_voltage_is_taken_exactly_when_the_rule_allows_it(
    tenths: int, name: str
) -> None:
    text = f"{tenths // 10:02d}.{tenths % 10}"
    inverter = SimulatedInverter()
    rule = inverter.profile.rules[name]
    ordered = {"PCVV": tenths >= 540, "PBFT": tenths <= 564}.get(name, True)
    legal = rule.allows(tenths / 10) and tenths < 1000 and ordered
    assert (inverter.answer(f"{name}{text}") == "ACK") is legal


def test_rules() -> None:
    assert [v for v in range(41, 60) if Steps(44, 51).allows(v)] == [*range(44, 52)]
    assert Steps(48, 58, also=(0,)).allows(0)
    assert not Steps(48, 61, 0.1).allows(50.05)
    assert OneOf((1, 2)).allows(2)
    assert not OneOf((1, 2)).allows(3)


def test_frequency_is_taken_in_standby_only() -> None:
    inverter = SimulatedInverter()
    assert inverter.answer("F60") == "NAK"
    inverter.plant.output_on = False
    inverter.plant.settle()
    assert inverter.answer("F60") == "ACK"
    assert said(inverter, "QPIRI").split()[3] == "60.0"


def test_a_battery_type_brings_its_voltages_along() -> None:
    inverter = SimulatedInverter()
    inverter.answer("PSDV44.0")
    inverter.answer("PBT01")
    words = said(inverter, "QPIRI").split()
    assert words[9:13] == ["42.0", "58.4", "54.0", "1"]


def test_the_factory_reset_gives_what_qdi_shows() -> None:
    inverter = SimulatedInverter(
        profile=replace(AXPERT_5000, reset_serial="55355535553555")
    )
    for setter in ("PBCV50.0", "POP02", "PDa", "MNCHGC080", "PBT00"):
        assert inverter.answer(setter) == "ACK"
    assert inverter.answer("PF") == "ACK"
    ratings = said(inverter, "QPIRI").split()
    default = said(inverter, "QDI").split()
    pairs = {9: 7, 10: 4, 11: 6, 12: 5, 13: 12, 16: 9, 17: 10, 18: 11, 23: 23}
    for rating, factory in pairs.items():
        assert ratings[rating - 1] == default[factory - 1]
    assert inverter.answer("QFLAG") == "EakxyzDbuv"
    assert inverter.answer("QID") == "55355535553555"


def test_energy_queries_count_the_inverters_own_days() -> None:
    inverter = SimulatedInverter(profile=MAX_8000)
    inverter.plant.clock = datetime(2024, 12, 31, 23, 0, tzinfo=UTC)
    inverter.plant.step(2 * 3600)
    assert inverter.answer("QLT") == "00001000"
    assert inverter.answer("QLD20241231") == "00000500"
    assert inverter.answer("QLM202501") == "00000500"
    assert inverter.answer("QLY2024") == "00000500"
    assert inverter.answer("QLD20230101") == "00000000"
    assert int(said(inverter, "QED20241231")) > 0
    assert inverter.answer("RTEY") == "ACK"
    assert inverter.answer("QET") == inverter.answer("QLT") == "00000000"


def test_a_fault_shows_everywhere() -> None:
    inverter = SimulatedInverter(profile=MAX_8000)
    inverter.plant.fault_code = 7
    inverter.plant.settle()
    assert inverter.answer("QMOD") == "F"
    warnings = said(inverter, "QPIWS")
    assert (warnings[1], warnings[32:34], len(warnings)) == ("1", "07", 36)
    assert said(inverter, "QPGS0").split()[2:4] == ["F", "07"]
    assert said(inverter, "QPIGS").split()[2] == "000.0"


def test_status_bits_tell_who_charges() -> None:
    inverter = SimulatedInverter()
    plant = inverter.plant
    seen: dict[str, str] = {}
    for name, sun, grid, priority in (
        ("both", 800.0, True, ChargerPriority.SOLAR_AND_UTILITY),
        ("grid", 0.0, True, ChargerPriority.SOLAR_AND_UTILITY),
        ("sun", 800.0, True, ChargerPriority.ONLY_SOLAR),
        ("none", 0.0, False, ChargerPriority.ONLY_SOLAR),
    ):
        plant.sun.watts, plant.grid.on = [sun], grid
        plant.settings.charger_priority = priority
        plant.settle()
        seen[name] = said(inverter, "QPIGS").split()[16][5:]
    assert seen == {"both": "111", "grid": "101", "sun": "110", "none": "000"}


def test_the_changed_bit_stands_for_one_reading() -> None:
    inverter = SimulatedInverter()
    inverter.answer("POP01")
    bits = [said(inverter, "QPIGS").split()[16][1] for _ in range(2)]
    assert bits == ["1", "0"]


def test_personalities_are_rows() -> None:
    swapped = {0: ChargerPriority.SOLAR_FIRST, 2: ChargerPriority.ONLY_SOLAR}
    clone = replace(
        AXPERT_5000,
        charger_codes=swapped,
        charger_set_codes=None,
        refusal=None,
        power_width=5,
        blind_discharge_w=120.0,
        soc_from_volts=True,
        has_mode_c=False,
        volts_need_user_type=True,
        qpiws_length=32,
        fault_digits_at=None,
    )
    inverter = SimulatedInverter(profile=clone)
    assert inverter.answer("QNONSENSE") is None
    assert inverter.answer("PCP01") is None
    assert inverter.answer("PCP02") == "ACK"
    assert inverter.plant.settings.charger_priority is ChargerPriority.ONLY_SOLAR
    inverter.plant.load.watts = 100.0
    inverter.plant.grid.on = False
    inverter.plant.sun.watts = [0.0]
    inverter.plant.settle()
    words = said(inverter, "QPIGS").split()
    assert (words[4], words[5], words[15]) == ("00111", "00100", "00000")
    assert int(words[10]) != round(inverter.plant.battery.soc)
    assert len(said(inverter, "QPIWS")) == 32
    inverter.plant.output_on, inverter.plant.grid.on = False, True
    inverter.plant.settle()
    assert (inverter.plant.mode, inverter.answer("QMOD")) == ("C", "S")
    assert inverter.answer("PBT00") == "ACK"
    assert inverter.answer("PCVV56.0") is None
