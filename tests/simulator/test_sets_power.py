"""Sets of units: one battery, one load, and nothing from nowhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.fleet import PARALLEL, PHASES, fleet, loads, units, words
from helpers.simulator import inverter_of

lines = st.sampled_from(
    [
        *("grid on", "grid off", "pv 0 0", "pv 2500 900", "pv curve 4000", "load 0"),
        *("load 900", "load 7000", "load 40000", "soc 3", "soc 50", "soc 100"),
        *("unit 2 off", "unit 2 on", "unit 1 off", "unit 1 on", "unit 3 pv 100 0"),
        *("unit 2 load 3000", "unit 3 load 0", "unit 2 output off", "unit 2 output on"),
        *("unit 1 fault 7", "unit 1 fault 0", "step 7", "step 3600", "unit 3 mode E"),
        *("time 05:30", "output off", "output on"),
    ]
)
setters = st.sampled_from(
    [
        "POP00",
        "POP01",
        "POP02",
        "PCP01",
        "PCP03",
        "MNCHGC1010",
        "MNCHGC0120",
        "PBDV00.0",
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([PARALLEL, PHASES, ("S1", "S2"), ("L1", "L1", "L2", "L3")]),
    st.lists(lines | setters, max_size=7),
)
def test_the_units_add_up_to_the_whole(
    labels: tuple[str, ...], told: list[str]
) -> None:
    built = fleet(labels, profile="eg4-6500")
    site = built.scene.plants
    for line in told:
        if line.startswith(("P", "M")):
            inverter_of(built.simulators[0]).answer(line)
        else:
            built.scene.apply(line)
        total = site.truth()
        flows = [member.flow for member in site.members]
        scale = 1 + sum(f.pv_w + f.grid_w + f.load_w for f in flows)
        battery = site.battery_v * site.battery_a
        assert abs(sum(f.battery_w for f in flows) - battery) <= 1e-6 * scale
        balance = sum(f.pv_w + f.grid_w - f.load_w for f in flows) - battery
        assert abs(balance) <= 1e-6 * scale
        volts = {member.battery_v for member in site.members}
        assert volts == {site.battery_v}
        amps = sum(member.battery_a for member in site.members)
        assert amps == pytest.approx(site.battery_a, rel=1e-6, abs=1e-6)
        assert total["load_w"] == pytest.approx(sum(f.load_w for f in flows))
        assert sum(f.load_w for f in flows) <= 1e-6 * scale + sum(
            member.load.watts for member in site.members
        )


def test_energies_add_up_and_the_battery_keeps_the_difference() -> None:
    built = fleet(scene="grid off; load 1800; pv 2000 500; soc 40")
    site = built.scene.plants
    before = site.battery.soc
    built.scene.apply("unit 2 pv 0 0")
    built.scene.apply("step 3600")
    truth = site.truth()
    energies = {
        key: sum(getattr(member.energy, key) for member in site.members)
        for key in ("pv_wh", "load_wh", "grid_wh", "battery_in_wh", "battery_out_wh")
    }
    for key, value in energies.items():
        assert truth[key] == pytest.approx(value, abs=1e-6)
    assert energies["load_wh"] == pytest.approx(1800)
    assert energies["pv_wh"] == pytest.approx(5000)
    stored = energies["battery_in_wh"] - energies["battery_out_wh"]
    assert stored == pytest.approx(3200)
    ampere_hours = (site.battery.soc - before) / 100 * 600  # three times 200 Ah
    assert ampere_hours * site.battery_v == pytest.approx(3200, rel=0.02)


def test_parallel_units_share_the_load() -> None:
    built = fleet(scene="load 1500")
    assert loads(built) == [500, 500, 500]
    built.scene.apply("unit 2 load 1100")
    assert loads(built) == pytest.approx([700, 700, 700])  # tied together
    assert built.scene.plants.truth()["load_w"] == pytest.approx(2100)


def test_phases_carry_their_own_load() -> None:
    built = fleet(("L1", "L2", "L3"), "load 1500; unit 2 load 900; unit 3 load 0")
    assert loads(built) == [500, 900, 0]
    shown = [words(unit, "QPIGS")[5] for unit in units(built)]
    assert shown == ["0500", "0900", "0000"]
    doubled = fleet(("L1", "L1", "L2", "L3"), "load 0; unit 1 load 800")
    assert loads(doubled) == [400, 400, 0, 0]


def test_split_phase_gives_two_legs_of_120_volts() -> None:
    built = fleet(("S1", "S2"), "load 0; unit 1 load 700; unit 2 load 300", "eg4-6500")
    first, second = units(built)
    assert words(first, "QPIGS")[2:6] == ["120.0", "60.0", "0778", "0700"]
    assert words(second, "QPIGS")[2:6] == ["120.0", "60.0", "0333", "0300"]
    assert words(first, "QPGS1")[9] == "0300"
    assert words(first, "QPGS0")[17] == "01000"


def test_a_phase_whose_only_unit_has_gone_is_dark() -> None:
    built = fleet(("L1", "L2", "L3"), "load 1500; unit 2 off")
    assert loads(built) == [500, 0, 500]
    truth = json.loads(built.scene.apply("truth").removeprefix("ok "))
    assert [unit["on"] for unit in truth["units"]] == [True, False, True]


def test_a_faulty_unit_leaves_its_load_to_the_others() -> None:
    built = fleet(scene="load 1500; unit 3 fault 71")
    assert loads(built) == [750, 750, 0]
    assert words(units(built)[0], "QPGS2")[2:4] == ["F", "71"]


def test_the_sun_of_one_unit_feeds_the_others() -> None:
    built = fleet(scene="grid off; load 3000; pv 0 0; unit 1 pv 3000 0")
    site = built.scene.plants
    assert site.truth()["pv_w"] == pytest.approx(3000)
    assert site.battery_a == pytest.approx(0, abs=1e-6)
    own = [member.flow.battery_w for member in site.members]
    assert own == pytest.approx([2000, -1000, -1000])


def test_charging_stays_within_every_units_limit() -> None:
    built = fleet(scene="pv 0 0; soc 30")
    crew = units(built)
    for number, amps in enumerate(("010", "030", "060")):
        assert crew[0].answer(f"MUCHGC{number}{amps}") == "ACK"
    shown = [int(words(unit, "QPIGS")[9]) for unit in crew]
    assert shown == [10, 30, 60]
    assert words(crew[1], "QPGS0")[15] == "100"


def test_one_battery_for_all() -> None:
    built = fleet(scene="battery 52 6; soc 44")
    assert built.scene.apply("battery 52 6") == "ok battery 52 6"
    assert [words(unit, "QPIGS")[8] for unit in units(built)] == ["52.00"] * 3
    assert built.scene.plants.truth()["battery_w"] == 312
    built.scene.apply("battery auto")
    assert built.scene.plants.truth()["soc"] == 44
    assert built.scene.plants.battery_v != 52


@pytest.mark.parametrize("name", ["bat+pv", "bat", "mains", "mains+pv"])
def test_the_known_flows_hold_for_a_set(name: str) -> None:
    built = fleet(scene=f"scene {name}")
    total = built.scene.plants.truth()
    assert total["load_w"] == pytest.approx(500)
    sun = 2400 if name.endswith("pv") else 0  # of three units
    assert total["pv_w"] == pytest.approx(sun if name == "bat+pv" else min(sun, 812))
