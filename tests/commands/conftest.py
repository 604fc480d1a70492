"""A simulated inverter for commands to talk to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.commands import Simulated, simulated


@pytest.fixture
def inverter(tmp_path: Path) -> Iterator[Simulated]:
    """An inverter with two trackers on a pty, unpaced."""
    with simulated(tmp_path, "--profile", "max-8000") as unit:
        yield unit
