"""Writes the page for Victron's GUI from gui/mppdbus; with --check it compares.

Needs `rcc` of Qt 6: on Debian `apt-get install qt6-base-dev-tools`. The file is one
JSON, whose resource is what rcc makes of the QML: not compressed and without times of
files, so that every rcc gives the same bytes.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mppdbus import __version__
from mppdbus.venus.tables.unit import PRODUCT_ID

ROOT = Path(__file__).parents[1]
NAME = "mppdbus"  # also the folder on the GX: gui-v2 wants them alike
SOURCES = ROOT / "gui" / NAME
PAGE = ROOT / "src/mppdbus/host/gui-v2" / f"{NAME}.json"
OLDEST_GUI = "v1.2.14"  # the first that reads plugins from files
SETTINGS_PAGE, DEVICE_PAGE = 1, 2  # types of integrations of gui-v2
PLACES = ("/usr/lib/qt6/libexec", "/usr/lib/qt6/bin", "/usr/lib64/qt6/libexec")


def rcc() -> str | None:
    """Return where Qt's resource compiler is, None if it is not installed."""
    return shutil.which("rcc", path=":".join(PLACES)) or shutil.which("rcc")


def resource(compiler: str) -> bytes:
    """Return the pages as a binary resource of Qt."""
    files = "".join(f"<file>{page.name}</file>" for page in sorted(SOURCES.iterdir()))
    listing = f'<RCC><qresource prefix="/{NAME}">{files}</qresource></RCC>'
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / NAME
        shutil.copytree(SOURCES, copy)
        (copy / "pages.qrc").write_text(listing)
        options = ("--binary", "--no-compress", "--format-version", "1")
        made = [compiler, *options, "--output", "pages.rcc", "pages.qrc"]
        subprocess.run(made, cwd=copy, check=True)  # noqa: S603 - our own files
        return (copy / "pages.rcc").read_bytes()


def page(content: bytes) -> str:
    """Return the file that gui-v2 reads."""
    plugin = {
        "name": NAME,
        "version": __version__,
        "minRequiredVersion": OLDEST_GUI,
        "maxRequiredVersion": "",
        "translations": [],
        "integrations": [
            {"type": SETTINGS_PAGE, "url": f"qrc:/{NAME}/Units.qml"},
            {
                "type": DEVICE_PAGE,
                "productId": f"0x{PRODUCT_ID:X}",
                "url": f"qrc:/{NAME}/UnitPage.qml",
                "title": "Details (mppdbus)",
            },
        ],
        "resource": base64.b64encode(content).decode("ascii"),
    }
    return json.dumps(plugin, indent=1) + "\n"


def main(words: list[str]) -> int:
    """Write the file, or with --check tell whether it is current."""
    compiler = rcc()
    if compiler is None:
        sys.exit("there is no rcc of Qt 6: apt-get install qt6-base-dev-tools")
    text = page(resource(compiler))
    if "--check" not in words:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text)
    elif PAGE.read_text() != text:
        sys.exit(f"{PAGE} is not current: run .venv/bin/python {sys.argv[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
