"""What the daemon tells its dead-man: which inverters there are, and what is safe."""

import json
from dataclasses import asdict, dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class UnitOrder:
    """One inverter: how to reach it, and what is safe; all of it was checked before.

    `unit` is its name in the journal, `level` what its user allows.
    """

    unit: str
    name: str
    port: str
    baud: int
    patience: float
    dialect: str
    level: str
    serial: str = ""
    safe: dict[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do if the daemon is lost; without units nothing.

    It hangs after `silence` s without a sign of life. After its death another one has
    `grace` s to come up.
    """

    units: tuple[UnitOrder, ...] = ()
    silence: float = 30.0
    grace: float = 15.0

    def line(self) -> bytes:
        """Return it as one line for the pipe."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        """Read a line of the pipe."""
        told = json.loads(line)
        units = tuple(UnitOrder(**unit) for unit in told.pop("units"))
        return cls(units, **told)
