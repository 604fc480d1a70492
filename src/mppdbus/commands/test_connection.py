"""`mppdbus test-connection`: the standalone test of a connection, in its old words."""

import argparse
from typing import Any

from mppdbus.commands.decoded_reply import values_of
from mppdbus.commands.output import DONE, NO_DEVICE, SAID_NO
from mppdbus.commands.target import (
    Target,
    add_line_arguments,
    add_port_arguments,
    choose_target,
)
from mppdbus.errors import LinkError, ProtocolError

TITLE = "MPP Solar Device Test"
NAMING = ("QMN", "QVFW", "QGMN")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_port_arguments(parser)
    add_line_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Print the inverter and its line; return 3 without answer, 1 if it is no PI30."""
    target = await choose_target(args)
    _say(TITLE, "=" * len(TITLE), f"Port: {target.port.label}")
    _say(f"Baud Rate: {target.baud}", "Protocol: PI30", "", "Testing connection...")
    try:
        device, status = await _ask(target)
    except (LinkError, ProtocolError) as error:
        _say(f"✗ Connection failed: {error}")
        return SAID_NO if isinstance(error, ProtocolError) else NO_DEVICE
    _say("✓ Connection successful!", f"Device Info: {device}", f"Status Data: {status}")
    return DONE


async def _ask(target: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    async with target.connected() as inverter:
        await inverter.introduce()
        status = await inverter.read("QPIGS")
        for query in NAMING:
            await inverter.try_read(query, attempts=1)
        inverter.refine()
        identity = inverter.identity
        device = {
            "protocol": identity.protocol or "PI30",
            "serial": identity.serial,
            "model": identity.model,
            "model_number": identity.model_number,
            "firmware": identity.firmware,
            "dialect": identity.dialect,
            "connection": target.port.label,
        }
        return device, values_of(status, inverter.dialect)


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 - the command line speaks
