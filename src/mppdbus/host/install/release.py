"""A release: a directory with everything that mppdbus needs, for one kind of machine.

    VERSION  ARCH  SHA256SUMS  boot.sh  bin/  service/
    site/         packages for any Python
    site-cp312/   packages with machine code, for Python 3.12

A bundle is one, packed. Where mppdbus came with pip, one is put together from what pip
installed, because Venus OS forgets that at its next update.
"""

import hashlib
import os
import re
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import mppdbus
from mppdbus.errors import InstallError
from mppdbus.host.install.changes import InstallTarget, PlannedChange

PACKAGE = Path(mppdbus.__file__).parent
HERE = Path(__file__).parent
SUMS = "SHA256SUMS"
# Place in a release → file of ours; programs are executable.
OWN_FILES = {
    "boot.sh": "files/boot.sh",
    "bin/mppdbus": "files/mppdbus",
    "bin/start.py": "start.py",
    "service/run": "files/run",
    "service/log-run": "files/log-run",
}
UNUSED = re.compile(r"(^|/)(__pycache__|tests?)(/|$)|\.py[co]$|\.pyi$")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def python_tag() -> str:
    """Return the tag of this Python, such as cp312."""
    return "cp" + (sys.implementation.cache_tag or "").rpartition("-")[2]


def architecture() -> str:
    """Return what this Python's machine code is for: armv7, aarch64, x86_64 …"""
    machine = os.uname().machine
    if machine.startswith(("arm", "aarch64")):
        return "armv7" if struct.calcsize("P") == 4 else "aarch64"
    return machine


def own_bundle() -> Path | None:
    """Return the release that this program runs from, None if it came with pip."""
    folder = PACKAGE.parents[1]
    return folder if (folder / SUMS).exists() else None


def version_of(release: Path) -> str:
    """Return the version that a release says it is; raises `InstallError`."""
    try:
        return (release / "VERSION").read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise InstallError(f"{release} is no release of mppdbus: {error}") from error


def listed(release: Path) -> dict[str, str]:
    """Return file → SHA-256 as the release lists them; raises `InstallError`."""
    try:
        lines = (release / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InstallError(f"{release} is no release of mppdbus: {error}") from error
    pairs = (line.partition("  ") for line in lines)
    return {name.removeprefix("./"): total for total, _, name in pairs}


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, "" if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def damaged(release: Path, sums: dict[str, str]) -> list[str]:
    """Return the files of a release that are not as they are listed."""
    return [name for name, total in sums.items() if digest(release / name) != total]


def check(release: Path) -> None:
    """Raise `InstallError` if a release is not for this machine, or not whole."""
    bad = damaged(release, listed(release))
    if bad:
        raise InstallError(
            f"{bad[0]} of the release is damaged ({len(bad)} files are); get it again"
        )
    version, code = version_of(release), _packaged_version(release)
    if version != code:
        raise InstallError(
            f"the release says that it is {version}, but its program is {code}; "
            "get it again"
        )
    fits = (release / "ARCH").read_text(encoding="ascii").strip()
    if fits != architecture():
        raise InstallError(
            f"this release is for {fits}, and this machine is {architecture()}; "
            f"get the one for {architecture()}"
        )
    if not (release / f"site-{python_tag()}").is_dir():
        there = ", ".join(
            sorted(p.name.removeprefix("site-") for p in release.glob("site-*"))
        )
        raise InstallError(
            f"this release is for Python {there}, and this machine has "
            f"{python_tag()}; update Venus OS to v3.60 or newer, or get a newer release"
        )


def _packaged_version(release: Path) -> str:
    with suppress(OSError):
        text = (release / "site/mppdbus/__init__.py").read_text(encoding="utf-8")
        if found := re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE):
            return found[1]
    return "unknown"


def complete(release: Path, version: str, arch: str) -> None:
    """Add our own files to a directory with packages, and list all of them."""
    for place, name in OWN_FILES.items():
        (release / place).parent.mkdir(exist_ok=True)
        shutil.copyfile(HERE / name, release / place)
        (release / place).chmod(0o644 if name.endswith(".py") else 0o755)
    (release / "VERSION").write_text(f"{version}\n", encoding="ascii")
    (release / "ARCH").write_text(f"{arch}\n", encoding="ascii")
    names = sorted(
        str(path.relative_to(release)) for path in release.rglob("*") if path.is_file()
    )
    lines = (f"{digest(release / name)}  {name}\n" for name in names if name != SUMS)
    (release / SUMS).write_text("".join(lines), encoding="utf-8")


def from_packages(folder: Path) -> None:
    """Make a release of what pip installed; raises `InstallError` if some is missing.

    What has machine code, such as pydantic_core, goes to the folder of this Python.
    """
    site, compiled = folder / "site", folder / f"site-{python_tag()}"
    compiled.mkdir(parents=True)
    _copy_tree(PACKAGE, site / "mppdbus")
    for package in needed_packages():
        files = [f for f in package.files or () if ".." not in f.parts]
        with_code = any(file.suffix == ".so" for file in files)
        for file in files:
            if not UNUSED.search(str(file)):
                place = (compiled if with_code else site) / str(file)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), place)
    complete(folder, mppdbus.__version__, architecture())


def needed_packages() -> Iterator[Distribution]:
    """Yield the packages that mppdbus needs, and what these need, each once."""
    seen, waiting = set[str](), ["mppdbus"]
    while waiting:
        name = waiting.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:
            raise InstallError(
                f"the package {name} is missing; install it with pip, or use the bundle"
            ) from None
        if name != "mppdbus":
            yield package
        for need in package.requires or ():
            word, condition = _NAME.match(need), need.partition(";")[2]
            if word and not condition and word[0].lower() not in seen:
                seen.add(word[0].lower())
                waiting.append(word[0])


def _copy_tree(source: Path, place: Path) -> None:
    for path in sorted(source.rglob("*")):
        name = str(path.relative_to(source))
        if path.is_file() and not UNUSED.search(name):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / name)


@dataclass(frozen=True)
class CopyRelease(PlannedChange):
    """A release in its place on the machine; one that is there is mended."""

    source: Path
    path: str

    def sentence(self) -> str:
        """Return what it does, for people."""
        return f"copy the release to {self.path}: program and packages"

    def done(self, target: InstallTarget) -> bool:
        """Tell whether it is there, whole."""
        place = target.at(self.path)
        if place == self.source:
            return True
        sums = {**listed(self.source), SUMS: digest(self.source / SUMS)}
        return not damaged(place, sums)

    def make(self, target: InstallTarget) -> None:
        """Copy it beside its place and rename it; or replace what is damaged."""
        place = target.at(self.path)
        sums = {**listed(self.source), SUMS: ""}
        if place.is_dir():
            for name in [n for n in sums if digest(place / n) != sums[n]]:
                data = (self.source / name).read_bytes()
                mode = (self.source / name).stat().st_mode & 0o777
                target.write(f"{self.path}/{name}", data, mode)
            return
        target.make_directory(os.path.dirname(self.path))  # noqa: PTH120
        new = place.with_name(f".{place.name}.mppdbus-new")
        shutil.rmtree(new, ignore_errors=True)
        for name in sums:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.source / name, new / name)
            mode = (self.source / name).stat().st_mode & 0o111
            (new / name).chmod(0o755 if mode else 0o644)
        os.sync()  # all is on the disk before it gets its name
        new.rename(place)
        os.sync()
