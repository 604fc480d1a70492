"""Which installer belongs to a machine."""

from typing import Protocol

from mppdbus.errors import InstallError
from mppdbus.host.install import venus
from mppdbus.host.install.changes import InstallTarget, Tell
from mppdbus.host.install.systemd import RUNNING, UNIT_FILE, SystemdInstaller
from mppdbus.host.install.venus_paths import CONFIG_FOLDER, STATE, VENUS_VERSION


class Installer(Protocol):
    """What there is for each kind of machine: `venus`, `systemd`."""

    def install(self, target: InstallTarget, tell: Tell, *, dry_run: bool) -> None:
        """Install, update or repair; raises `InstallError`."""

    def uninstall(
        self, target: InstallTarget, tell: Tell, *, purge: bool, dry_run: bool
    ) -> None:
        """Remove all; with `purge` also config, state and logs."""


def is_venus(target: InstallTarget) -> bool:
    """Tell whether the machine runs Venus OS."""
    return target.at(VENUS_VERSION).exists()


def installer_for(target: InstallTarget, *, systemd: bool) -> Installer:
    """Return the installer to use; raises `InstallError` if there is none."""
    if is_venus(target) and not systemd:
        return venus
    if systemd or target.at(RUNNING).is_dir() or target.at(UNIT_FILE).exists():
        return SystemdInstaller()
    raise InstallError(
        "neither Venus OS nor systemd runs here; for a system that systemd boots "
        "later add --systemd, else start `mppdbus run` as you start other services"
    )


def data_folders(target: InstallTarget) -> list[str]:
    """Return where config and state of an installed service are."""
    if is_venus(target):
        return [CONFIG_FOLDER, STATE]
    return ["/etc/mppdbus", "/var/lib/mppdbus"]
