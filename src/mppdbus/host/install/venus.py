"""Installs on Venus OS: everything on /data, nothing on the root file system."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mppdbus.errors import InstallError
from mppdbus.host.install import release, venus_service
from mppdbus.host.install import venus_paths as paths
from mppdbus.host.install.boot_line import BootLine
from mppdbus.host.install.changes import (
    InstallTarget,
    MakeLink,
    OnUninstall,
    Plan,
    PlannedChange,
    RunProgram,
    Tell,
)
from mppdbus.host.install.update import current, update, version_key

LEAST_SPACE = 25  # MB on /data
LEFTOVERS = "mppdbus-install."  # directories that install.sh unpacks into


def plan(target: InstallTarget, source: Path | None) -> Plan:
    """Return what an installation consists of; `source` None: only to undo it."""
    version = release.version_of(source) if source else "none"
    new = f"releases/{version}"
    first = current(target) is None
    changes: list[PlannedChange] = [OnUninstall(paths.APP)]
    if source:
        changes.append(release.CopyRelease(source, f"{paths.APP}/{new}"))
    if first or not source:  # before CURRENT: without that, it is done again
        why = "switched on; remove it to switch mppdbus off"
        changes.append(MakeLink(paths.ENABLED, "../available/mppdbus", why))
    running = current(target) or new
    gui = "current/site/mppdbus/host/gui-v2"
    changes += [
        MakeLink(paths.CURRENT, running, "the release that runs"),
        MakeLink(paths.GUI, gui, "the page under Settings, Integrations"),
    ]
    changes += [
        BootLine(),
        RunProgram([paths.BOOT], "make the service", needed=True),
        venus_service.RunningService(venus_service.ports_of(target)),
    ]
    return Plan(changes, paths.RECORD)


def install(target: InstallTarget, tell: Tell, *, dry_run: bool) -> None:
    """Install, update or repair; raises `InstallError`."""
    _note_disabled_scripts(target, tell)
    with _source(target, dry_run=dry_run) as source:
        release.check(source)
        version = release.version_of(source)
        running = current(target)
        if not target.at(f"{paths.RELEASES}/{version}").exists():
            _check_space(target)
        _check_downgrade(running, version)
        count = plan(target, source).apply(target, tell, dry_run=dry_run)
        if running not in (None, f"releases/{version}"):
            update(target, f"releases/{version}", tell, dry_run=dry_run)
        elif count and not dry_run:
            venus_service.start(target)
    if dry_run:
        tell("nothing was changed (--dry-run)" if count else "nothing to change")
        return
    _clear_leftovers(target)
    tell(_conclusion(target, version, count))


def enable(target: InstallTarget) -> None:
    """Switch it on, now and at each boot."""
    target.link(paths.ENABLED, "../available/mppdbus")
    if trouble := target.run(paths.BOOT):
        raise InstallError(trouble)
    venus_service.start(target)


def disable(target: InstallTarget) -> None:
    """Switch it off, now and at each boot; the serial ports go back to Venus OS."""
    target.remove(paths.ENABLED)
    venus_service.RunningService(venus_service.ports_of(target)).undo(target)


def uninstall(target: InstallTarget, tell: Tell, *, purge: bool, dry_run: bool) -> None:
    """Remove it all; with `purge` also config, state and logs."""
    count = plan(target, None).undo(target, tell, dry_run=dry_run)
    stored = (paths.CONFIG_FOLDER, paths.STATE, paths.LOG)
    there = [path for path in stored if target.at(path).exists()]
    if purge:
        for path in there:
            tell(f"remove {path}")
            count += 1
            if not dry_run:
                target.remove(path)
        there = []
    if dry_run:
        tell("nothing was changed (--dry-run)")
        return
    _clear_leftovers(target)
    if not count:
        tell("mppdbus is not installed here")
    if there:
        tell(f"what remains: {', '.join(there)}; --purge removes that too")
    elif count:
        tell("nothing of mppdbus remains")


def _check_space(target: InstallTarget) -> None:
    disk = os.statvfs(target.at("/data"))
    free = disk.f_bavail * disk.f_frsize // 1_000_000
    if free < LEAST_SPACE:
        raise InstallError(
            f"/data has {free} MB left and mppdbus needs {LEAST_SPACE} MB; remove "
            "something first"
        )


def _check_downgrade(running: str | None, version: str) -> None:
    """Refuse a release that is older than the one that runs, unless it is wanted."""
    before = (running or "").rpartition("/")[2]
    older = before and version_key(version) < version_key(before)
    if older and os.environ.get("ALLOW_DOWNGRADE") != "1":
        raise InstallError(
            f"{version} is older than {before}, which is installed; set "
            "ALLOW_DOWNGRADE=1 if you want that"
        )


def _note_disabled_scripts(target: InstallTarget, tell: Tell) -> None:
    for path in (paths.BOOT_SCRIPT, paths.LATE_BOOT_SCRIPT):
        if target.at(f"{path}.disabled").exists():
            tell(
                f"note: {path}.disabled: the start-up scripts were switched off in the "
                "GUI (Settings, General, Support status); its lines stay switched off"
            )


@contextmanager
def _source(target: InstallTarget, *, dry_run: bool) -> Iterator[Path]:
    """Give the release to install: our own, or one made of what pip installed."""
    if own := release.own_bundle():
        yield own
        return
    where = None if dry_run else target.at("/data")
    folder = Path(tempfile.mkdtemp(prefix=f".{LEFTOVERS}", dir=where))
    try:
        release.from_packages(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear_leftovers(target: InstallTarget) -> None:
    """Remove what an interrupted installation had unpacked, but not what runs."""
    own = release.own_bundle()
    for folder in target.at("/data").glob(f".{LEFTOVERS}*"):
        if own is None or folder not in own.parents:
            shutil.rmtree(folder, ignore_errors=True)


def _conclusion(target: InstallTarget, version: str, count: int) -> str:
    said = f"mppdbus {version} is installed" + ("" if count else ", nothing to change")
    if not target.at(paths.ENABLED).exists():
        return f"{said}; it is switched off, {paths.LAUNCHER} enable switches it on"
    if not target.at(paths.CONFIG).exists():
        return f"{said}; now find your inverter: {paths.LAUNCHER} setup"
    return f"{said}; what it does: {paths.LAUNCHER} status"
