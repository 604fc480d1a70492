"""Items: malformed ones are refused when the table is read, not on the bus."""

from __future__ import annotations

import pytest

from mppdbus.venus.dbus.items import Item, ItemType
from mppdbus.venus.dbus.tree import Tree, introspection_xml


@pytest.mark.parametrize("path", ["", "/", "Ac", "/Ac/", "//Ac", "/Ac-Out", "/Ac Out"])
def test_a_malformed_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path of an item"):
        Item(path, ItemType.INT)


def test_bounds_are_of_the_type_of_the_item() -> None:
    item = Item("/Limit", ItemType.DOUBLE, minimum=2, maximum=60, default=30)
    assert [type(v) for v in (item.minimum, item.maximum, item.default)] == [float] * 3
    with pytest.raises(TypeError, match=r"^/Mode: "):
        Item("/Mode", ItemType.INT, maximum="4")


def test_a_value_is_held_between_the_bounds_it_has() -> None:
    item = Item("/Limit", ItemType.INT, minimum=2)
    assert item.coerced(1000) == 1000
    with pytest.raises(ValueError, match="/Limit: 1 is below the minimum, 2"):
        item.coerced(1)
    item = Item("/Limit", ItemType.DOUBLE, maximum=0)
    assert item.coerced(-5) == -5
    with pytest.raises(ValueError, match=r"/Limit: 0\.5 is above the maximum, 0"):
        item.coerced(0.5)


def test_a_tree_takes_each_path_once_and_all_items_or_none() -> None:
    tree = Tree()
    tree.add([Item("/Mode", ItemType.INT)])
    with pytest.raises(ValueError, match="/A/B: there is an item of that path"):
        tree.add([Item("/A/B", ItemType.INT), Item("/A/B", ItemType.INT)])
    assert list(tree.leaves) == ["/Mode"]
    assert tree.nodes == {"/": {"Mode": None}}


def test_a_leaf_may_have_children() -> None:
    tree = Tree()
    tree.add(
        [
            Item("/Pv", ItemType.INT),
            Item("/Pv/V", ItemType.INT),
            Item("/Pvx", ItemType.INT),
        ]
    )
    assert '<node name="V"/>' in tree.xml("/Pv")
    assert [path for path, _ in tree.below("/Pv")] == ["V"]


def test_introspection_names_the_children_in_order() -> None:
    xml = introspection_xml(["b", "a"], root=True)
    assert xml.index('<node name="b"/>') < xml.index('<node name="a"/>')
    assert "ItemsChanged" in xml
    assert "ItemsChanged" not in introspection_xml(leaf=True)
