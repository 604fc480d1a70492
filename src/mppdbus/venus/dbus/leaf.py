"""An item on the bus: its value, and the writes without a verdict yet."""

from collections.abc import Callable

from dbus_fast.signature import Variant, get_signature_tree

from mppdbus.venus.dbus.items import CHECKS, UNKNOWN_TEXT, Item, Value

UNSENT = object()  # what subscribers have is unknown: equal to no value
INVALID = Variant("ai", [])  # any empty array means invalid; velib sends this one

_TEXT = get_signature_tree("s")
_UNSEEN = object()


class PendingWrite:
    """A value that a client has written and that has no verdict yet.

    `answers` get the verdict. Until then the leaf shows the written value (the echo).
    """

    __slots__ = ("answers", "before", "read_back", "seen", "sender", "value")

    def __init__(
        self, value: Value, answer: Callable[[int], None], sender: str = ""
    ) -> None:
        self.value = value
        self.sender = sender  # the unique name of the client
        self.answers = [answer]
        self.before: Value = None  # value to restore if refused
        self.seen: Value | object = _UNSEEN  # given to update() since the write began
        self.read_back = False  # `seen` comes from the writer itself

    def outcome(self, *, accepted: bool) -> Value:
        """Return the value to show after the verdict.

        A poll may have begun before the write: if it read the old value, the accepted
        value stays. A value that the writer itself has read back wins.
        """
        if self.seen is _UNSEEN:
            return self.value if accepted else self.before
        if accepted and self.seen == self.before and not self.read_back:
            return self.value
        return self.seen  # type: ignore[return-value]

    def settle(self, verdict: int) -> None:
        """Give the verdict to all callers that wrote this value."""
        for answer in self.answers:
            answer(verdict)


class Leaf:
    """An item with its value, the value sent last, and its writes.

    `pending` is the write being decided, `queued` the next one.
    """

    __slots__ = (
        "_bounds",
        "_format",
        "_signature",
        "check",
        "item",
        "path",
        "pending",
        "queued",
        "sent",
        "value",
    )

    def __init__(self, item: Item) -> None:
        self.path = item.path
        self.check = CHECKS[item.kind]
        self.value: Value = None
        self.pending: PendingWrite | None = None
        self.queued: PendingWrite | None = None
        self.use(item)

    def use(self, item: Item) -> None:
        """Take another item of the same path and type: new texts, new bounds."""
        self.item = item
        self.sent: object = UNSENT
        self._format = item.formatter()
        self._signature = get_signature_tree(item.kind.value)
        bounds = {"Min": item.minimum, "Max": item.maximum, "Default": item.default}
        self._bounds = {
            name: Variant(self._signature, bound, verify=False)
            for name, bound in bounds.items()
            if bound is not None
        }

    def row(self) -> dict[str, Variant]:
        """Return the row of this item in GetItems and ItemsChanged.

        A text function that fails must not remove the value from the bus.
        """
        value = self.value
        if value is None:
            return {"Value": INVALID, "Text": _UNKNOWN, **self._bounds}
        try:
            text = self._format(value)
        except Exception:  # noqa: BLE001 - see above
            text = str(value)
        return {
            "Value": Variant(self._signature, value, verify=False),
            "Text": Variant(_TEXT, text, verify=False),
            **self._bounds,
        }

    def bound(self, name: str) -> Variant:
        """Return "Min", "Max" or "Default"; invalid where there is none."""
        return self._bounds.get(name, INVALID)


_UNKNOWN = Variant(_TEXT, UNKNOWN_TEXT, verify=False)
