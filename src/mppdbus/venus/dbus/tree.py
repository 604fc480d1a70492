"""The object tree of one service: leaves, the nodes above them, and their XML. Pure."""

from collections.abc import Iterable, Iterator

from mppdbus.venus.dbus.items import Item
from mppdbus.venus.dbus.leaf import Leaf

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
