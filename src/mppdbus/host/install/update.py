"""From one release to another, and back if the new one does not work."""

import os
import re
from contextlib import suppress

from mppdbus.errors import InstallError
from mppdbus.host.install import venus_paths as paths
from mppdbus.host.install import venus_service
from mppdbus.host.install.changes import InstallTarget, Tell


def current(target: InstallTarget) -> str | None:
    """Return the release that runs, such as releases/1.2.0, None without one."""
    return _linked(target, paths.CURRENT)


def previous(target: InstallTarget) -> str | None:
    """Return the release that ran before, None without one."""
    return _linked(target, paths.PREVIOUS)


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Return what versions are compared by: 1.10 is newer than 1.9 and 1.10rc1."""
    parts = re.findall(r"\d+|[a-z]+", version.lower())
    key = [(1, int(p), "") if p.isdigit() else (-1, 0, p) for p in parts]
    return [*key, (0, 0, "")]


def update(
    target: InstallTarget, new: str, tell: Tell, *, dry_run: bool = False
) -> None:
    """Switch to a release; raises `InstallError` when it had to go back.

    If the power fails before the new release has been seen to work, the next boot goes
    back to the one before.
    """
    old = current(target)
    assert old is not None  # noqa: S101 - an update of something
    tell(f"switch from {old} to {new}, and back if it does not work")
    if dry_run:
        return
    launcher = f"{paths.APP}/{new}/bin/mppdbus"
    _try_out(target, launcher)
    state = venus_service.state_of(target)
    pid = state.pid if state and target.at(paths.ENABLED).exists() else 0
    served = pid > 0
    wanted = venus_service.names_on_bus(target, paths.LAUNCHER) if served else None
    target.write(paths.TRIAL, f"{old}\n".encode())
    _switch(target, new)
    trouble = ""
    if served:
        if not target.at(paths.CONFIG).exists():
            wanted = set()
        tell("wait until it is on the D-Bus again")
        trouble = venus_service.proven(target, launcher, wanted or set(), pid)
    if trouble:
        _switch(target, old)
        target.remove(paths.TRIAL)
        target.remove(f"{paths.APP}/{new}")
        raise InstallError(f"{trouble}; back to {old}, which runs as before")
    target.link(paths.PREVIOUS, old)
    target.remove(paths.TRIAL)
    _forget_others(target)


def rollback(target: InstallTarget, tell: Tell) -> None:
    """Go back to the release that ran before; raises `InstallError`."""
    before = previous(target)
    if before is None or not target.at(f"{paths.APP}/{before}").is_dir():
        raise InstallError("there is no release to go back to")
    update(target, before, tell)


def _linked(target: InstallTarget, path: str) -> str | None:
    with suppress(OSError):
        place = target.at(path)
        if place.is_dir():
            return os.readlink(place)  # noqa: PTH115 - as it is written
    return None


def _switch(target: InstallTarget, name: str) -> None:
    target.link(paths.CURRENT, name)
    if trouble := target.run(paths.BOOT):
        raise InstallError(trouble)
    venus_service.start(target)


def _try_out(target: InstallTarget, launcher: str) -> None:
    """Raise `InstallError` unless a release starts and can read the config."""
    words = [launcher, "--version"]
    if target.at(paths.CONFIG).exists():
        words = [launcher, "check-config", str(target.at(paths.CONFIG))]
    if trouble := target.run(*words, seconds=60):
        raise InstallError(f"the new release was not started: {trouble}")


def _forget_others(target: InstallTarget) -> None:
    """Remove releases that are neither the current one nor the one before."""
    kept = {current(target), previous(target)}
    for place in target.at(paths.RELEASES).iterdir():
        if f"releases/{place.name}" not in kept:
            target.remove(f"{paths.RELEASES}/{place.name}")
