"""What the log says of a folder in which nothing can be stored: one line for it."""

import errno
import logging
import os
from pathlib import Path
from threading import Lock

from mppdbus.errors import StateError

_FORBIDDEN = {errno.EACCES, errno.EPERM}
_OF_FOLDERS = {
    *_FORBIDDEN,
    errno.ENOTDIR,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ELOOP,
    errno.ENAMETOOLONG,
}

log = logging.getLogger("mppdbus.state")


class FolderLog:
    """Logs once why nothing can be stored in a folder, and once that it can again.

    The files of the folder share it. It may be used in several threads.
    """

    def __init__(self) -> None:
        self._troubles: dict[Path, str] = {}  # file → reason
        self._turn = Lock()

    def note(self, path: Path, reason: str) -> None:
        """Note why the file at `path` could not be stored; "" if it was stored."""
        with self._turn:
            before, known = self._troubles.pop(path, ""), set(self._troubles.values())
            if reason:
                self._troubles[path] = reason
            if reason and reason not in known | {before}:
                log.warning(
                    "%s: not stored: %s, as all of %s: counters, settings and charge "
                    "are lost at the next restart", path, reason, path.parent,
                )  # fmt: skip
            elif before and not self._troubles:
                log.info("%s: can be stored again", path)


def folder_trouble(error: BaseException | None) -> str:
    """Return why nothing can be stored in a folder; "" for another kind of error."""
    if isinstance(error, StateError):
        error = error.__cause__
    if not isinstance(error, OSError) or error.errno not in _OF_FOLDERS:
        return ""
    if error.errno in _FORBIDDEN:
        return "no permission"
    return os.strerror(error.errno)
