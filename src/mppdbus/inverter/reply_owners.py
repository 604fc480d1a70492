"""Whose reply a short payload is: many replies look alike. Pure."""

SHORT = 40  # characters of a reply that may fit another question, such as QMN or QID
MOST = 64  # payloads that are kept
NOBODY = ""  # has asked for a stray


class ReplyOwners:
    """The commands to which each short payload was the reply."""

    def __init__(self) -> None:
        self._owners: dict[bytes, set[str]] = {}

    def answered(self, command: str, payload: bytes) -> None:
        """Note a reply that was accepted."""
        if (owners := self._of(payload)) is not None:
            owners.add(command)
            owners.discard(NOBODY)

    def strayed(self, payload: bytes) -> None:
        """Note a frame that nobody has asked for."""
        if (owners := self._of(payload)) is not None:
            owners.add(NOBODY)

    def doubtful(self, command: str, payload: bytes, *, drained: bool) -> bool:
        """Tell whether a payload came for another question before, or for none.

        One that came for none is not doubtful where the line has been `drained`.
        """
        owners = self._owners.get(payload)
        if owners is None or (drained and owners == {NOBODY}):
            return False
        return command not in owners or (NOBODY in owners and not drained)

    def _of(self, payload: bytes) -> set[str] | None:
        """Return the commands of a payload, to be added to; None if it is not kept."""
        if len(payload) > SHORT or len(self._owners) >= MOST:
            return self._owners.get(payload)
        return self._owners.setdefault(payload, set())
