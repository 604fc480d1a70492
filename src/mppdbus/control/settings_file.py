"""Settings as a TOML file that a person can read and edit, and how two sets differ."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import tomli

from mppdbus.config.messages import bad_syntax, closest, show
from mppdbus.config.toml_writer import toml_value
from mppdbus.control.settings import ShownSetting
from mppdbus.errors import ConfigError
from mppdbus.protocol.settings.meanings import BY_NAME

NOT_KEPT = ("equalization_now",)  # a state, which passes by itself


def to_toml(shown: Iterable[ShownSetting], heading: str) -> str:
    """Return the settings as TOML, each with its legal values as a comment."""
    lines = [f"# {heading}"]
    for each in shown:
        value = each.word(each.value)
        if value is None or each.name in NOT_KEPT:
            continue
        allowed = each.allowed_text()
        remark = each.unit + (f"; may be {allowed}" if allowed else "")
        line = f"{each.name} = {toml_value(value)}"
        lines.append(f"{line}  # {remark.removeprefix('; ')}" if remark else line)
    return "\n".join(lines) + "\n"


def read_file(path: Path) -> dict[str, float | str]:
    """Return the settings of a file; raises `ConfigError`."""
    try:
        return read_toml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise ConfigError(f"{path}: {reason}") from error


def read_toml(text: str, name: str) -> dict[str, float | str]:
    """Return the settings of a file; raises `ConfigError`. `name` is for messages."""
    try:
        found = tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name}: {bad_syntax(str(error), text)}") from None
    for key, value in found.items():
        if key not in BY_NAME:
            meant = closest(key, BY_NAME)
            hint = f"; did you mean {meant}?" if meant else ""
            raise ConfigError(f"{name}: {show(key)} is no setting{hint}")
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ConfigError(f"{name}: {key}: {show(value)} is no number and no text")
    return found


def differences(
    shown: Iterable[ShownSetting], wanted: Mapping[str, float | str]
) -> Iterator[tuple[ShownSetting, float | str]]:
    """Yield the settings whose value is another than wanted, with the wanted one.

    Raises `ConfigError` for a setting that the unit does not show.
    """
    there = {each.name: each for each in shown}
    for name, value in wanted.items():
        if name not in there:
            raise ConfigError(f"this inverter does not show a setting {name}")
        if not _same(there[name], value):
            yield there[name], value


def _same(shown: ShownSetting, wanted: float | str) -> bool:
    """Compare names without regard to case, and numbers as the inverter prints them."""
    if isinstance(wanted, str):
        return str(shown.word(shown.value)).casefold() == wanted.casefold()
    return shown.value is not None and abs(shown.value - wanted) < 0.005
