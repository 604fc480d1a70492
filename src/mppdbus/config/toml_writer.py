"""The one place where values become TOML."""

import json


def toml_value(value: str | float) -> str:
    """Return a text, number or boolean as TOML writes it."""
    # TOML has the escapes of JSON, except for characters beyond \uFFFF.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
