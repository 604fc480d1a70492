"""The house: imports point downwards, pure rooms stay pure, a name exists once."""

from __future__ import annotations

import ast
from collections import defaultdict

import pytest

import make_architecture_md
from helpers.launcher import CCGX
from rooms import (
    FILES,
    FLOOR_OF,
    FLOORS,
    MODULES,
    PACKAGE,
    foreign_imports,
    in_order,
    own_imports,
    room_of,
)

PURE = ("protocol", "model")
IO_MODULES = {"asyncio", "logging", "os", "time", "socket", "subprocess", "threading"}
LONGEST = 400  # lines of a file that is no table


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    here = room_of(module)
    for used in map(room_of, own_imports(MODULES[module])):
        low = used == here or FLOOR_OF[used] < FLOOR_OF[here]
        assert low, (
            f"{here} must not import {used}: see FLOORS in tests/helpers/rooms.py"
        )


def test_no_circle() -> None:
    assert set(in_order()) >= set(MODULES)


def test_the_picture_in_the_docs_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_architecture_md.main(["--check"]) == 0, capsys.readouterr().out


def test_the_house_is_small_enough_to_know() -> None:
    assert len(FLOOR_OF) <= 18
    assert len(FLOORS) <= 8
    loose = {path.name for path in PACKAGE.glob("*.py")}
    assert loose == {"__init__.py", "__main__.py", "cli.py", "errors.py"}


def test_the_simulator_shares_no_mistakes_with_the_driver() -> None:
    shared = {"errors", "protocol.framing", "transport.port_url"}
    for module, path in MODULES.items():
        if room_of(module) == "simulator":
            used = {m for m in own_imports(path) if room_of(m) != "simulator"}
            assert used <= shared, module


@pytest.mark.parametrize("module", MODULES)
def test_what_a_file_may_use(module: str) -> None:
    used, room = foreign_imports(MODULES[module]), room_of(module)
    assert not used & CCGX, "Venus OS has no such module"
    assert room not in PURE or not used & IO_MODULES, f"{room} is pure"
    assert room == "venus.dbus" or "dbus_fast" not in used


def test_a_class_name_exists_once() -> None:
    places = defaultdict(list)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(PACKAGE)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
