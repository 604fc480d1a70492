"""The command `mppdbus`, also as `python -m mppdbus`."""

import sys

INTERRUPTED = 130  # the exit code of a shell for Ctrl-C


def main() -> int:
    """Run the command line; Ctrl-C ends it also while its modules are loaded."""
    try:
        from mppdbus.cli import main as run  # noqa: PLC0415 - seconds on a small GX

        return run()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
