"""Values of D-Bus as plain Python values, and the reverse."""

from typing import Any

from dbus_fast import Variant

_SIGNATURES = {int: "i", float: "d", str: "s"}


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever others send
    """Return `value` without its variants, at any depth."""
    if isinstance(value, Variant):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def variant(value: float | str) -> Variant:
    """Return an int32, a double or a text in a variant."""
    return Variant(_SIGNATURES[type(value)], value)
