"""What README and docs tell people to type works; what they refer to is there.

Each line behind a prompt in a ```console block is run, page by page in a folder of its
own: `$` is anybody, `#` is root on Debian, `root@gx:~#` is root on a GX device. The
simulator stands for the inverter, a folder for the root of the machine.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.places import ROOT
from mppdbus.cli import COMMANDS

PAGES = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        ROOT / "gui/README.md",
    )
    if path.name != "CHANGELOG.md"
)
PROMPT = re.compile(r"^(\$|#|root@gx:~#) +(.+)$", re.MULTILINE)
# What is not run here, by how it begins, and why.
NOT_RUN = {
    "git clone": "network",
    "apt-get": "root and network",
    "python3 -m venv /opt": "root",
    "/opt/mppdbus/bin/pip": "network",
    "PIPX_HOME": "root and network",
    "mppdbus setup --install": "root; test_setup.py does it",
    "journalctl": "systemd",
    "./dev test": "it is this run",
    "./dev setup": "asks; test_setup.py answers",
    ".venv/bin/python tools/": "it writes into this tree",
    "mppdbus update": "needs a release; test_venus.py does it",
    "wget": "network",
    "/data/apps/available/mppdbus/current/bin/mppdbus setup": "asks; test_setup.py",
    "/opt/mppdbus/bin/mppdbus": "root; test_setup.py and test_systemd.py do it",
}
MAY_SAY_NO = "mppdbus diff "  # there is a difference
ELSEWHERE = {"adding-an-inverter.md": "test_adding_an_inverter.py follows it"}
ENDLESS = re.compile(
    r"(?<!-)\b(?:run|demo|monitor|simulate|replay|logs -f)\b(?!.*--once)"
)
RULES = re.compile(r"```toml\n((?:(?!```).)*\[\[rule\]\].*?)```", re.DOTALL)
CONFIG = '[[inverter]]\nport = "/dev/ttyUSB0"\n'
OLD_INI = "[MPPSOLAR]\nPORT = /dev/ttyUSB0  # Serial port\nBAUD_RATE = 2400\n"
FOLDERS = (
    *("debian/etc/dbus-1/system.d", "debian/etc/systemd/system"),
    *(
        "gx/data/conf/mppdbus",
        "gx/data/log/mppdbus",
        "gx/service",
        "gx/run",
        "gx/opt/victronenergy",
    ),
)
SHIM = """\
#!/bin/sh
# mppdbus of this tree, kept away from ports, bus and root of this machine
case $1 in
detect | settings | get | export | diff | set | plan | apply | undo | clock)
    case "$*" in *--port*) ;; *) set -- "$@" --port {tty} ;; esac ;;
install | uninstall | status | logs | restart | enable | disable | update | rollback |\\
backup | restore) set -- "$@" --root "$FAKE_ROOT" ;;
esac
exec {python} -m mppdbus "$@"
"""


def commands(page: Path) -> list[tuple[str, str]]:
    """The prompt and command of each line to type on a page."""
    blocks = re.findall(
        r"^```console\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE
    )
    return [match for block in blocks for match in PROMPT.findall(block)]


def proofs() -> list[str]:
    """The commands in the last column of docs/migrating.md."""
    page = (ROOT / "docs/migrating.md").read_text().split("## Each promise")[1]
    found = re.findall(r"\| `((?:\./dev|mppdbus) .*?)` \|$", page, re.MULTILINE)
    rows = [
        row for row in page.splitlines() if row.startswith("| ") and "**" not in row
    ]
    assert len(found) == len(rows) - 1, "a promise without a proof"
    return list(dict.fromkeys(found))


class Desk:
    """A folder where commands are typed, with an inverter at /dev/ttyUSB0."""

    def __init__(self, folder: Path, bus_address: str) -> None:
        self.folder = folder
        self.work = folder / "work"
        for place in ("work", "bin", "dev", *FOLDERS):
            (folder / place).mkdir(parents=True)
        (folder / "gx/opt/victronenergy/version").write_text("v3.81\n")
        (folder / "gx/data/conf/mppdbus/config.toml").write_text(CONFIG)
        (folder / "gx/data/log/mppdbus/current").write_text("it began\n")
        shim = folder / "bin/mppdbus"
        tty = folder / "dev/ttyUSB0"
        shim.write_text(SHIM.format(python=sys.executable, tty=tty))
        shim.chmod(0o755)
        (self.work / "dev").symlink_to(shim)
        shutil.copy(ROOT / "config.example.toml", self.work)
        shutil.copytree(ROOT / "systemd", self.work / "systemd")
        (self.work / "config.toml").write_text(CONFIG)
        rules = RULES.findall((ROOT / "docs/control.md").read_text())
        (self.work / "rules.toml").write_text(CONFIG + "".join(rules))
        (self.work / "config.ini").write_text(OLD_INI)
        self.env = os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "DBUS_SYSTEM_BUS_ADDRESS": bus_address,
            "MPPDBUS_STATE": str(folder / "state"),
        }
        ports = ("--pty", str(tty), "--hid", str(folder / "dev/hidraw0"))
        self._simulator = subprocess.Popen(
            [sys.executable, "-m", "mppdbus", "simulate", *ports, "--unpaced"],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        assert self._simulator.stderr is not None
        assert "simulating" in self._simulator.stderr.readline()

    def type(self, prompt: str, command: str) -> None:
        """Run a command; of one that would not end, see that it works, and end it."""
        root = self.folder / ("gx" if "gx" in prompt else "debian")
        command = command.replace(" /etc/", f" {root}/etc/")
        command = command.replace("sh install.sh", "mppdbus install")
        command = command.replace("/dev/ttyUSB0", f"{self.folder}/dev/ttyUSB0")
        command = command.replace("/dev/hidraw0", f"{self.folder}/dev/hidraw0")
        command = re.sub(r" #\s.*", "", command)
        endless = ENDLESS.search(command)
        if endless:  # so that Ctrl-C is for it, not for the shell
            command = f"exec {command}"
        shell = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=self.work,
            env=self.env | {"FAKE_ROOT": str(root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert shell.stdout is not None
        if endless:
            first = shell.stdout.readline()
            shell.send_signal(signal.SIGINT)
            said, _ = shell.communicate(timeout=60)
            assert shell.returncode in (0, 130), f"{command}: {first}{said}"
        else:
            said, _ = shell.communicate(timeout=240)
            fine = (0, 1) if command.startswith(MAY_SAY_NO) else (0,)
            assert shell.returncode in fine, f"{command}: {said}"
        assert "Traceback" not in said, f"{command}: {said}"

    def close(self) -> None:
        self._simulator.terminate()
        self._simulator.communicate()


@pytest.fixture
def desk(tmp_path: Path, bus_address: str) -> Iterator[Desk]:
    made = Desk(tmp_path, bus_address)
    yield made
    made.close()


@pytest.mark.parametrize(
    "page", [p for p in PAGES if commands(p)], ids=lambda page: page.name
)
def test_what_a_page_says_can_be_typed(page: Path, desk: Desk) -> None:
    if page.name in ELSEWHERE:
        pytest.skip(ELSEWHERE[page.name])
    for prompt, command in commands(page):
        if not command.startswith(tuple(NOT_RUN)):
            desk.type(prompt, command)


def test_each_reason_not_to_run_something_is_still_needed() -> None:
    typed = [command for page in PAGES for _, command in commands(page)]
    for beginning in NOT_RUN:
        assert any(command.startswith(beginning) for command in typed), beginning


def test_what_proves_the_promises_of_dbus_mppsolar(desk: Desk) -> None:
    for command in proofs():
        if command.startswith("./dev test "):  # which runs beside this one
            assert (ROOT / command.split()[-1]).exists(), command
        else:
            desk.type("root@gx:~#" if command.startswith("mppdbus") else "$", command)


def test_every_command_is_in_the_readme_and_none_that_is_not_there() -> None:
    table = (
        (ROOT / "README.md").read_text().split("## Commands")[1].split("\n\n`--json")[0]
    )
    named = set(re.findall(r"`(?:mppdbus )?([a-z][a-z-]+)[ A-Z….a-z-]*`", table))
    assert named - set(COMMANDS) == set()
    assert set(COMMANDS) - named == set(), "not in the table of README.md"


def test_links_lead_to_something() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)[^)]*\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_messages_that_are_explained_are_those_of_the_program() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    table = page.split("## Messages")[1].split("## Values")[0]
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    said = re.sub(r"\{.*?\}", "…", re.sub(r'"\s*\n\s*f?"', "", code))
    for message in re.findall(r"^\| `(.*?)`", table, re.MULTILINE):
        part = max(re.split(r"…|\bN\b|PI18|5", message), key=len).strip(" ();,")
        assert part in said, message


def test_the_diagram_of_the_classes_shows_what_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    diagram = page.split("classDiagram\n")[1].split("```")[0]
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    # A member a line: else the page shows them as one.
    form = re.compile(r"^  class (\w+) \{\n((?:    \S.*\n)+)  \}$", re.MULTILINE)
    shown = form.findall(diagram)
    assert len(shown) > 8
    for name, members in shown:
        [body] = re.findall(
            rf"^class {name}\b.*?(?=^\S|\Z)", code, re.DOTALL | re.MULTILINE
        )
        for method in re.findall(r"^    \+(\w+)\(", members, re.MULTILINE):
            assert f"def {method}(" in body, f"{name}.{method}"
