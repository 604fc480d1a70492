"""What the setters of every simulated family change, and what it refuses."""

from __future__ import annotations

import pytest

from helpers.personalities import of, said
from helpers.simulator import inverter_of
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.unit.inverter import SimulatedInverter


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
