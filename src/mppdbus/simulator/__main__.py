"""`python -m mppdbus.simulator`: the simulator without the rest of the program."""

import argparse
import asyncio
import sys

from mppdbus.simulator.cli import add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="mppdbus simulate")
    add_arguments(parser)
    sys.exit(asyncio.run(run(parser.parse_args())))
