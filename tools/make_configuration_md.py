"""Writes docs/configuration.md from the models and config.example.toml; or --check.

The models tell each option, its default and what may stand there; the comments of the
example tell what it does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mppdbus.config.models import DIALECT_NAMES, Config
from mppdbus.config.toml_writer import toml_value
from pages import write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / "config.example.toml"
INTRO = """\
# Configuration

Made by `tools/make_configuration_md.py` from `src/mppdbus/config/models.py` and the
comments of `config.example.toml`; a test compares. Change those, then run it.

The file is TOML. On a GX device it is `/data/conf/mppdbus/config.toml`, on Debian
`/etc/mppdbus/config.toml`. Two lines are enough:

```toml
[[inverter]]
port = "/dev/ttyUSB0"
```

Check the file before you start the daemon. The check names each mistake, its place, and
what to write instead:

```console
$ mppdbus check-config config.toml
```
"""
_LINE = re.compile(r"#?(\w+) = ")


def page() -> str:
    """Return the whole page."""
    prose = dict(_prose(EXAMPLE.read_text(encoding="utf-8").splitlines()))
    parts = [INTRO]
    for name, field in Config.model_fields.items():
        listed = field.is_required() or field.default == ()
        head = f"[[{name}]]" if listed else f"[{name}]"
        parts.append(f"## {head}\n\n{prose.get((name, ''), '')}".rstrip() + "\n")
        for key, option in table(field).model_fields.items():
            parts.append(
                f"### {name}.{key}\n\n{prose[name, key]}\n\n{_facts(key, option)}\n"
            )
    return "\n".join(parts)


def table(field: FieldInfo) -> type[BaseModel]:
    """Return the model of a section; of a list of sections, that of one."""
    found = [field.annotation, *get_args(field.annotation)]
    return next(t for t in found if isinstance(t, type) and issubclass(t, BaseModel))


def _facts(key: str, option: FieldInfo) -> str:
    allowed = option.description or ""
    if key == "dialect":
        allowed = ", ".join(f'"{name}"' for name in DIALECT_NAMES)
    default = "none: it has to be there"
    if not option.is_required():
        default = f"`{toml_value(option.default)}`"
    return f"- Allowed: {allowed}\n- Default: {default}"


def _prose(lines: list[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield (section, option) → what the comment above it says; "" is the section."""
    section, comment = "", list[str]()
    for line in lines:
        if line.startswith(("[", "#[")):
            section = line.strip("#[]")
            yield (section, ""), " ".join(comment)
            comment = []
        elif match := _LINE.match(line):
            yield (section, match[1]), " ".join(comment)
            comment = []
        elif line.startswith("# "):
            comment.append(line[2:])
        else:
            comment = []


def main(words: list[str]) -> int:
    """Write the page, or with --check tell whether it is current."""
    return write_or_check(PAGE, page(), words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
