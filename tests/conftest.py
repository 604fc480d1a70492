"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["helpers.bus", "helpers.notify", "helpers.settings"]
_TESTS = count(1)
# Each of a thousand processes would compile what has changed anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# How long an example takes, or its making, says something of the machine alone.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: begun last, it would be waited for alone."""
    items.sort(key=lambda item: item.get_closest_marker("lengthy") is None)


@pytest.fixture(scope="session", autouse=True)
def state_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what daemons of wider scope store out of the user's own state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPPDBUS_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def state(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return where the daemons of this test keep their state.

    It is below the folder of the test, which the many without one do not make.
    """
    folder = tmp_path_factory.getbasetemp() / f"state-of-{next(_TESTS)}"
    if "tmp_path" in request.fixturenames:
        folder = request.getfixturevalue("tmp_path") / "state"
    monkeypatch.setenv("MPPDBUS_STATE", str(folder))
    return folder
