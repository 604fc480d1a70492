"""Writes src/mppdbus/host/zone_rules.py from the zone data of this machine.

The last line of a zone's file is its POSIX rule, which holds from now on.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from textwrap import wrap

ZONES = Path("/usr/share/zoneinfo")
MODULE = Path(__file__).parents[1] / "src" / "mppdbus" / "host" / "zone_rules.py"
HEAD = '''"""TABLE: the POSIX rule of each time zone, for images without zone data.

Written by tools/make_zone_rules.py.
"""

_ZONES = {
'''
TAIL = """}
RULES = {zone: rule for rule, zones in _ZONES.items() for zone in zones.split()}
"""


def rules() -> dict[str, list[str]]:
    """Return the zones of each rule, as the table of tzdata lists them."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (ZONES / "tzdata.zi").read_text().splitlines():
        kind, *words = line.split()
        if kind in "ZL":
            zone = words[0] if kind == "Z" else words[1]
            rule = (ZONES / zone).read_bytes().rsplit(b"\n", 2)[1].decode()
            found[rule].append(zone)
    return dict(sorted(found.items()))


def main() -> None:
    """Write the table."""
    lines = [HEAD]
    for rule, zones in rules().items():
        parts = wrap(" ".join(sorted(zones)), 76)
        lines.append(f'    "{rule}": (\n')
        spaced = [*(f"{part} " for part in parts[:-1]), parts[-1]]
        lines += (f'        "{part}"\n' for part in spaced)
        lines.append("    ),\n")
    MODULE.write_text("".join([*lines, TAIL]), "utf-8")


if __name__ == "__main__":
    main()
