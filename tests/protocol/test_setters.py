"""The table of setters: well formed, spelled as documented, read back where it says."""

from __future__ import annotations

import pytest

from mppdbus.protocol.dialects import FAMILIES
from mppdbus.protocol.queries import QUERIES
from mppdbus.protocol.settings.setters import ArgumentKind, Setter
from mppdbus.protocol.settings.voltage_ranges import Range

SETTERS = [
    pytest.param(setter, id=f"{name}-{setter.name}")
    for name, family in FAMILIES.items()
    for setter in family.setters
]
EACH = pytest.mark.parametrize("setter", SETTERS)
# What QDI says as new: recharge, float, bulk, cut-off, re-discharge in V.
FACTORY = {
    12: (11.5, 13.5, 14.1, 10.5, 13.5),
    24: (23, 27, 28.2, 21, 27),
    48: (46, 54, 56.4, 42, 54),  # cut-off 44 on the MAX
}


def setter_of(dialect: str, name: str) -> Setter:
    """Return a setter that the family has."""
    setters = {setter.name: setter for setter in FAMILIES[dialect].setters}
    return setters.get(name) or pytest.fail(f"{dialect} has no {name}")


def range_of(dialect: str, setting: str, nominal: int) -> Range | None:
    """Return the documented range of a setting for a battery of `nominal` V."""
    return FAMILIES[dialect].voltage_ranges.get(setting, {}).get(nominal)


def allows(found: Range, volts: float) -> bool:
    """Tell whether a range holds this voltage, as the documents print it."""
    if volts == 0:
        return found.zero
    if found.values:
        return volts in found.values
    steps = (volts - found.least) / found.step
    return found.least <= volts <= found.most and abs(steps - round(steps)) < 1e-6


@pytest.mark.parametrize("dialect", FAMILIES)
def test_a_family_has_a_setter_once(dialect: str) -> None:
    names = [setter.name for setter in FAMILIES[dialect].setters]
    assert len(set(names)) == len(names)


@EACH
def test_the_read_back_exists(setter: Setter) -> None:
    if setter.reads_back is not None:
        layouts = QUERIES[setter.reads_back.query]
        assert any(setter.reads_back.field in x.model.model_fields for x in layouts)
    for query in (*setter.rereads, *([setter.choices] if setter.choices else [])):
        assert query in QUERIES


@EACH
def test_what_takes_a_code_or_a_current_says_which_are_legal(setter: Setter) -> None:
    if setter.kind is ArgumentKind.CODE:
        assert setter.values, "say which codes are legal: .of(0, 1, 2)"
    if setter.kind is ArgumentKind.CURRENT:
        assert setter.choices is not None


# How firmware of any family reads the digits behind a name, by their count: m is the
# number of a unit in parallel.
READ_AS = {
    "MCHGC": ("mnn", "nnn"),
    "MNCHGC": ("mnnn", "nnn"),
    "MUCHGC": ("mnn", "nnn", "mnnn"),
}


@pytest.mark.parametrize("dialect", FAMILIES)
def test_no_other_form_means_another_legal_value_anywhere(dialect: str) -> None:
    """Forms that no document of the family has may only be read in one way."""
    for name in ("max_charging_current", "max_ac_charging_current"):
        setters = {each.name: each for each in FAMILIES[dialect].setters}
        if name not in setters:
            continue
        documented = 2 if "MCHGC" in str(setters[name].forms[1:2]) else 1
        for amps in range(497):
            for form in setters[name].forms[documented:]:
                try:
                    command = form.command(amps)
                except ValueError:
                    continue
                head = command.rstrip("0123456789")
                digits = command.removeprefix(head)
                for kind in READ_AS[head]:
                    if len(kind) != len(digits):
                        continue
                    unit = digits[0] if kind[0] == "m" else "0"
                    said = int(digits.removeprefix(unit) if kind[0] == "m" else digits)
                    assert (unit, said) == ("0", amps), command


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
        ("flag_on", "pi30", "a", 0, "PEa"),
    ],
)
def test_spelling(
    name: str, dialect: str, value: float | str, unit: int, command: str
) -> None:
    assert setter_of(dialect, name).command(value, unit) == command


def test_a_value_that_a_form_cannot_spell_is_refused() -> None:
    with pytest.raises(ValueError, match="130 cannot be written so"):
        setter_of("pi30max", "max_ac_charging_current").command(130)
    other = setter_of("pi30max", "max_ac_charging_current").commands(130)
    assert other == ("MUCHGC0130",)


def test_amps_that_switch_the_loads_are_spelled_by_no_form() -> None:
    for amps in (497, 498):
        with pytest.raises(ValueError, match="never sent"):
            setter_of("pi30max", "max_charging_current").commands(amps)


def test_the_revo_has_no_setters_of_pi30() -> None:
    assert not FAMILIES["revo"].setters


def test_utility_first_cannot_be_set_where_documents_forbid_it() -> None:
    charger = "charger_source_priority"
    assert setter_of("pi30", charger).values == (0, 1, 2, 3)
    assert setter_of("pi30max", charger).values == (1, 2, 3)
    assert setter_of("pi30king", charger).values == (0, 1, 2, 3)


@pytest.mark.parametrize("dialect", FAMILIES)
def test_ranges_are_of_setters_that_the_family_has(dialect: str) -> None:
    for setting in FAMILIES[dialect].voltage_ranges:
        assert setter_of(dialect, setting)


def test_without_a_document_there_is_no_range() -> None:
    assert range_of("pi30", "battery_bulk_voltage", 48) is not None
    assert range_of("pi30max", "battery_bulk_voltage", 48) is None


def test_the_factory_settings_are_inside_the_ranges() -> None:
    names = ("recharge", "float", "bulk", "under", "redischarge")
    for nominal, volts in FACTORY.items():
        for name, value in zip(names, volts, strict=True):
            for dialect in FAMILIES:
                found = range_of(dialect, f"battery_{name}_voltage", nominal)
                assert found is None or allows(found, value), (dialect, name, nominal)


def test_steps_are_kept() -> None:
    recharge = range_of("pi30", "battery_recharge_voltage", 48)
    assert recharge is not None
    assert [allows(recharge, v) for v in (44, 46.5, 51, 52, 0)] == [
        True, False, True, False, False,
    ]  # fmt: skip
    redischarge = range_of("pi30", "battery_redischarge_voltage", 12)
    assert redischarge is not None
    assert [allows(redischarge, v) for v in (0, 12.3, 12.4)] == [True, True, False]
    bulk = range_of("pi30vm3", "battery_bulk_voltage", 48)
    assert bulk is not None
    assert allows(bulk, 55.7)
