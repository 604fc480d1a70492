"""Where the state of a program belongs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mppdbus.host.platform import state_directory

HOME = {"HOME": "/home/ann"}


@pytest.mark.parametrize(
    ("env", "venus", "directory"),
    [
        ({}, False, "/var/lib/mppdbus"),
        ({"HOME": "/root"}, False, "/var/lib/mppdbus"),
        ({"HOME": "/nonexistent"}, False, "/var/lib/mppdbus"),
        (HOME, False, "/home/ann/.local/state/mppdbus"),
        (HOME | {"XDG_STATE_HOME": "/s"}, False, "/s/mppdbus"),
        ({"HOME": "/root"}, True, "/data/mppdbus"),
        (HOME | {"XDG_STATE_HOME": "/s"}, True, "/data/mppdbus"),
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, True, "/var/lib/a"),
        ({"STATE_DIRECTORY": ""}, False, "/var/lib/mppdbus"),
        ({"MPPDBUS_STATE": "/x", "STATE_DIRECTORY": "/y"}, True, "/x"),
    ],
)
def test_where_the_state_belongs(
    env: dict[str, str], directory: str, *, venus: bool
) -> None:
    assert state_directory(env, venus=venus) == Path(directory)
