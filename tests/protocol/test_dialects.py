"""Families: who is who among the recorded units, and what codes mean there."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from helpers.frames import BY_ID, devices, evidence
from mppdbus.config.models import DIALECT_NAMES
from mppdbus.protocol.dialect import Dialect
from mppdbus.protocol.dialects import (
    DIALECTS,
    FAMILIES,
    MODEL_NUMBERS,
    pi30,
    pi30duo,
    pi30max,
    pi30vm3,
)
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.explain import explain, fault_code_of, warnings_of
from mppdbus.protocol.identification import DECISIVE, identify
from mppdbus.protocol.queries import QUERIES, decode
from mppdbus.protocol.replies.status import GeneralStatus, GeneralStatusRevo, Warnings
from mppdbus.protocol.serial_numbers import bogus_serial

EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)

# Guess of the collection → our dialect.
VARIANTS = {
    "PI30": "pi30",
    "PI30 (SP)": "pi30",
    "PI30 (MS 3K 24V)": "pi30ms",
    "PI30 (MS/MSX 3K 24V)": "pi30ms",
    "PI30 (GK class)": "pi30vm3",
    "PI30 (VM III)": "pi30vm3",
    "PI30 (King)": "pi30king",
    "PI30MAX": "pi30max",
    "PI30MAX (Phocos)": "pi30max",
    "PI30MAX (LV, QGMN 045)": "pi30lv",
    "PI30MAX (LV6548 class)": "pi30lv",
    "PI30MAX 24 fields": "pi30max",
    "PI30 clone": "pi30clone",
    "PI30 (VMII-NXPW clone)": "pi30clone",
    "PI30 (VMII new fw, menu-position enums)": "pi30vmii",
    "PI41/LV5048": "pi41",
}
# Where the recorded replies do not show, or show more than the guess.
OTHERWISE = {
    "EASUN 5.5kW 1-phase": "pi30vm3",  # PV current with one decimal: C and later
    "Voltronic Axpert King II": "pi30",  # one QMOD and one QPIGS in standby
    "Conversol 5K III": "pi30vm3",  # PV current with one decimal
    "PIP 5048MGX": "pi30vm3",  # PV current with one decimal
}
SEVERAL = {name: frames for name, frames in devices().items() if len(frames) > 1}


@pytest.mark.parametrize("name", SEVERAL)
def test_a_recorded_unit_is_recognised(name: str) -> None:
    frames = SEVERAL[name]
    wanted = OTHERWISE.get(name) or VARIANTS[frames[0].variant]
    found = identify(evidence(frames))
    assert found.dialect.name == wanted, found.reasons
    assert found.reasons
    assert 0 < found.confidence < 1
    assert found.nominal_voltage in (None, 24, 48)


def test_the_recorded_units_cover_most_dialects() -> None:
    covered = {VARIANTS[frames[0].variant] for frames in SEVERAL.values()}
    assert len(covered) >= 8


def test_without_evidence_it_is_plain_pi30_and_unsure() -> None:
    found = identify(Evidence())
    assert (found.dialect.name, found.confidence) == ("pi30", 0.25)


def test_more_evidence_makes_surer() -> None:
    one = identify(Evidence(model_name="KING-5000"))
    two = identify(Evidence(model_name="KING-5000", model_number="035"))
    assert one.dialect is two.dialect is DIALECTS["pi30king"]
    assert two.confidence > one.confidence


def test_evidence_for_another_family_makes_less_sure() -> None:
    one = identify(Evidence(model_name="KING-5000"))
    two = identify(Evidence(model_name="KING-5000", firmware="00040.09"))
    assert two.confidence < one.confidence


OLD_FAMILY = Evidence(  # all that a clone copies of a VM III
    model_number="037",
    firmware="00041.15",
    warnings=Warnings(bits=36 * "0"),
    status_payload=BY_ID["f0149"].payload,
)


def test_a_name_that_one_family_alone_has_decides() -> None:
    found = identify(OLD_FAMILY)
    assert (found.dialect.name, found.family) == ("pi30vm3", MODEL_NUMBERS["037"].name)
    named = identify(replace(OLD_FAMILY, model_name="VMII-NXPW5KW"))
    assert named.dialect is DIALECTS["pi30clone"]
    assert named.reasons[0] == "QMN VMII-NXPW5KW"
    assert named.confidence >= DECISIVE  # for nobody else, so nobody makes it doubtful
    tail = replace(
        OLD_FAMILY, model_name="VMII-NXPW5KW", warnings=Warnings(bits=31 * "0")
    )
    assert DECISIVE <= identify(tail).confidence < 1
    assert identify(OLD_FAMILY).confidence < DECISIVE


def test_a_name_that_others_use_too_is_weighed() -> None:
    found = identify(replace(OLD_FAMILY, model_name="VMII-4000"))
    assert found.dialect is DIALECTS["pi30vm3"]


def test_the_name_behind_a_number_of_another_family_is_not_shown() -> None:
    found = identify(replace(OLD_FAMILY, model_name="VMII-NXPW5KW"))
    assert found.family == DIALECTS["pi30clone"].title
    ratings = BY_ID["f0426"].decode()
    of_24 = ratings.model_copy(update={"battery_rating_voltage": 24.0})
    variant = identify(Evidence(model_number="044", ratings=of_24))
    assert (variant.dialect.name, variant.family) == ("pi30max24", "MAX 7.2K")


def test_a_king_says_why_and_what_it_is() -> None:
    found = identify(Evidence(model_number="035"))
    assert found.reasons[0] == "QGMN 035: KING-5000 with energy counters"
    assert found.family == "KING-5000 with energy counters"
    assert (found.nominal_voltage, found.dialect.phases) == (48, 1)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Evidence(protocol="PI41"), "pi41"),
        (Evidence(protocol="PI30"), "pi30"),
        (Evidence(firmware="00040.09"), "pi30vmii"),
        (Evidence(firmware="00041.15"), "pi30vm3"),
        (Evidence(firmware="00072.70"), "pi30"),
        (Evidence(model_name="VMII-4000"), "pi30vmii"),
        (Evidence(model_name="VMII-NXPW5KW"), "pi30clone"),
        (Evidence(model_name="VMIII-5000"), "pi30vm3"),
        (Evidence(model_name="VMIV-3200"), "pi30vm4"),
        (Evidence(model_name="MKS2-8000"), "pi30max"),
        (Evidence(model_name="MKS2-11000"), "pi30max"),
        (Evidence(model_name="MKS2-5000"), "pi30mks2"),
        (Evidence(model_name="MKS2-6500"), "pi30lv"),
        (Evidence(model_number="045"), "pi30lv"),
        (Evidence(model_number="044"), "pi30max"),
        (Evidence(model_number="018"), "pi30duo"),
        (Evidence(model_number="055"), "pi30vm3"),
        (Evidence(model_number="999"), "pi30"),
        (Evidence(warnings=Warnings(bits=38 * "0")), "pi30duo"),
        (Evidence(warnings=Warnings(bits=31 * "0")), "pi30clone"),
        (Evidence(warnings=Warnings(bits=32 * "0")), "pi30"),
        (Evidence(status=GeneralStatus(grid_input_current=0)), "pi30vm4"),
    ],
)
def test_a_single_clue(given: Evidence, wanted: str) -> None:
    assert identify(given).dialect.name == wanted


def test_the_size_in_the_name_of_a_clone_counts_for_nothing() -> None:
    ratings = BY_ID["f0216"].decode()
    found = identify(Evidence(model_name="VMII-NXPW5KW", ratings=ratings))
    assert found.nominal_voltage == 24


def test_a_max_splits_by_its_voltages() -> None:
    ratings = BY_ID["f0426"].decode()
    of_24 = ratings.model_copy(update={"battery_rating_voltage": 24.0})
    of_120 = ratings.model_copy(update={"ac_output_rating_voltage": 120.0})
    assert identify(Evidence(ratings=ratings)).dialect.name == "pi30max"
    assert identify(Evidence(ratings=of_24)).dialect.name == "pi30max24"
    assert identify(Evidence(ratings=of_120)).dialect.name == "pi30lv"


def test_three_trackers_are_a_duo() -> None:
    three = decode("QPIGS2", b"01 1.0 2.0 3 00000000 1 2 3.0 100.0 24.0 5 6")
    assert identify(Evidence(second_tracker=three)).dialect.name == "pi30duo"


# -- the tables ------------------------------------------------------------------


@pytest.mark.parametrize("file", FAMILIES)
def test_a_file_is_called_as_its_dialect(file: str) -> None:
    if (name := FAMILIES[file].dialect.name) != file:
        pytest.fail(f"dialects/{file}.py has name={name!r}", pytrace=False)


def test_the_configuration_offers_exactly_these() -> None:
    assert ("auto", *DIALECTS) == DIALECT_NAMES


@EACH
def test_names_and_queries(dialect: Dialect) -> None:
    assert re.fullmatch(r"pi(30|41)[a-z0-9]*|revo", dialect.name)
    assert set(dialect.queries) == set(QUERIES)
    assert dialect.title


@EACH
def test_every_code_has_one_name(dialect: Dialect) -> None:
    for field in fields(dialect):
        table = getattr(dialect, field.name)
        if field.name.endswith(("types", "priorities", "modes")):
            assert len(set(table.values())) == len(table), field.name
            assert all(code >= 0 and name for code, name in table.items())


@EACH
def test_warnings_are_well_formed(dialect: Dialect) -> None:
    table = dialect.warnings
    assert set(range(22)) <= set(table)
    assert max(table) <= 37
    shown = [b for b in table.values() if b.kind not in ("reserved", "code_digit")]
    assert len({bit.name for bit in shown}) == len(shown)
    assert all(re.fullmatch(r"[a-z0-9_]+", bit.name) and bit.text for bit in shown)
    digits = [n for n, bit in table.items() if bit.kind == "code_digit"]
    assert digits in ([], [31, 32], [32, 33])


@EACH
def test_what_all_documents_share_is_the_same_everywhere(dialect: Dialect) -> None:
    table = dialect.warnings
    assert table[1].name == "inverter_fault"
    assert table[5].name == "line_fail"
    assert table[16].kind == "fault_if_a1"


def test_a_model_number_is_of_one_family() -> None:
    numbers = [n for family in FAMILIES.values() for n in family.numbers]
    assert len(set(numbers)) == len(numbers) == len(MODEL_NUMBERS)
    for number, model in MODEL_NUMBERS.items():
        assert re.fullmatch(r"\d{3}", number)
        assert model.voltage in (None, 24, 48)


def test_dialects_do_not_share_what_differs() -> None:
    layouts = {
        name: DIALECTS[name].queries["QPIGS"][0].model
        for name in ("pi30", "pi41", "revo")
    }
    assert len(set(layouts.values())) == 3
    assert layouts["pi30"] is GeneralStatus
    assert layouts["revo"] is GeneralStatusRevo


# -- what codes mean -----------------------------------------------------------------


def _bits(*positions: int, length: int = 36) -> str:
    return "".join("1" if n in positions else "0" for n in range(length))


def names(dialect: str, bits: str) -> list[str]:
    return [bit.name for bit in warnings_of(DIALECTS[dialect], bits)]


def test_a_reserved_bit_says_nothing_and_an_unknown_one_is_named() -> None:
    assert names("pi30", _bits(0, 5, length=32)) == ["line_fail"]
    assert names("pi30max", _bits(0, 5)) == ["pv_loss", "line_fail"]
    assert names("pi30", _bits(36, length=38)) == ["bit_a36"]
    assert names("pi30king", _bits(31)) == ["bit_a31"]


def test_the_same_position_differs_per_family() -> None:
    bits = _bits(30, 31, length=38)
    assert names("pi30duo", bits) == ["pv_voltage_high_2", "mppt_overload_fault_2"]
    assert names("pi30max", bits) == ["battery_weak"]
    assert names("pi30king", bits) == ["dcdc_over_current", "bit_a31"]
    assert names("pi30vm3", bits) == []


def test_fault_codes_hide_at_31_or_32() -> None:
    bits = "0" * 31 + "52" + "000"
    assert fault_code_of(DIALECTS["pi30vm3"], bits) == 52
    assert fault_code_of(DIALECTS["pi30max24"], bits) == 52
    assert fault_code_of(DIALECTS["pi30max"], "0" * 32 + "0700") == 7
    assert fault_code_of(DIALECTS["pi30max"], _bits()) is None
    assert fault_code_of(DIALECTS["pi30"], bits) is None
    assert fault_code_of(DIALECTS["pi30vm3"], "0" * 32) is None


def warned(bits: str, dialect: str, mode: str | None = None) -> dict[str, object]:
    return explain(Warnings(bits=bits), DIALECTS[dialect], mode=mode)


def test_a_fault_needs_a1_or_the_fault_mode() -> None:
    open_battery = _bits(22, length=32)
    assert warned(open_battery, "pi30")["warnings"] == ["battery_open"]
    assert warned(open_battery, "pi30")["faults"] == []
    assert warned(open_battery, "pi30", mode="F")["faults"] == ["battery_open"]
    hot = warned(_bits(1, 9, 12), "pi30max")
    assert hot["faults"] == ["inverter_fault", "over_temperature"]
    assert hot["warnings"] == ["battery_low_alarm"]


def test_a_fault_code_is_named() -> None:
    said = warned("01" + "0" * 29 + "52000", "pi30vm3")
    assert (said["fault_code"], said["fault_name"]) == (52, "unknown")
    said = warned("01" + "0" * 29 + "53000", "pi30vm3")
    assert said["fault_name"] == "inverter soft start failed"


def test_priorities_are_named_only_where_they_are_proven() -> None:
    ratings = BY_ID["f0426"].decode()
    named = explain(ratings, DIALECTS["pi30max"])
    assert named["output_source_priority_name"] == "SBU"
    assert named["charger_source_priority_name"] == "Only solar"
    for unsure in ("pi30vmii", "pi30lv", "pi30clone"):
        assert "output_source_priority_name" not in explain(ratings, DIALECTS[unsure])
        assert "charger_source_priority_name" not in explain(ratings, DIALECTS[unsure])


def test_a_code_without_a_name_is_unknown() -> None:
    named = explain(BY_ID["f0014"].decode(), DIALECTS["pi30ms"])
    assert named["charger_source_priority_name"] == "unknown"
    clone = explain(BY_ID["f0060"].decode(), DIALECTS["pi30clone"])
    assert clone["battery_type_name"] == "unknown"


def test_output_mode_6_depends_on_the_family() -> None:
    parallel = BY_ID["f0413"].decode()
    assert explain(parallel, DIALECTS["pi41"])["output_mode_name"] == "parallel, 180°"
    other = explain(parallel, DIALECTS["pi30max"])["output_mode_name"]
    assert other == "phase 2 of 2, 120°"


def test_the_first_status_bit_depends_on_the_family() -> None:
    status = BY_ID["f0134"].decode()
    for dialect, name in (
        ("pi30ms", "sbu_priority_version_added"),
        ("pi30max", "sbu_priority_version_added"),
        ("pi30king", "pv_or_ac_feeds_load"),
    ):
        assert name in explain(status, DIALECTS[dialect])["flags"]
    flags = explain(status, DIALECTS["pi30clone"])["flags"]
    assert set(flags) == {"load_on", "charging", "scc_charging"}


def test_modes_and_charge_states_are_named() -> None:
    assert explain(BY_ID["f0020"].decode(), DIALECTS["pi30max"]) == {
        "mode_name": "charging"
    }
    charge = explain(BY_ID["f0294"].decode(), DIALECTS["pi30vmii"])
    assert charge["charge_state_name"] == "bulk"


def test_the_documents_agree_on_the_size_of_the_tables() -> None:
    assert max(pi30.WARNINGS) == 31
    assert max(pi30duo.WARNINGS) == 37
    assert max(pi30vm3.WARNINGS) == 35
    assert max(pi30max.WARNINGS) == 35


@pytest.mark.parametrize(
    "serial",
    [
        None, "", "0", "00000000000000", "11111111111111", "55355535553555",
        "5535535553555", "55355535553555355535", "01234567890123", "12345678901234",
    ],
)  # fmt: skip
def test_serials_that_many_units_share(serial: str | None) -> None:
    assert bogus_serial(serial)


@pytest.mark.parametrize(
    "serial", ["92631807100358", "96342304101107", "<208q008<20808", "92932105105335"]
)
def test_serials_of_one_unit(serial: str) -> None:
    assert not bogus_serial(serial)
