"""`mppdbus settings`: shows the settings of an inverter by name."""

import argparse
import asyncio
from collections.abc import Sequence

from mppdbus.commands import settings_reader
from mppdbus.commands.output import DONE, Output
from mppdbus.control.evidence import NO_EVIDENCE, evidence_of, text
from mppdbus.control.journal import WrittenSetting
from mppdbus.control.settings import ShownSetting, chosen

WIDEST = 34  # characters of legal values in the table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="these settings alone")
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="which settings were written to this model and firmware, and read back",
    )
    parser.add_argument("--json", action="store_true", help="one object a setting")
    settings_reader.add_arguments(parser)


async def run(args: argparse.Namespace) -> int:
    """Print the settings: all as a table, or what is known of the named ones."""
    output = Output(as_json=args.json)
    unit = await settings_reader.read_settings(args)
    wanted = chosen(unit.shown, args.names)
    if args.evidence:
        writes = await asyncio.to_thread(settings_reader.journal().writes)
        _show_evidence(output, unit, wanted, writes)
    elif args.json:
        for each in wanted:
            output.record(each.record())
    elif args.names:
        output.line("\n\n".join(map(described, wanted)))
    else:
        output.line("\n".join([unit.heading, *table(wanted)]))
    return DONE


def _show_evidence(
    output: Output,
    unit: settings_reader.UnitSettings,
    wanted: list[ShownSetting],
    writes: list[WrittenSetting],
) -> None:
    """Print what the journal proves about each setting."""
    found = evidence_of(writes, unit.answers.model, unit.firmware)
    rows = [("SETTING", "EVIDENCE", "LAST")]
    for each in wanted:
        evidence = found.get(each.name, NO_EVIDENCE)
        rows.append((each.name, text(evidence), evidence.last[:16]))
        record = {"name": each.name, "evidence": evidence.proof.value}
        output.record(record | {"writes": evidence.writes, "last": evidence.last})
    firmware = f"firmware {unit.firmware}" if unit.firmware else "firmware unknown"
    output.line("\n".join([f"{unit.heading}, {firmware}", *_aligned(rows)]))


def described(shown: ShownSetting) -> str:
    """Return all that is known of one setting, for people."""
    allowed = shown.allowed_text() or "its family has no documented command for it"
    rows = {
        "value": shown.text(shown.value),
        "may be": allowed,
        "factory": shown.text(shown.default),
        "what it is": shown.setting.about,
        "risk": shown.setting.risk or "none known",
        "read from": f"{shown.setting.query} {shown.setting.field}",
    }
    return "\n".join([shown.name, *(f"  {key:<10}  {x}" for key, x in rows.items())])


def table(shown: list[ShownSetting]) -> list[str]:
    """Return a line for each setting, aligned; long lists of values are cut."""
    rows = [("SETTING", "VALUE", "FACTORY", "MAY BE")]
    for each in shown:
        value, default = each.text(each.value), each.text(each.default)
        rows.append((each.name, value, default, _cut(each.allowed_text() or "-")))
    return _aligned(rows)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
