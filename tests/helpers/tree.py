"""All that is below a directory: names, kinds, modes, owners and bytes."""

from __future__ import annotations

from pathlib import Path


def tree(root: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Return what there is: name → mode with kind, owner, group, content."""
    found: dict[str, tuple[int, int, int, bytes]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        data = b""
        if path.is_symlink():
            data = str(path.readlink()).encode()
        elif path.is_file():
            data = path.read_bytes()
        name = str(path.relative_to(root))
        found[name] = (status.st_mode, status.st_uid, status.st_gid, data)
    return found
