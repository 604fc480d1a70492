"""A bundle as a file: unpacked, then installed by the release that is in it."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from mppdbus.errors import InstallError
from mppdbus.host.install.changes import InstallTarget, Tell


def install_bundle(target: InstallTarget, bundle: Path, tell: Tell) -> None:
    """Unpack a bundle and have it install itself; raises `InstallError`."""
    folder = Path(tempfile.mkdtemp(prefix=".mppdbus-install.", dir=target.at("/data")))
    try:
        try:
            with tarfile.open(bundle) as archive:
                archive.extractall(folder, filter="data")
        except (OSError, tarfile.TarError, EOFError) as error:
            raise InstallError(f"{bundle} cannot be unpacked: {error}") from error
        found = list(folder.glob("*/bin/mppdbus"))
        if len(found) != 1:
            raise InstallError(f"{bundle} is no bundle of mppdbus")
        tell(f"unpacked {bundle.name}")
        words = [str(found[0]), "install", "--root", str(target.root)]
        code = subprocess.run(words, check=False).returncode  # noqa: S603 - a bundle of ours
        if code:
            raise InstallError("it was not installed")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
