"""A stored setting: its path, its fixed type, its bounds. Pure.

Victron's localsettings stores it where it runs, elsewhere a file of ours.
"""

import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeGuard

DEVICES = "/Settings/Devices"

_ELEMENT = r"/[A-Za-z0-9][A-Za-z0-9_]*"  # localsettings refuses a leading "_"
_PATH = re.compile(rf"/Settings({_ELEMENT})+")
_UID = re.compile(_ELEMENT.removeprefix("/"))
_CLASS_INSTANCE = re.compile(r"([A-Za-z0-9_]+):([0-9]{1,9})")
# Characters that XML cannot hold, such as control characters: localsettings accepts
# them, and then cannot store any setting at all.
_NO_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_INT32 = 1 << 31
_LARGEST = sys.float_info.max

SettingValue = int | float | str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting below /Settings; the type of `default` is its fixed type.

    None is no bound. Raises ValueError for values that localsettings would refuse.
    """

    path: str
    default: SettingValue
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is no path of a setting")
        if self.minimum == self.maximum == 0:
            raise ValueError(f"{self.path}: bounds of 0 and 0 would be taken for none")
        if self.fit(self.default) is None:
            raise ValueError(f"{self.path}: {self.default!r} cannot be the default")

    def fit(self, value: object) -> SettingValue | None:
        """Return `value` in the type of this setting; None if it does not fit."""
        if isinstance(self.default, str):
            return _text(value)
        if not _number(value):
            return None
        if isinstance(self.default, int):
            if value != int(value) or not -_INT32 <= value < _INT32:
                return None
            value = int(value)
        else:
            value = float(value)
        if self.minimum is not None and value < self.minimum:
            return None
        if self.maximum is not None and value > self.maximum:
            return None
        return value


class ClassInstance(NamedTuple):
    """A DeviceInstance and the class of services in which it is unique."""

    device_class: str  # "multi"
    number: int

    @classmethod
    def read(cls, text: object) -> Self | None:
        """Parse "multi:288", as localsettings writes it; None for anything else."""
        if isinstance(text, str) and (match := _CLASS_INSTANCE.fullmatch(text)):
            return cls(match[1], int(match[2]))
        return None

    def free(self, taken: Collection[str]) -> Self:
        """Return this, or the next higher number that is not `taken`."""
        found = self
        while str(found) in taken:
            found = found._replace(number=found.number + 1)
        return found

    def __str__(self) -> str:
        return f"{self.device_class}:{self.number}"


def instance_path(uid: str) -> str:
    """Return the path of the class and DeviceInstance of a device."""
    return f"{DEVICES}/{_checked(uid)}/ClassAndVrmInstance"


def custom_name_path(uid: str) -> str:
    """Return the path of a device's custom name."""
    return f"{DEVICES}/{_checked(uid)}/CustomName"


def device_of(path: str) -> str | None:
    """Return the uid whose `instance_path` this is; None for any other path."""
    parts = path.split("/")
    if len(parts) == 5 and path.startswith(f"{DEVICES}/"):
        return parts[3] if parts[4] == "ClassAndVrmInstance" else None
    return None


def is_below(path: str, prefix: str) -> bool:
    """Tell whether `path` is `prefix` or below it, by whole elements."""
    prefix = prefix.rstrip("/")
    return path == prefix or path.startswith(f"{prefix}/")


def _checked(uid: str) -> str:
    if not _UID.fullmatch(uid):
        raise ValueError(f"{uid!r} names no device: use A-Z, a-z, 0-9 and _")
    return uid


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and not _NO_TEXT.search(value) else None


def _number(value: object) -> TypeGuard[int | float]:
    """Tell whether this is a number, and neither NaN nor infinite."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -_LARGEST <= value <= _LARGEST
    )
