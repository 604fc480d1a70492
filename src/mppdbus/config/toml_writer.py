"""The one place where values become TOML."""

import json


def toml_value(value: str | float) -> str:
    """Return a text, number or boolean as TOML writes it."""
    # JSON's escapes are TOML's too, but for those of one character beyond \uFFFF.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
