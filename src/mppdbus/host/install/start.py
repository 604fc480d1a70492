"""Starts mppdbus from a release, with the packages of that release before all others.

It is copied to the `bin` of a release. Packages in `site` are for any Python, those in
`site-cp312` have machine code for Python 3.12.
"""

import runpy
import sys
from pathlib import Path

# What works with any Python, because nothing of it needs a package.
ANY_PYTHON = {
    *("install", "uninstall", "enable", "disable", "restart", "logs", "rollback"),
    *("update", "backup", "restore", "status", "--help", "-h", "--version"),
}
INCOMPATIBLE = 2  # exit code: usage


def main() -> int:
    """Run the command line with the packages that fit this Python."""
    release = Path(__file__).resolve().parent.parent
    tag = "cp" + (sys.implementation.cache_tag or "").rpartition("-")[2]
    compiled = release / f"site-{tag}"
    if not compiled.is_dir() and not ANY_PYTHON.intersection(sys.argv[1:2]):
        there = ", ".join(
            f"3.{path.name.removeprefix('site-cp3')}"
            for path in sorted(release.glob("site-cp3*"))
        )
        sys.stderr.write(
            f"mppdbus: this machine has Python {sys.version_info[0]}."
            f"{sys.version_info[1]}, and release {release.name} is for Python {there}: "
            "install a newer release of mppdbus\n"
        )
        return INCOMPATIBLE
    sys.path[:1] = [str(release / "site"), str(compiled)]
    sys.argv[0] = str(release / "bin" / "mppdbus")
    runpy.run_module("mppdbus", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
