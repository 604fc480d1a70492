"""The command `mppdbus`, also as `python -m mppdbus`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run one command; the exit code says how it went (see `cli`)."""
    from mppdbus.cli import main as run  # noqa: PLC0415 - a broken import is told well

    return run()


if __name__ == "__main__":
    sys.exit(main())
