"""The page for Victron's GUI: the file in the package is what gui/mppdbus gives."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from struct import unpack_from
from typing import Any

import pytest

from helpers.places import ROOT
from make_gui_page import PAGE, SOURCES, rcc
from mppdbus import __version__

SERVED = re.findall(r"^\| `(/\S+)` ", (ROOT / "docs/dbus.md").read_text(), re.MULTILINE)


def plugin() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(PAGE.read_text())
    return loaded


def contents(resource: bytes) -> list[bytes]:
    """The files in a binary resource of Qt that is not compressed: length, bytes."""
    magic, version, _, data, names = unpack_from(">4s4I", resource)
    assert (magic, version) == (b"qres", 1)
    found = []
    while data < names:
        (length,) = unpack_from(">I", resource, data)
        found.append(resource[data + 4 : data + 4 + length])
        data += 4 + length
    return found


def test_it_holds_the_sources_to_the_byte() -> None:
    resource = base64.b64decode(plugin()["resource"])
    sources = [path.read_bytes() for path in SOURCES.iterdir()]
    again = f"run .venv/bin/python tools/make_gui_page.py: {PAGE} is not current"
    assert sorted(contents(resource)) == sorted(sources), again


def test_gui_v2_finds_it_by_its_name_and_its_pages_by_theirs() -> None:
    loaded = plugin()
    assert loaded["name"] == PAGE.stem == SOURCES.name
    assert loaded["version"] == __version__
    for integration in loaded["integrations"]:
        name = integration["url"].removeprefix(f"qrc:/{loaded['name']}/")
        assert (SOURCES / name).is_file()
    assert PAGE.stat().st_size < 10_000


def paths() -> set[str]:
    text = "".join(path.read_text() for path in SOURCES.iterdir())
    return set(re.findall(r'"(/[A-Z][A-Za-z/]+)"', text))


def test_it_is_bound_to_paths_that_are_on_the_bus() -> None:
    assert len(paths()) > 15
    assert paths() <= set(SERVED)


def test_each_page_that_is_opened_is_there() -> None:
    for path in SOURCES.iterdir():
        for name in re.findall(r'"qrc:/mppdbus/(.*?)"', path.read_text()):
            assert (SOURCES / name).is_file()


@pytest.mark.skipif(rcc() is None, reason="no rcc of Qt: qt6-base-dev-tools")
def test_rcc_makes_the_same_file_again() -> None:
    tool = ROOT / "tools/make_gui_page.py"
    done = subprocess.run(
        [sys.executable, tool, "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
