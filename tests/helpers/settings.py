"""localsettings for tests: a small one of our own, and Victron's as a process.

Both are started, stopped, killed and frozen alike, and keep what they have over that.
"""

# ruff: noqa: ANN401 - values on a bus are of any type

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from dbus_fast import Message, MessageType, NameFlag, Variant
from dbus_fast.aio import MessageBus

from helpers.bus import ITEM, BusItemClient, unwrap
from helpers.processes import Program, names, until
from mppdbus.venus.dbus.watcher import Watcher
from mppdbus.venus.settings.setting import Setting, custom_name_path, instance_path
from mppdbus.venus.settings.store import LocalSettings

PROGRAM = Path(os.environ.get("REALSTACK_SRC", "")) / "localsettings/localsettings.py"
PYTHON = os.environ.get("REALSTACK_PYTHON", "")
LAB = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not PYTHON or not PROGRAM.exists(),
        reason="no localsettings of Victron's: tests/lab/README.md says how to get it",
    ),
]
NAME = "com.victronenergy.settings"
SETTINGS = "com.victronenergy.Settings"
INSTANCE = "ClassAndVrmInstance"
TYPES: dict[str, type] = {"i": int, "x": int, "d": float, "s": str}
SIGNATURES = {int: "i", float: "d", str: "s"}


UID = "mppdbus_96332309100452"
OTHER = "mppdbus_96332309100453"
CAPACITY = Setting("/Settings/Mppdbus/BatteryCapacity", 200.0, 0.0, 5000.0)
TYPE = Setting(f"/Settings/Devices/{UID}/AcInputType", 1, 0, 3)
LABEL = Setting("/Settings/Mppdbus/Label", "house")


class Service(Protocol):
    """A localsettings; `start` returns when it has its name."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass
class Kept:
    value: Any
    default: Any
    minimum: Any
    maximum: Any


class OwnService:
    """A small localsettings in this process."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.newer = False  # sends ItemsChanged
        self._bus: MessageBus | None = None
        self._waiting: list[Message] | None = None  # while frozen
        self.settings: dict[str, Kept] = {}

    async def start(self) -> None:
        self._bus = await MessageBus(bus_address=self.address).connect()
        self._bus.add_message_handler(self._receive)
        await self._bus.request_name(NAME, NameFlag.DO_NOT_QUEUE)

    async def stop(self) -> None:
        if self._bus is not None:
            await BusItemClient(self._bus, "").close()
            self._bus = None

    def freeze(self) -> None:
        self._waiting = []

    def thaw(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for message in waiting:
            self._receive(message)

    def _receive(self, message: Message) -> bool:
        if message.message_type is not MessageType.METHOD_CALL or not message.interface:
            return False
        if not message.interface.startswith("com.victronenergy."):
            return False
        if self._waiting is not None:
            self._waiting.append(message)
            return True
        if message.interface == SETTINGS and message.path == "/":
            reply = getattr(self, message.member or "")(*message.body)
        elif message.path == "/Settings":
            tree = {
                path.removeprefix("/Settings/"): variant(kept.value)
                for path, kept in self.settings.items()
            }
            reply = "v", [Variant("a{sv}", tree)]
        elif message.path in self.settings:
            reply = getattr(self, message.member or "")(message.path, *message.body)
        else:
            error = "org.freedesktop.DBus.Error.UnknownObject"
            self._send(Message.new_error(message, error, message.path or ""))
            return True
        self._send(Message.new_method_return(message, *reply))
        return True

    def _send(self, message: Message) -> None:
        assert self._bus is not None
        self._bus.send(message)

    # What clients call

    def AddSettings(self, rows: list[Any]) -> tuple[str, list[Any]]:
        return "aa{sv}", [[self._add(**unwrap(row)) for row in typed(rows)]]

    def RemoveSettings(self, paths: list[str]) -> tuple[str, list[Any]]:
        gone = [self.settings.pop(path, None) for path in paths]
        for path, kept in zip(paths, gone, strict=True):
            if kept is not None:
                self._tell(path, Variant("ai", []), "")
        return "ai", [[0 if kept is not None else -1 for kept in gone]]

    def GetValue(self, path: str) -> tuple[str, list[Any]]:
        return "v", [variant(self.settings[path].value)]

    def SetValue(self, path: str, value: Variant) -> tuple[str, list[Any]]:
        return "i", [0 if self._set(path, value.value) else -1]

    # What they do

    def _add(
        self, path: str, default: Any, min: Any = None, max: Any = None, **_: Any  # noqa: A002
    ) -> dict[str, Variant]:  # fmt: skip
        if min == max == 0 or isinstance(default, str):
            min = max = None  # noqa: A001
        kept = self.settings.get(path)
        error = 0
        if "/_" in path:
            error = -2
        elif not path.startswith("/Settings/"):
            error = -9
        elif kept is not None and type(kept.default) is not type(default):
            error = -5
        elif outside(default, min, max):
            error = -7
        elif any(each.startswith(f"{path}/") for each in self.settings):
            error = -8
        if error:
            return {"path": Variant("s", path), "error": Variant("i", error)}
        if kept is None:
            value = self._free(path, default)
            self.settings[path] = Kept(value, default, min, max)
            self._tell(path, variant(value), str(value))
        else:
            value = kept.value
            self.settings[path] = Kept(value, default, min, max)
        return {
            "path": Variant("s", path),
            "error": Variant("i", 0),
            "value": variant(value),
        }

    def _set(self, path: str, value: Any) -> bool:
        kept = self.settings[path]
        try:
            value = type(kept.default)(value)
        except (TypeError, ValueError):
            return False
        if outside(value, kept.minimum, kept.maximum):
            return False
        if path.endswith(INSTANCE):
            if value.count(":") != 1 or not value.split(":")[1].isdigit():
                return False
            value = self._free(path, value)
        if value != kept.value or path.endswith(INSTANCE):
            kept.value = value
            self._tell(path, variant(value), str(value))
        return True

    def _free(self, path: str, value: Any) -> Any:
        others = {k.value for p, k in self.settings.items() if p != path}
        while path.endswith(INSTANCE) and value in others:
            name, _, number = value.partition(":")
            value = f"{name}:{int(number) + 1}"
        return value

    def _tell(self, path: str, value: Variant, text: str) -> None:
        body: list[Any] = [{"Value": value, "Text": Variant("s", text)}]
        if self.newer:
            body = [{path: body[0]}]
            self._send(Message.new_signal("/", ITEM, "ItemsChanged", "a{sa{sv}}", body))
            return
        self._send(Message.new_signal(path, ITEM, "PropertiesChanged", "a{sv}", body))


class VictronService:
    """Victron's localsettings."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self._folder = folder
        self._program: Program | None = None

    async def start(self) -> None:
        (self._folder / "settings").mkdir(exist_ok=True)
        where = f"--path={self._folder / 'settings'}"
        self._program = Program(
            [PYTHON, str(PROGRAM), where, "--no-delay"],
            self._folder / "localsettings.log",
            env={"DBUS_SESSION_BUS_ADDRESS": self.address, "PYTHONUNBUFFERED": "1"},
        )
        client = await BusItemClient.connect(self.address, NAME)
        said = self._program
        try:

            async def there() -> bool:
                return NAME in await names(client)

            await until(there, lambda: said.said)
        finally:
            await client.close()

    async def stop(self) -> None:
        if self._program is not None:
            self.thaw()
            self._program.stop()
            said, self._program = self._program.said, None
            assert "Traceback" not in said, said

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._program is not None
        os.kill(self._program._process.pid, number)


def typed(rows: list[Any]) -> list[Any]:
    """Return the rows of AddSettings; fails for a type that localsettings refuses."""
    for row in rows:
        assert row["default"].signature in TYPES
    return rows


def variant(value: Any) -> Variant:
    return Variant(SIGNATURES[type(value)], value)


def outside(value: Any, minimum: Any, maximum: Any) -> bool:
    return (minimum is not None and value < minimum) or (
        maximum is not None and value > maximum
    )


async def remove(client: BusItemClient, *paths: str) -> None:
    """Remove settings as another program would."""
    await client.call("/", "RemoveSettings", "as", [list(paths)], interface=SETTINGS)


async def add_as_another(user: BusItemClient, row: dict[str, Any]) -> None:
    rows = [{key: variant(value) for key, value in row.items()}]
    await user.call("/", "AddSettings", "aa{sv}", [rows], interface=SETTINGS)


async def named_device(
    settings: LocalSettings, uid: str, wanted: int
) -> tuple[int, object]:
    """Return instance and name of a multi."""
    number = await settings.device(uid, "multi", wanted)
    return number, settings.value(custom_name_path(uid))


def note_instances(settings: LocalSettings, uid: str = "") -> list[int]:
    """Return a list that gets each new DeviceInstance of a device."""
    numbers: list[int] = []
    uid = uid or UID
    settings.on_change(
        instance_path(uid), lambda _path, _value: numbers.append(settings.instance(uid))
    )
    return numbers


@dataclass
class Rig:
    """A localsettings that is not started yet, and who changes settings in the GUI."""

    service: Service
    user: BusItemClient
    address: str
    file: Path  # where settings are kept without localsettings

    @asynccontextmanager
    async def opened(self, **timing: Any) -> AsyncIterator[LocalSettings]:
        """The settings of a run of the daemon."""
        timing = {"patience": 0.2, "retry": 0.1} | timing
        watcher = Watcher(self.address, first_delay=0.02)
        settings = LocalSettings(watcher, self.file, **timing)
        await settings.load()
        await watcher.open()
        try:
            yield settings
        finally:
            await watcher.close()
            await settings.close()


@pytest.fixture(params=["own", pytest.param("victron", marks=LAB)])
async def rig(
    request: pytest.FixtureRequest, bus_address: str, tmp_path: Path
) -> AsyncIterator[Rig]:
    own = request.param == "own"
    user = await BusItemClient.connect(bus_address, NAME)
    service: Service = (
        OwnService(bus_address) if own else VictronService(bus_address, tmp_path)
    )
    yield Rig(service, user, bus_address, tmp_path / "state" / "settings.json")
    await user.close()
    await service.stop()


@pytest.fixture
async def settings(rig: Rig) -> AsyncIterator[LocalSettings]:
    """Settings beside a localsettings that is there."""
    await rig.service.start()
    async with rig.opened(patience=5) as settings:
        yield settings
