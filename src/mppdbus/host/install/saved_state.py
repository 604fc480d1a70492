"""Config, counters and history in one file, and back from it."""

import ctypes
import os
import tarfile
from pathlib import Path

from mppdbus.errors import InstallError
from mppdbus.host.install.changes import InstallTarget

BESIDE = ".mppdbus-new"
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of linux/fcntl.h and linux/fs.h


def save(target: InstallTarget, folders: list[str], file: Path) -> list[str]:
    """Write the folders that are there into a .tar.gz; return which."""
    there = [folder for folder in folders if target.at(folder).is_dir()]
    if not there:
        raise InstallError(f"there is nothing to save: no {' and no '.join(folders)}")
    new = file.with_name(file.name + BESIDE)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(handle, "wb") as out:  # noqa: PTH123
            with tarfile.open(fileobj=out, mode="w:gz") as archive:
                for folder in there:
                    archive.add(target.at(folder), folder.lstrip("/"))
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
    return there


def restore(target: InstallTarget, folders: list[str], file: Path) -> list[str]:
    """Put back what `save` wrote; return which folders. All of it is read first.

    Each folder changes places with the new one in one step, so that after a power cut
    there is the one or the other.
    """
    try:
        with tarfile.open(file) as archive:
            members = archive.getmembers()
            found = [f for f in folders if f.lstrip("/") in {m.name for m in members}]
            odd = [m.name for m in members if not _belongs(m, folders)]
            if odd or not found:
                what = odd[0] if odd else "nothing of mppdbus"
                raise InstallError(f"{file} is no backup of mppdbus: it has {what}")
            for folder in found:
                _unpack(target, archive, folder)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise InstallError(f"{file} cannot be read: {error}") from error
    for folder in found:
        _put_in_place(target.at(folder + BESIDE), target.at(folder))
        os.sync()
        target.remove(folder + BESIDE)
    return found


def _put_in_place(new: Path, place: Path) -> None:
    """Have a folder and the new one change places; without an old one, rename."""
    if not place.exists():
        new.rename(place)
        return
    system = ctypes.CDLL(None, use_errno=True)
    words = (AT_FDCWD, os.fsencode(new), AT_FDCWD, os.fsencode(place), RENAME_EXCHANGE)
    if system.renameat2(*words) != 0:
        number = ctypes.get_errno()
        raise InstallError(f"{place} cannot be replaced: {os.strerror(number)}")


def _belongs(member: tarfile.TarInfo, folders: list[str]) -> bool:
    inside = any(
        member.name == folder.lstrip("/")
        or member.name.startswith(folder.lstrip("/") + "/")
        for folder in folders
    )
    return inside and (member.isfile() or member.isdir()) and ".." not in member.name


def _unpack(target: InstallTarget, archive: tarfile.TarFile, folder: str) -> None:
    name = folder.lstrip("/")
    target.remove(folder + BESIDE)
    new = target.at(folder + BESIDE)
    new.mkdir(parents=True)
    for member in archive.getmembers():
        if member.name.startswith(name + "/"):
            place = new / member.name[len(name) + 1 :]
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
            elif (data := archive.extractfile(member)) is not None:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data.read())
                place.chmod(member.mode & 0o777)
    os.sync()
