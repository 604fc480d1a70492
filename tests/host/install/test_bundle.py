"""The bundle: the same twice, owned by root, with all that it names and no more."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

import make_bundle
from helpers.places import ROOT
from mppdbus import __version__

SCRIPTS = [
    *sorted((ROOT / "venus").glob("*.sh")),
    *sorted((ROOT / "src/mppdbus/host/install/files").iterdir()),
]
pytestmark = pytest.mark.xdist_group("bundle")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    assert make_bundle.main(["--out", str(folder)]) == 0
    return folder


def test_built_twice_it_is_the_same_byte_for_byte(
    bundles: Path, tmp_path: Path
) -> None:
    # Another directory, another process, other times.
    tool = ROOT / "tools/make_bundle.py"
    build: list[str | Path] = [sys.executable, tool, "--out", tmp_path]
    subprocess.run(build, check=True, capture_output=True)
    names = {path.name for path in bundles.iterdir()}
    assert names == {path.name for path in tmp_path.iterdir()}
    for name in names:
        assert (bundles / name).read_bytes() == (tmp_path / name).read_bytes(), name


@pytest.mark.parametrize("arch", make_bundle.VENUS)
def test_what_is_inside(bundles: Path, arch: str, tmp_path: Path) -> None:
    path = bundles / f"mppdbus-{__version__}-venus-{arch}.tar.gz"
    assert path.stat().st_size < 4_000_000
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        archive.extractall(tmp_path, filter="fully_trusted")
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {
        (0, 0, "root", "root")
    }
    assert {m.mode for m in members} == {0o644, 0o755}
    assert {m.mtime for m in members} == {make_bundle.WHEN}
    tree = tmp_path / f"mppdbus-{__version__}"
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(check, cwd=tree, check=True)
    listed = {
        line.split("  ")[1] for line in (tree / "SHA256SUMS").read_text().splitlines()
    }
    files = {str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_file()}
    assert files == listed | {"SHA256SUMS"}
    codes = [path for path in files if path.endswith(".so")]
    assert codes == ["site-cp312/pydantic_core/_pydantic_core.so"]
    machine = {"armv7": 40, "aarch64": 183}[arch]  # of ELF
    assert (tree / codes[0]).read_bytes()[18] == machine
    assert sum((tree / name).stat().st_size for name in files) < 12_000_000


def test_the_bill_of_materials_names_what_is_locked(bundles: Path) -> None:
    path = bundles / f"mppdbus-{__version__}-venus-armv7.tar.gz"
    with tarfile.open(path) as archive:
        top = f"mppdbus-{__version__}"
        bill = json.load(archive.extractfile(f"{top}/sbom.json") or sys.stdin)
        licences = archive.extractfile(f"{top}/LICENCES.txt")
        assert licences is not None
        text = licences.read().decode()
    files = (*make_bundle.locks("3.12"), make_bundle.SOURCES)
    locks = "".join(file.read_text() for file in files)
    assert len(bill["components"]) == locks.count("==")
    for component in bill["components"]:
        name, version = component["name"], component["version"]
        assert f"\n{name.lower().replace('_', '-')}=={version} " in locks
        assert component["hashes"][0]["content"] in locks
        assert component["licenses"][0]["license"]["name"]
        assert f"{name} {version}: " in text


def test_one_bundle_serves_two_pythons(tmp_path: Path) -> None:
    """3.14 needs a pydantic of its own; what both have in common is there once."""
    bundle = make_bundle.build("armv7", ["3.12", "3.14"], tmp_path)
    assert bundle.stat().st_size < 7_000_000
    with tarfile.open(bundle) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for tag in ("cp312", "cp314"):
        assert f"site-{tag}/pydantic_core/_pydantic_core.so" in names
        assert f"site-{tag}/pydantic/main.py" in names
    assert "site/pydantic" not in names
    assert "site/serial/__init__.py" in names
    assert "site/mppdbus/cli.py" in names
    assert "site-cp312/typing_inspection" not in names


def test_install_sh_knows_its_release(bundles: Path) -> None:
    script = (bundles / "install.sh").read_text()
    assert f"\nRELEASE={__version__}\n" in script
    for line in (bundles / "SHA256SUMS").read_text().splitlines():
        total, name = line.split("  ")
        if "-venus-" in name:
            arch = name.rpartition("-")[2].removesuffix(".tar.gz")
            assert f"{arch}={total}" in script
    assert script.rstrip().endswith('main "$@"')


def test_the_wheel_has_a_bill_too(bundles: Path) -> None:
    path = bundles / f"mppdbus-{__version__}-wheel.cdx.json"
    found = json.loads(path.read_text())
    assert found["metadata"]["component"]["version"] == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = {
        c["name"] + c["properties"][0]["value"].replace("*", "")
        for c in found["components"]
    }
    assert said == set(project["dependencies"])


@pytest.mark.parametrize("shell", [["dash", "-n"], ["busybox", "sh", "-n"]])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_are_plain_sh(shell: list[str], script: Path) -> None:
    subprocess.run([*shell, script], check=True)
    assert script.stat().st_mode & 0o100 or script.parent.name == "venus"
