"""Generated pages that no other test holds are what the tools give."""

from __future__ import annotations

import pytest

import make_configuration_md
import make_control_md
from mppdbus.config.models import Config


def test_the_page_of_the_configuration_is_current(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert make_configuration_md.main(["--check"]) == 0, capsys.readouterr().out


def test_each_option_is_explained() -> None:
    page = make_configuration_md.page()
    for section, field in Config.model_fields.items():
        for option in make_configuration_md.table(field).model_fields:
            part = page.split(f"### {section}.{option}\n\n")[1]
            assert part.split("\n")[0].strip(), f"{section}.{option}"


def test_the_table_of_evidence_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_control_md.main(["--check"]) == 0, capsys.readouterr().out
