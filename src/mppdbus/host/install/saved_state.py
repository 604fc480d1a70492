"""Config, counters and history in one file, and back from it."""

import os
import tarfile
from pathlib import Path

from mppdbus.errors import InstallError
from mppdbus.host.install.changes import InstallTarget

BESIDE = ".mppdbus-new"


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

    A folder is renamed away and the new one put in its place, so that a power cut loses
    neither: between the two, the old one is beside it as `.NAME.mppdbus-old`.
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
        place = target.at(folder)
        old = place.with_name(f".{place.name}.mppdbus-old")
        target.remove(f"{folder.rpartition('/')[0]}/{old.name}")
        if place.exists():
            place.rename(old)
        (place.with_name(place.name + BESIDE)).rename(place)
        target.remove(f"{folder.rpartition('/')[0]}/{old.name}")
    os.sync()
    return found


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
