"""What a service answers to method calls: BusItem, Introspectable and Peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbus_fast import Message, Variant

from mppdbus.venus.dbus.values import plain
from mppdbus.venus.dbus.writes import NOT_WRITABLE

if TYPE_CHECKING:
    from mppdbus.venus.dbus.connection import Connection
    from mppdbus.venus.dbus.signals import ChangeSignals
    from mppdbus.venus.dbus.tree import Leaf, Tree
    from mppdbus.venus.dbus.writes import Writes

ITEM = "com.victronenergy.BusItem"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
PEER = "org.freedesktop.DBus.Peer"

_ERROR = "org.freedesktop.DBus.Error."
UNKNOWN_OBJECT = _ERROR + "UnknownObject"
UNKNOWN_METHOD = _ERROR + "UnknownMethod"
INVALID_ARGS = _ERROR + "InvalidArgs"
NOT_SUPPORTED = _ERROR + "NotSupported"

_BOUNDS = {"GetMin": "minimum", "GetMax": "maximum", "GetDefault": "default"}


class Methods:
    """Answers from memory; only a write may be answered later."""

    def __init__(self, tree: Tree, signals: ChangeSignals, writes: Writes) -> None:
        self._tree = tree
        self._signals = signals
        self._writes = writes

    def __call__(self, wire: Connection, call: Message) -> bool:
        """Answer `call`; return False to leave it to dbus-fast."""
        if call.interface == PEER and call.member == "GetMachineId":
            return False
        path, member = str(call.path), str(call.member)
        leaf = self._tree.leaves.get(path)
        method = _METHODS.get(member)
        if leaf is None and path not in self._tree.nodes and call.interface != PEER:
            wire.fail(call, UNKNOWN_OBJECT, f"there is no object at {path}")
        elif (
            method is None
            or call.interface not in (None, method.interface)
            or not method.exists(path, leaf)
        ):
            where = f"{call.interface or ITEM} at {path}"
            wire.fail(call, UNKNOWN_METHOD, f"{member} is no method of {where}")
        elif call.signature not in method.takes:
            wants = f"{member} takes ({method.takes[0]}), not ({call.signature})"
            wire.fail(call, INVALID_ARGS, wants)
        else:
            method.answer(self, Call(wire, call, path, leaf))
        return True

    def get_value(self, ask: Call) -> None:
        """v: the value of a leaf, or a dictionary of all below a node."""
        self._signals.expose()
        if ask.leaf is not None:
            ask.reply("v", ask.leaf.variant())
        else:
            below = self._tree.below(ask.path)
            values = {path: leaf.variant() for path, leaf in below}
            ask.reply("v", Variant("a{sv}", values, verify=False))

    def get_text(self, ask: Call) -> None:
        """s: the text of a leaf; v: a dictionary of all below a node."""
        self._signals.expose()
        if ask.leaf is not None:
            ask.reply("s", ask.leaf.text())
        else:
            below = self._tree.below(ask.path)
            texts = {path: leaf.text_variant() for path, leaf in below}
            ask.reply("v", Variant("a{sv}", texts, verify=False))

    def get_items(self, ask: Call) -> None:
        """a{sa{sv}}: every leaf with value, text and bounds."""
        self._signals.expose()
        leaves = self._tree.leaves.values()
        ask.reply("a{sa{sv}}", {leaf.path: leaf.entry() for leaf in leaves})

    def set_value(self, ask: Call) -> None:
        """i: the verdict. An invalid value may come unwrapped, as Qt sends it."""
        if ask.leaf is None:
            ask.verdict(NOT_WRITABLE)
        else:
            self._writes.set(ask.leaf, plain(ask.call.body[0]), ask.verdict)

    def set_default(self, ask: Call) -> None:
        """i: the verdict of writing the default value."""
        leaf = self._tree.leaves[ask.path]
        if leaf.item.default is None:
            text = f"{ask.path} has no default value"
            ask.wire.fail(ask.call, NOT_SUPPORTED, text)
        else:
            self._writes.set(leaf, leaf.item.default, ask.verdict)

    def get_bound(self, ask: Call) -> None:
        """v: the minimum, maximum or default; invalid where there is none."""
        leaf = self._tree.leaves[ask.path]
        bound = getattr(leaf.item, _BOUNDS[str(ask.call.member)])
        ask.reply("v", leaf.as_variant(bound))

    def introspect(self, ask: Call) -> None:
        """s: the XML of the object."""
        ask.reply("s", self._tree.xml(ask.path))

    def ping(self, ask: Call) -> None:
        """Answer with nothing."""
        ask.wire.reply(ask.call, "", [])


@dataclass(slots=True)
class Call:
    """A call with the object it is for."""

    wire: Connection
    call: Message
    path: str
    leaf: Leaf | None

    def reply(self, signature: str, value: Any) -> None:  # noqa: ANN401
        """Answer with one value."""
        self.wire.reply(self.call, signature, [value])

    def verdict(self, verdict: int) -> None:
        """Answer a write."""
        self.wire.reply(self.call, "i", [verdict])


def _anywhere(_path: str, _leaf: Leaf | None) -> bool:
    return True


def _on_leaf(_path: str, leaf: Leaf | None) -> bool:
    return leaf is not None


def _on_root(path: str, _leaf: Leaf | None) -> bool:
    return path == "/"


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its interface, the signatures it takes, and on which objects it is."""

    interface: str
    answer: Callable[[Methods, Call], None]
    exists: Callable[[str, Leaf | None], bool] = _anywhere
    takes: tuple[str, ...] = ("",)


_METHODS = {
    "GetValue": Method(ITEM, Methods.get_value),
    "GetText": Method(ITEM, Methods.get_text),
    "SetValue": Method(ITEM, Methods.set_value, takes=("v", "ai")),
    "GetMin": Method(ITEM, Methods.get_bound, _on_leaf),
    "GetMax": Method(ITEM, Methods.get_bound, _on_leaf),
    "GetDefault": Method(ITEM, Methods.get_bound, _on_leaf),
    "SetDefault": Method(ITEM, Methods.set_default, _on_leaf),
    "GetItems": Method(ITEM, Methods.get_items, _on_root),
    "Introspect": Method(INTROSPECTABLE, Methods.introspect),
    "Ping": Method(PEER, Methods.ping),
}
