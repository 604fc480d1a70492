"""The command starts with whatever pydantic is there."""

from __future__ import annotations

import subprocess
import sys

LIGHT = "import mppdbus.__main__ as m; m._travel_light(); "


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_release_of_pydantic_misses_what_it_looks_for_plug_ins_with() -> None:
    code = f"{LIGHT}import pydantic.plugin._loader as l; print(tuple(l.get_plugins()))"
    assert python(code) == "()"


def test_the_stand_in_answers_both_ways_of_looking() -> None:
    """2.7 asks for distributions, 2.14 for entry points."""
    code = (
        "import mppdbus.__main__ as m; kept = []; "
        "real = m.ModuleType; "
        "m.ModuleType = lambda name: kept.append(real(name)) or kept[-1]; "
        "m._travel_light(); "
        "print(kept[0].distributions(), kept[0].entry_points(group='x'))"
    )
    assert python(code) == "() ()"


def test_models_can_be_made_afterwards_and_metadata_is_the_real_one() -> None:
    code = (
        f"{LIGHT}import pydantic, importlib.metadata as i; "
        "print(pydantic.create_model('M', a=(int, 1))().a, i.version('mppdbus'))"
    )
    assert python(code).startswith("1 ")
