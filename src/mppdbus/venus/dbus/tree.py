"""The object tree of one service: leaves, the nodes above them, and their XML. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dbus_fast.signature import Variant, get_signature_tree

from mppdbus.venus.dbus.items import CHECKS, UNKNOWN_TEXT, Item, Value

if TYPE_CHECKING:
    from mppdbus.venus.dbus.writes import Pending

UNSENT = object()  # stands for "subscribers may hold anything": differs from any value
INVALID = Variant("ai", [])  # any empty array is read as invalid; this is velib's

_TEXT = get_signature_tree("s")
_HEAD = (
    '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"\n'
    '"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">\n'
)
_STANDARD = """\
 <interface name="org.freedesktop.DBus.Introspectable">
  <method name="Introspect"><arg type="s" direction="out"/></method>
 </interface>
 <interface name="org.freedesktop.DBus.Peer">
  <method name="Ping"/>
  <method name="GetMachineId"><arg type="s" direction="out"/></method>
 </interface>
"""
_SET = (
    '  <method name="SetValue">'
    '<arg type="v" direction="in"/><arg type="i" direction="out"/></method>\n'
)


def _getter(name: str, signature: str) -> str:
    argument = f'<arg type="{signature}" direction="out"/>'
    return f'  <method name="{name}">{argument}</method>\n'


_LEAF = (
    _getter("GetValue", "v")
    + _getter("GetText", "s")
    + _SET
    + _getter("GetMin", "v")
    + _getter("GetMax", "v")
    + _getter("GetDefault", "v")
    + _getter("SetDefault", "i")
)
_NODE = _getter("GetValue", "v") + _getter("GetText", "v") + _SET
_ROOT = (
    _NODE
    + _getter("GetItems", "a{sa{sv}}")
    + '  <signal name="ItemsChanged"><arg type="a{sa{sv}}"/></signal>\n'
)


def introspection_xml(
    children: Iterable[str] = (), *, leaf: bool = False, root: bool = False
) -> str:
    """Return the XML of one object: its BusItem interface and its child nodes."""
    methods = _LEAF if leaf else _ROOT if root else _NODE
    nodes = "".join(f' <node name="{child}"/>\n' for child in children)
    return (
        f"{_HEAD}<node>\n{_STANDARD}"
        f' <interface name="com.victronenergy.BusItem">\n{methods} </interface>\n'
        f"{nodes}</node>\n"
    )


class Leaf:
    """An item with its value, what subscribers were told last, a write under way."""

    __slots__ = (
        "_extras",
        "_format",
        "_tree",
        "check",
        "item",
        "path",
        "pending",
        "sent",
        "value",
    )

    def __init__(self, item: Item) -> None:
        self.item = item
        self.path = item.path
        self.check = CHECKS[item.kind]
        self.value: Value = None
        self.sent: object = UNSENT
        self.pending: Pending | None = None
        self._format = item.formatter()
        self._tree = get_signature_tree(item.kind.value)
        bounds = {"Min": item.minimum, "Max": item.maximum, "Default": item.default}
        self._extras = {
            name: self.as_variant(value)
            for name, value in bounds.items()
            if value is not None
        }

    def as_variant(self, value: Value) -> Variant:
        """Return `value`, which must be of this item's kind, as it goes on the bus."""
        return INVALID if value is None else Variant(self._tree, value, verify=False)

    def variant(self) -> Variant:
        """Return the value as it goes on the bus."""
        return self.as_variant(self.value)

    def text(self) -> str:
        """Return the text of the value.

        A text function that does not know the value must not take it off the bus.
        """
        value = self.value
        if value is None:
            return UNKNOWN_TEXT
        try:
            return self._format(value)
        except Exception:  # noqa: BLE001 - see above
            return str(value)

    def text_variant(self) -> Variant:
        """Return the text as it goes on the bus."""
        return Variant(_TEXT, self.text(), verify=False)

    def entry(self) -> dict[str, Variant]:
        """Return the row of this item in GetItems and in ItemsChanged."""
        text = Variant(_TEXT, self.text(), verify=False)
        row = {"Value": self.as_variant(self.value), "Text": text}
        if self._extras:
            row.update(self._extras)
        return row


class Tree:
    """All objects of a service: `leaves` by path, and `nodes` with their child names.

    The root "/" is always a node; a leaf is one only if it has children.
    """

    def __init__(self) -> None:
        self.leaves: dict[str, Leaf] = {}
        self.nodes: dict[str, dict[str, None]] = {"/": {}}

    def add(self, items: Iterable[Item]) -> list[Leaf]:
        """Add leaves for `items`, all or none; raises ValueError for a path twice."""
        fresh: dict[str, Leaf] = {}
        for item in items:
            if item.path in self.leaves or item.path in fresh:
                raise ValueError(f"{item.path}: there is an item of that path already")
            fresh[item.path] = Leaf(item)
        for path in fresh:
            parent = "/"
            for name in path[1:].split("/"):
                self.nodes.setdefault(parent, {})[name] = None
                parent = f"{parent.rstrip('/')}/{name}"
        self.leaves.update(fresh)
        return list(fresh.values())

    def __contains__(self, path: object) -> bool:
        return path in self.leaves or path in self.nodes

    def below(self, node: str) -> Iterator[tuple[str, Leaf]]:
        """Yield the leaves under `node`, each with its path relative to it."""
        prefix = node if node == "/" else f"{node}/"
        for path, leaf in self.leaves.items():
            if path.startswith(prefix):
                yield path[len(prefix) :], leaf

    def xml(self, path: str) -> str:
        """Return the introspection XML of the object at `path`."""
        children = self.nodes.get(path, {})
        return introspection_xml(children, leaf=path in self.leaves, root=path == "/")
