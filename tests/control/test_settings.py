"""The settings by name, as all simulated units and the recorded ones show them."""

from __future__ import annotations

import pytest

from helpers.frames import READABLE
from helpers.personalities import ALL, of
from mppdbus.control.settings import QUERIES, ShownSetting, chosen, settings_of
from mppdbus.control.settings_file import differences, read_toml, to_toml
from mppdbus.errors import ConfigError, MppdbusError
from mppdbus.protocol.codes import BATTERIES
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.identification import identify
from mppdbus.protocol.queries import decode
from mppdbus.protocol.replies.fields import Reading
from mppdbus.protocol.settings.meanings import SETTINGS
from mppdbus.simulator.unit.profile import UnitProfile

NAMING = ("QPI", "QMN", "QGMN", "QVFW", "QPIWS")


def settings(name: str) -> dict[str, ShownSetting]:
    unit, readings = of(name), dict[str, Reading]()
    for query in (*NAMING, *QUERIES):
        answer = unit.answer(query)
        if answer is not None and answer != "NAK":
            readings[query] = decode(query, answer.encode())
    shown = settings_of(readings, identify(Evidence.gather(readings)))
    return {each.name: each for each in shown}


@pytest.mark.parametrize("profile", ALL, ids=lambda profile: profile.name)
def test_each_unit_shows_what_it_has_and_what_it_may_be(profile: UnitProfile) -> None:
    shown = settings(profile.name)
    assert {"output_source_priority", "battery_bulk_voltage"} <= shown.keys()
    for each in shown.values():
        assert each.text(each.value) != "-"
        legal = each.allowed
        if legal is None or each.name in ("battery_type", "output_mode"):
            continue
        value = each.value or 0.0
        between = legal.least is not None and legal.least <= value <= (legal.most or 0)
        odd = (profile.name, each.name) == ("vevor-4000", "output_source_priority")
        assert between or value in legal.values or odd, each  # it prints a third code


@pytest.mark.parametrize("profile", ALL, ids=lambda profile: profile.name)
def test_a_file_of_a_unit_says_what_the_unit_says(profile: UnitProfile) -> None:
    shown = list(settings(profile.name).values())
    kept = read_toml(to_toml(shown, profile.name), "file")
    assert len(kept) == sum(each.name != "equalization_now" for each in shown)
    assert not list(differences(shown, kept))


def test_a_priority_is_a_number_where_the_family_is_a_guess() -> None:
    readings = {"QPIRI": decode("QPIRI", QPIRI_OF_ANYBODY.encode())}
    guessed = identify(Evidence.gather(readings))
    shown = {each.name: each for each in settings_of(readings, guessed)}
    assert shown["output_source_priority"].text(2) == "2"
    assert shown["battery_type"].text(0) == BATTERIES[0]


QPIRI_OF_ANYBODY = (
    "230.0 21.7 230.0 50.0 21.7 5000 4000 48.0 46.0 42.0 56.4 54.0 0 10 60 0 2 1 9 01 "
    "0 0 54.0 0 1"
)


def test_what_recorded_units_show_can_be_read() -> None:
    names = {setting.name for setting in SETTINGS}
    seen = set()
    for recorded in READABLE:
        if recorded.command not in QUERIES:
            continue
        try:
            readings = {recorded.command: recorded.decode()}
        except MppdbusError:
            continue
        for each in settings_of(readings, identify(Evidence.gather(readings))):
            seen.add(each.name)
            assert each.record()["name"] in names
    assert all("capacity" in name for name in names - seen)  # nobody recorded a QDOP


def test_wrong_names_and_files_are_explained() -> None:
    shown = list(settings("axpert-5000").values())
    with pytest.raises(ConfigError, match="did you mean battery_bulk_voltage"):
        chosen(shown, ["batery_bulk_voltage"])
    with pytest.raises(ConfigError, match="does not show a setting max_discharge_curr"):
        chosen(shown, ["max_discharge_current"])
    with pytest.raises(ConfigError, match=r"x\.toml: line 1.*"):
        read_toml("buzzer = on", "x.toml")
    with pytest.raises(ConfigError, match='"bulk" is no setting'):
        read_toml("bulk = 56.4", "x.toml")
    with pytest.raises(ConfigError, match=r"buzzer: true is no number and no text"):
        read_toml("buzzer = true", "x.toml")
