"""The command `mppdbus`, also as `python -m mppdbus`."""

import sys

from mppdbus.cli import main

if __name__ == "__main__":
    sys.exit(main())
