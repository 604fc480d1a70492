"""The method calls that a service answers: BusItem, Introspectable and Peer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dbus_fast import Message, Variant

from mppdbus.venus.dbus.connection import ITEM, Connection
from mppdbus.venus.dbus.leaf import Leaf
from mppdbus.venus.dbus.signals import ChangeSignals
from mppdbus.venus.dbus.tree import Tree
from mppdbus.venus.dbus.values import plain
from mppdbus.venus.dbus.writes import NOT_WRITABLE, Writes

INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
PEER = "org.freedesktop.DBus.Peer"

_ERROR = "org.freedesktop.DBus.Error."
UNKNOWN_OBJECT = _ERROR + "UnknownObject"
UNKNOWN_METHOD = _ERROR + "UnknownMethod"
INVALID_ARGS = _ERROR + "InvalidArgs"
NOT_SUPPORTED = _ERROR + "NotSupported"


@dataclass(slots=True)
class Call:
    """A method call with the object it is for."""

    connection: Connection
    message: Message
    path: str
    leaf: Leaf | None

    @property
    def sender(self) -> str:
        """The unique name of the client."""
        return self.message.sender or ""

    def reply(self, signature: str, value: Any) -> None:  # noqa: ANN401
        """Answer with one value."""
        self.connection.reply(self.message, signature, [value])

    def verdict(self, verdict: int) -> None:
        """Answer a write."""
        self.connection.reply(self.message, "i", [verdict])


class Methods:
    """Answers method calls at once from memory; only a write may be answered later."""

    def __init__(self, tree: Tree, signals: ChangeSignals, writes: Writes) -> None:
        self._tree = tree
        self._signals = signals
        self._writes = writes

    def answer(self, connection: Connection, message: Message) -> bool:
        """Answer a method call; return False to leave it to dbus-fast."""
        if message.interface == PEER and message.member == "GetMachineId":
            return False
        path, member = str(message.path), str(message.member)
        leaf = self._tree.leaves.get(path)
        method = _METHODS.get(member)
        if leaf is None and path not in self._tree.nodes and message.interface != PEER:
            connection.fail(message, UNKNOWN_OBJECT, f"there is no object at {path}")
        elif (
            method is None
            or message.interface not in (None, method.interface)
            or (method.on == "leaf" and leaf is None)
            or (method.on == "root" and path != "/")
        ):
            where = f"{message.interface or ITEM} at {path}"
            text = f"{member} is no method of {where}"
            connection.fail(message, UNKNOWN_METHOD, text)
        elif message.signature not in method.takes:
            wants = f"{member} takes ({method.takes[0]}), not ({message.signature})"
            connection.fail(message, INVALID_ARGS, wants)
        else:
            method.answer(self, Call(connection, message, path, leaf))
        return True

    def get_value(self, call: Call) -> None:
        """v: the value of a leaf, or a dictionary of all below a node."""
        self._signals.expose()
        if call.leaf is not None:
            call.reply("v", call.leaf.row()["Value"])
        else:
            call.reply("v", self._below(call.path, "Value"))

    def get_text(self, call: Call) -> None:
        """s: the text of a leaf; v: a dictionary of all below a node."""
        self._signals.expose()
        if call.leaf is not None:
            call.reply("s", call.leaf.row()["Text"].value)
        else:
            call.reply("v", self._below(call.path, "Text"))

    def _below(self, node: str, key: str) -> Variant:
        below = {path: leaf.row()[key] for path, leaf in self._tree.below(node)}
        return Variant("a{sv}", below, verify=False)

    def get_items(self, call: Call) -> None:
        """a{sa{sv}}: every leaf with value, text and bounds."""
        self._signals.expose()
        leaves = self._tree.leaves.values()
        call.reply("a{sa{sv}}", {leaf.path: leaf.row() for leaf in leaves})

    def set_value(self, call: Call) -> None:
        """i: the verdict. An invalid value may come unwrapped, as Qt sends it."""
        if call.leaf is None:
            call.verdict(NOT_WRITABLE)
        else:
            value = plain(call.message.body[0])
            self._writes.set(call.leaf, value, call.verdict, call.sender)

    def set_default(self, call: Call) -> None:
        """i: the verdict of writing the default value."""
        leaf = self._tree.leaves[call.path]
        if leaf.item.default is None:
            text = f"{call.path} has no default value"
            call.connection.fail(call.message, NOT_SUPPORTED, text)
        else:
            self._writes.set(leaf, leaf.item.default, call.verdict, call.sender)

    def get_bound(self, call: Call) -> None:
        """v: the minimum, maximum or default; invalid where there is none."""
        name = str(call.message.member).removeprefix("Get")
        call.reply("v", self._tree.leaves[call.path].bound(name))

    def introspect(self, call: Call) -> None:
        """s: the XML of the object."""
        call.reply("s", self._tree.xml(call.path))

    def ping(self, call: Call) -> None:
        """Answer with nothing."""
        call.connection.reply(call.message, "", [])


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its interface, the signatures it takes, and on which objects it is."""

    interface: str
    answer: Callable[[Methods, Call], None]
    on: str = "any object"  # or "leaf", "root"
    takes: tuple[str, ...] = ("",)


_METHODS = {
    "GetValue": Method(ITEM, Methods.get_value),
    "GetText": Method(ITEM, Methods.get_text),
    "SetValue": Method(ITEM, Methods.set_value, takes=("v", "ai")),
    "GetMin": Method(ITEM, Methods.get_bound, "leaf"),
    "GetMax": Method(ITEM, Methods.get_bound, "leaf"),
    "GetDefault": Method(ITEM, Methods.get_bound, "leaf"),
    "SetDefault": Method(ITEM, Methods.set_default, "leaf"),
    "GetItems": Method(ITEM, Methods.get_items, "root"),
    "Introspect": Method(INTROSPECTABLE, Methods.introspect),
    "Ping": Method(PEER, Methods.ping),
}
