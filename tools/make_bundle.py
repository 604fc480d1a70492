"""Builds what people put on Venus OS: a bundle for each architecture, and install.sh.

    ./dev bundle                     all of it, into dist/
    ./dev bundle --arch x86_64 --python 3.11
    ./dev bundle --python 3.12 --python 3.14    one bundle for either Python

Everything comes from the package registry by its hash. Built twice, the files are the
same byte for byte.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from email.parser import BytesParser
from pathlib import Path
from typing import Any, NamedTuple

from mppdbus import __version__
from mppdbus.host.install.release import PACKAGE, UNUSED, complete

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "tools/venus-packages.lock"
PYDANTIC = ROOT / "tools/venus-pydantic.lock"
PYDANTIC_3_14 = ROOT / "tools/venus-pydantic-3.14.lock"
SOURCES = ROOT / "tools/venus-sources.lock"
CACHE = ROOT / "build/packages"
# Architecture of a bundle → as wheels call it.
WHEELS = {"armv7": "armv7l", "aarch64": "aarch64", "x86_64": "x86_64"}
VENUS = ("armv7", "aarch64")
WHEN = 1767225600  # s; the time of all files, because it must not be that of the build
# Where the Python of a source distribution is, below its folder.
PYTHON_OF_SOURCE = {"crcmod": "python3/", "dbus_fast": "src/"}
MACHINE_CODE = re.compile(r"(?<!-none-any)\.whl$")  # in the name of a file
# What no inverter needs.
LEFT_OUT = re.compile(
    r"^(pydantic/v1/|pydantic/mypy\.py|serial/(serialwin32|win32|serialjava|serialcli)"
    r"|serial/tools/list_ports_(windows|osx)|serial/tools/miniterm|dbus_fast/glib/"
    r"|crcmod/test\.py|.*\.(pxd|pyx|c|h)$)"
)


class Package(NamedTuple):
    """A package in a bundle."""

    name: str
    version: str
    licence: str
    licence_text: str
    sha256: str


def main(argv: list[str] | None = None) -> int:
    """Build; print the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--arch", action="append", choices=WHEELS, help="default: those of Venus OS")
    add("--python", action="append", metavar="3.N", help="default: 3.12")
    add("--out", type=Path, default=ROOT / "dist", help="default: dist/")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    pythons = args.python or ["3.12"]
    made = [build(arch, pythons, args.out) for arch in args.arch or VENUS]
    made.append(make_installer(made, args.out))
    made.append(make_usb_archive(made, args.out))
    made.append(make_bill_of_wheel(args.out))
    sums = "".join(f"{sha256(path.read_bytes())}  {path.name}\n" for path in made)
    (args.out / "SHA256SUMS").write_text(sums)
    for path in [*made, args.out / "SHA256SUMS"]:
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")  # noqa: T201
    return 0


def build(
    arch: str, pythons: Sequence[str], out: Path, *, version: str = __version__
) -> Path:
    """Build the bundle of an architecture for some Pythons; return the file."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / f"mppdbus-{version}"
        lay_out(tree, arch, pythons, version)
        path = out / f"{tree.name}-venus-{arch}.tar.gz"
        path.write_bytes(packed(tree.parent))
    return path


def lay_out(tree: Path, arch: str, pythons: Sequence[str], version: str) -> None:
    """Lay out a release as a directory."""
    site = tree / "site"
    packages = unpacked(tree, {python: downloaded(arch, python) for python in pythons})
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE.parent)
        if path.is_file() and not UNUSED.search(str(name)):
            put(site, str(name), path.read_bytes())
    if version != __version__:  # only tests make another
        init = site / "mppdbus/__init__.py"
        init.write_text(init.read_text().replace(__version__, version))
    (tree / "sbom.json").write_text(bill_of_materials(packages, version))
    (tree / "LICENCES.txt").write_text(licences(packages))
    complete(tree, version, arch)


def unpacked(tree: Path, files: Mapping[str, Sequence[Path]]) -> list[Package]:
    """Unpack the files of each Python; return what they are, each once.

    What all Pythons have in common, and is without machine code, is there once.
    """
    common = set[str].intersection(*({f.name for f in fs} for fs in files.values()))
    common = {name for name in common if not MACHINE_CODE.search(name)}
    found = set[Package]()
    for python, some in files.items():
        own = tree / f"site-cp{python.replace('.', '')}"
        own.mkdir(parents=True)
        for file in some:
            unpack = from_wheel if file.suffix == ".whl" else from_source
            found.add(unpack(file, tree / "site" if file.name in common else own))
    return sorted(found)


def locks(python: str) -> list[Path]:
    """Return the locks of the wheels for a Python."""
    newer = int(python.partition(".")[2]) >= 14
    return [LOCK, PYDANTIC_3_14 if newer else PYDANTIC]


def downloaded(arch: str, python: str) -> list[Path]:
    """Return the packages, downloaded by their hashes unless they are here already."""
    known = b"".join(lock.read_bytes() for lock in (*locks(python), SOURCES))
    stamp = sha256(known)[:12]
    folder = CACHE / f"{stamp}-{arch}-{python}"
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=CACHE))
        wheel = WHEELS[arch]
        names = f"manylinux_2_17_{wheel}", f"manylinux2014_{wheel}"
        platforms = [f"--platform={name}" for name in names]
        only = ["--only-binary=:all:", f"--python-version={python}", *platforms]
        for lock in locks(python):
            download(lock, new, *only)
        download(SOURCES, new, "--no-binary=crcmod,dbus-fast")
        try:
            new.rename(folder)
        except OSError:  # another run was faster
            shutil.rmtree(new)
    return sorted(folder.iterdir())


def download(lock: Path, folder: Path, *options: str) -> None:
    """Have pip download what a lock names, and nothing that has another hash."""
    words = ["download", "--quiet", "--no-deps", "--require-hashes", f"--dest={folder}"]
    subprocess.run(  # noqa: S603 - pip of this Python
        [sys.executable, "-m", "pip", *words, *options, f"--requirement={lock}"],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def from_wheel(file: Path, place: Path) -> Package:
    """Unpack a wheel, without what is left out."""
    texts, about = [], b""
    with zipfile.ZipFile(file) as wheel:
        for name in sorted(wheel.namelist()):
            if ".dist-info/" in name:
                if name.endswith("/METADATA"):
                    about = wheel.read(name)
                elif re.search(r"licen[cs]e|copying", name, re.IGNORECASE):
                    texts.append(wheel.read(name).decode())
            elif not name.endswith("/"):
                # An image may name the kind of its machine code in another way; a
                # plain .so fits all, and the folder says for which Python it is.
                put(
                    place,
                    re.sub(r"\.cpython-[^/]*\.so$", ".so", name),
                    wheel.read(name),
                )
    return described(file, about, texts)


def from_source(file: Path, place: Path) -> Package:
    """Unpack the Python of a source distribution."""
    texts, about = [], b""
    with tarfile.open(file) as source:
        for member in source.getmembers():
            data = source.extractfile(member)
            if data is None:
                continue
            name = member.name.partition("/")[2]
            package = next(iter(file.name.rsplit("-", 1)))
            inside = PYTHON_OF_SOURCE[package] + package
            if name == "PKG-INFO":
                about = data.read()
            elif name.startswith("LICEN"):
                texts.append(data.read().decode())
            elif name.startswith(inside + "/"):
                put(place, name.removeprefix(PYTHON_OF_SOURCE[package]), data.read())
    return described(file, about, texts)


def put(place: Path, name: str, data: bytes) -> None:
    """Write a file of a package, unless it is left out."""
    if not LEFT_OUT.match(name) and not UNUSED.search(name):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)


def described(file: Path, about: bytes, texts: list[str]) -> Package:
    """Return what the metadata of a package say."""
    said = BytesParser().parsebytes(about)
    kinds = [kind for kind in said.get_all("Classifier", []) if "License ::" in kind]
    licence = said["License-Expression"] or said["License"] or ""
    if not licence or len(licence) > 40 or licence == "UNKNOWN":
        licence = kinds[0].rpartition(":: ")[2] if kinds else "see LICENCES.txt"
    total = sha256(file.read_bytes())
    return Package(said["Name"], said["Version"], licence, "\n".join(texts), total)


def bill_of_materials(packages: list[Package], version: str) -> str:
    """Return the contents as CycloneDX 1.5."""
    return bill(
        [
            {
                "type": "library",
                "name": package.name,
                "version": package.version,
                "purl": f"pkg:pypi/{package.name.lower()}@{package.version}",
                "hashes": [{"alg": "SHA-256", "content": package.sha256}],
                "licenses": [{"license": {"name": package.licence}}],
            }
            for package in packages
        ],
        version,
    )


def make_bill_of_wheel(out: Path) -> Path:
    """Write what the wheel needs, as CycloneDX: names and the versions that fit."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = (
        re.split(r"(?=[<>=!~])", need, maxsplit=1) for need in project["dependencies"]
    )
    path = out / f"mppdbus-{__version__}-wheel.cdx.json"
    components: list[dict[str, Any]] = [
        {
            "type": "library",
            "name": name,
            "purl": f"pkg:pypi/{name}",
            "properties": [{"name": "mppdbus:versions", "value": "".join(fits) or "*"}],
        }
        for name, *fits in needed
    ]
    path.write_text(bill(components, __version__))
    return path


def bill(components: list[dict[str, Any]], version: str) -> str:
    """Return a bill of materials of mppdbus."""
    us = {"type": "application", "name": "mppdbus", "version": version}
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": us | {"licenses": [{"license": {"id": "MIT"}}]}},
        "components": components,
    }
    return json.dumps(whole, indent=1) + "\n"


def licences(packages: list[Package]) -> str:
    """Return all licences as one text."""
    own = (ROOT / "LICENSE").read_text()
    parts = [f"mppdbus: MIT\n\n{own}"]
    parts += [
        f"{p.name} {p.version}: {p.licence}\n\n{p.licence_text}" for p in packages
    ]
    return f"\n{'=' * 78}\n".join(parts)


def packed(folder: Path) -> bytes:
    """Return a directory as .tar.gz: owned by root, in order, without times."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            member = tarfile.TarInfo(str(path.relative_to(folder)))
            member.mtime, member.uname, member.gname = WHEN, "root", "root"
            runs = path.is_dir() or path.stat().st_mode & 0o100
            member.mode = 0o755 if runs else 0o644
            if path.is_dir():
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                data = path.read_bytes()
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


def make_installer(bundles: list[Path], out: Path) -> Path:
    """Write install.sh with the version and the hashes of these bundles."""
    sums = " ".join(
        f"{path.name.rpartition('-')[2].removesuffix('.tar.gz')}="
        f"{sha256(path.read_bytes())}"
        for path in bundles
    )
    script = (ROOT / "venus/install.sh").read_text()
    script = script.replace("\nRELEASE=unreleased\n", f"\nRELEASE={__version__}\n")
    script = script.replace("\nSUMS=\n", f"\nSUMS='{sums}'\n")
    path = out / "install.sh"
    path.write_text(script)
    path.chmod(0o755)
    return path


def make_usb_archive(made: list[Path], out: Path) -> Path:
    """Pack what a USB stick needs: Venus OS unpacks and runs it when it starts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "rc"
        folder.mkdir()
        for path in made:
            place = "mppdbus-install.sh" if path.name == "install.sh" else path.name
            shutil.copyfile(path, folder / place)
        shutil.copyfile(ROOT / "venus/post-hook.sh", folder / "post-hook.sh")
        for script in folder.glob("*.sh"):
            script.chmod(0o755)
        path = out / "venus-data.tar.gz"
        path.write_bytes(packed(Path(name)))
    return path


def sha256(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
