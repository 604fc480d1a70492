"""The table of setters: well formed, spelled as documented, read back where it says."""

from __future__ import annotations

import re

import pytest

from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.queries import QUERIES
from mppdbus.protocol.settings.setters import BY_NAME, SETTERS, Kind, Setter
from mppdbus.protocol.settings.voltage_ranges import FACTORY, RANGES, voltage_range

EACH = pytest.mark.parametrize("setter", SETTERS, ids=lambda s: s.name)


@EACH
def test_names_are_unique_and_dialects_exist(setter: Setter) -> None:
    assert BY_NAME[setter.name] is setter
    for form in setter.forms:
        assert form.dialects <= set(DIALECTS)
        assert form.dialects, form.template
    assert set(setter.values) <= set(DIALECTS)


@EACH
def test_the_read_back_exists(setter: Setter) -> None:
    if setter.reads_back is not None:
        layouts = QUERIES[setter.reads_back.query]
        assert any(setter.reads_back.field in x.model.model_fields for x in layouts)
    for query in (*setter.rereads, *([setter.choices] if setter.choices else [])):
        assert query in QUERIES


@EACH
def test_what_takes_a_code_or_a_current_says_which_are_legal(setter: Setter) -> None:
    if setter.kind is Kind.CODE:
        for form in setter.forms:
            if lost := sorted(d for d in form.dialects if not setter.legal(d)):
                pytest.fail(
                    f"nobody knows which codes of {setter.name} are legal on {lost}: "
                    "leave them out of ALL in src/mppdbus/protocol/settings/setters.py,"
                    " or give the setter their values",
                    pytrace=False,
                )
    if setter.kind is Kind.CURRENT:
        assert setter.choices is not None


@EACH
def test_a_dialect_has_one_form_unless_both_are_told_apart_by_their_length(
    setter: Setter,
) -> None:
    for dialect in DIALECTS:
        forms = [f for f in setter.forms if dialect in f.dialects]
        heads = {re.sub(r"[{:].*", "", f.template) for f in forms}
        assert len(forms) == len(heads)


@pytest.mark.parametrize(
    ("name", "dialect", "value", "unit", "command"),
    [
        ("output_source_priority", "pi30", 2, 0, "POP02"),
        ("charger_source_priority_of_unit", "pi30max", 1, 3, "PPCP301"),
        ("battery_bulk_voltage", "pi30max", 56.4, 0, "PCVV56.4"),
        ("battery_recharge_voltage", "pi30", 9.5, 0, "PBCV09.5"),
        ("battery_redischarge_voltage", "pi30", 0.0, 0, "PBDV00.0"),
        ("max_charging_current", "pi30vm3", 60, 0, "MNCHGC060"),
        ("max_charging_current", "pi30max", 60, 0, "MNCHGC0060"),
        ("max_charging_current", "pi30max", 60, 1, "MNCHGC1060"),
        ("max_ac_charging_current", "pi30vm3", 30, 0, "MUCHGC030"),
        ("max_ac_charging_current", "pi30mks2", 30, 0, "MUCHGC0030"),
        ("max_ac_charging_current", "pi30max", 30, 0, "MUCHGC030"),
        ("output_voltage", "pi30max", 230, 0, "V230"),
        ("output_voltage", "pi30mks2", 230, 0, "POPV2300"),
        ("equalization_voltage", "pi30king", 58.4, 0, "PBEQV58.40"),
        ("clock", "pi30max", "240131120000", 0, "DAT240131120000"),
        ("factory_reset", "pi30", "", 0, "PF"),
        ("flag_on", "pi30", "a", 0, "PEa"),
    ],
)
def test_spelling(
    name: str, dialect: str, value: float | str, unit: int, command: str
) -> None:
    form = BY_NAME[name].form(dialect)
    assert form is not None
    assert form.command(value, unit) == command


def test_a_value_that_a_form_cannot_spell_is_refused() -> None:
    form = BY_NAME["max_ac_charging_current"].form("pi30max")
    assert form is not None
    with pytest.raises(ValueError, match="130 cannot be written so"):
        form.command(130)


def test_the_revo_has_no_setters_of_pi30() -> None:
    assert not any(setter.form("revo") for setter in SETTERS)


def test_utility_first_cannot_be_set_where_documents_forbid_it() -> None:
    charger = BY_NAME["charger_source_priority"]
    assert charger.legal("pi30") == (0, 1, 2, 3)
    assert charger.legal("pi30max") == (1, 2, 3)
    assert charger.legal("pi30king") == (0, 1, 2, 3)


def test_ranges_name_setters_that_exist() -> None:
    for dialect, settings in RANGES.items():
        assert dialect in DIALECTS
        assert set(settings) <= set(BY_NAME)
    for setting in RANGES["pi30"]:
        for nominal in RANGES["pi30"][setting]:
            assert voltage_range("pi30", setting, nominal) is not None
    assert voltage_range("pi30max", "battery_bulk_voltage", 48) is None


def test_the_factory_settings_are_inside_the_ranges() -> None:
    names = ("recharge", "float", "bulk", "under", "redischarge")
    for nominal, volts in FACTORY.items():
        for name, value in zip(names, volts, strict=True):
            for dialect in RANGES:
                found = voltage_range(dialect, f"battery_{name}_voltage", nominal)
                assert found is None or found.allows(value), (dialect, name, nominal)


def test_steps_are_kept() -> None:
    recharge = voltage_range("pi30", "battery_recharge_voltage", 48)
    assert recharge is not None
    assert [recharge.allows(v) for v in (44, 46.5, 51, 52, 0)] == [
        True, False, True, False, False,
    ]  # fmt: skip
    redischarge = voltage_range("pi30", "battery_redischarge_voltage", 12)
    assert redischarge is not None
    assert [redischarge.allows(v) for v in (0, 12.3, 12.4)] == [True, True, False]
    bulk = voltage_range("pi30vm3", "battery_bulk_voltage", 48)
    assert bulk is not None
    assert bulk.allows(55.7)
