"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["helpers.bus", "helpers.settings"]


@pytest.fixture(scope="session", autouse=True)
def state_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what daemons of wider scope store out of the user's own state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPPDBUS_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the daemons of this test keep their state."""
    folder = tmp_path / "state"
    monkeypatch.setenv("MPPDBUS_STATE", str(folder))
    return folder
