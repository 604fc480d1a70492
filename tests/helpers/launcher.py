"""The command `mppdbus` under the standard library of Venus OS, or in a hurry.

    python launcher.py [--venus IMAGE] [--set MODULE.NAME=NUMBER]… -- [COMMAND …]

IMAGE is "cerbo" or "ccgx". `--set` puts a number in place of a constant, such as the s
after which a silent unit leaves the bus.
"""

from __future__ import annotations

import argparse
import importlib
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

# Modules that images of Venus OS leave out, by the recipes of v3.60 to v3.7x: those of
# each device, and what the Color Control GX and the CANvu lack beside these.
ALL_LACK = """
audioop bdb cgitb chunk colorsys compileall curses dbm difflib doctest ensurepip filecmp
idlelib imghdr lib2to3 mailbox ossaudiodev pdb plistlib pty py_compile pydoc pydoc_data
sndhdr sqlite3 statistics sunau syslog tkinter tomllib tty turtle unittest venv wave
xmlrpc zipapp zoneinfo
"""
CCGX_LACKS = """
aifc antigravity cProfile fileinput getpass graphlib mailcap mmap modulefinder netrc nis
multiprocessing nturl2path profile pstats pyclbr sched spwd symtable tabnanny this
timeit trace tracemalloc turtledemo webbrowser wsgiref xdrlib
"""
CERBO = frozenset(ALL_LACK.split())
CCGX = CERBO | frozenset(CCGX_LACKS.split())
ABSENT = {"cerbo": CERBO, "ccgx": CCGX}


class Cut:
    """Lets nobody find the modules that an image leaves out."""

    def __init__(self, absent: frozenset[str]) -> None:
        self._absent = absent

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: object = None
    ) -> ModuleSpec | None:
        """Raise for a module that is absent; leave the others to those behind."""
        if name.partition(".")[0] in self._absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def cut_stdlib(absent: frozenset[str]) -> None:
    """Take modules away, also those that Python itself has loaded by now."""
    sys.meta_path.insert(0, Cut(absent))
    for name in list(sys.modules):
        if name.partition(".")[0] in absent:
            del sys.modules[name]


def put(setting: str) -> None:
    """Put a number in place of a constant; it must be there."""
    path, _, number = setting.partition("=")
    module, _, name = path.rpartition(".")
    place = importlib.import_module(module)
    assert isinstance(getattr(place, name), float), path
    setattr(place, name, float(number))


def main() -> None:
    """Run `mppdbus`; what stands behind "--" is its."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--venus", choices=ABSENT)
    parser.add_argument("--set", action="append", default=[])
    end = sys.argv.index("--")
    args = parser.parse_args(sys.argv[1:end])
    words = sys.argv[end + 1 :]
    if args.venus:
        cut_stdlib(ABSENT[args.venus])
    for setting in args.set:
        put(setting)
    sys.path.pop(0)  # the folder of this file, which `-m` would not put there
    sys.argv = ["mppdbus", *words]
    runpy.run_module("mppdbus", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
