"""`mppdbus support-bundle`: one file with all that a report of a bug needs, masked."""

import argparse
import asyncio
import contextlib
import importlib.metadata
import io
import json
import os
import platform
import pwd
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mppdbus import __version__
from mppdbus.commands import doctor
from mppdbus.commands.output import DONE, Output, how_called
from mppdbus.commands.progress import Progress
from mppdbus.config.models import BAUDS
from mppdbus.daemon.reply_file import EVERY, REPLIES, WANTED
from mppdbus.doctor.bus_facts import SYSTEM, BusPicture
from mppdbus.doctor.examine import Place, Subject, examine
from mppdbus.doctor.facts import Facts, PortTrouble
from mppdbus.errors import ConfigError, MppdbusError
from mppdbus.inverter.detection import name_of
from mppdbus.inverter.timing import PATIENCE_RECORDING
from mppdbus.protocol.framing import encode_reply, encode_request
from mppdbus.recording.journal import Entry
from mppdbus.recording.journal_entries import RecordedUnit, entries_of
from mppdbus.recording.masking import Masker
from mppdbus.recording.recorder import Recorder
from mppdbus.recording.recording_link import recording_link
from mppdbus.recording.reply_quality import Exchange
from mppdbus.recording.text_masking import TextMasker
from mppdbus.storage.atomic_file import write_file

RECORDING = "recording.jsonl"
LOG_LINES = 5000
LOG_BYTES = 1_000_000
LOGS = ("/var/log/mppdbus/current", "/data/log/mppdbus/current")
LIBRARIES = ("dbus-fast", "pydantic", "pydantic-core", "pyserial", "crcmod", "tomli")
DAEMONS_STATE = Path("/var/lib/mppdbus")
README = """\
Made by mppdbus {version} on {date}. Serial numbers, host and user names, addresses and
ids are replaced, each by the same word everywhere. Look through it before you send it.

  doctor.txt, doctor.json   what is wrong, and all facts
  recording.jsonl           what the inverters answer; mppdbus replay THIS-FILE
  dbus.json                 our services, as they were on D-Bus
  config.toml, log.txt, versions.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("--port", metavar="URL", help="of this port; without the configuration")
    add("--baud", type=int, choices=BAUDS, default=2400, help="default: %(default)s")
    add("--config", type=Path, metavar="FILE", help="default: the one that is in use")
    add("--bus", metavar="ADDRESS", help="system, session or another D-Bus")
    add("--no-bus", action="store_true", help="leave D-Bus out")
    add("--log", type=Path, metavar="FILE", help="default: that of the service")
    add("--state", type=Path, metavar="DIR", help="where the daemon keeps its state")
    add("--output", type=Path, metavar="FILE", help="default: mppdbus-DATE.tar.gz here")
    add("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    add("--json", action="store_true", help="the summary as one object")


@dataclass(slots=True)
class Contents:
    """The files of a bundle, as texts, not masked yet; and what is missing."""

    texts: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)  # masked already
    missing: list[str] = field(default_factory=list)
    masker: Masker = field(default_factory=Masker)  # of the serials, for all files


async def run(args: argparse.Namespace) -> int:
    """Write the bundle, and say what is in it; return 0."""
    now = datetime.now().astimezone()
    output = args.output or Path(f"mppdbus-{now:%Y%m%d-%H%M%S}.tar.gz")
    if output.exists():
        raise ConfigError(f"{output} exists; name another --output")
    contents = Contents()
    with Progress() as progress:
        subjects, place = await asyncio.to_thread(doctor.plan, args)
        facts, picture = await examine(subjects, place, progress.show)
        _add_report(contents, facts, picture)
        progress.show("recording what the inverters answer")
        source = f"mppdbus {__version__} support-bundle, {now:%Y-%m-%d}"
        if any(one.port.ours for one in facts):
            folders = [args.state] if args.state else [place.state, DAEMONS_STATE]
            await asyncio.to_thread(_add_replies, contents, folders, source)
        for subject, one in zip(subjects, facts, strict=False):
            if not one.port.ours and one.port.trouble is PortTrouble.NONE:
                await _ask_all(contents, subject, source, now)
        progress.show("collecting the log")
        await asyncio.to_thread(_add_files, contents, args, place)
        masker = _text_masker(contents, subjects, facts, picture)
        await asyncio.to_thread(_write, output, contents, masker, now)
    _report(Output(as_json=args.json), output, contents)
    return DONE


def _report(shown: Output, output: Path, contents: Contents) -> None:
    inside = sorted({*contents.texts, *([RECORDING] if contents.entries else [])})
    lines = [f"Written to {output}: {', '.join(inside)}."]
    lines += [f"Not in it: {what}" for what in contents.missing]
    lines.append("Serial numbers, names and addresses are masked; look through it.")
    if contents.entries:
        lines.append(f"  play it back     {how_called()} replay {output}")
    record = {"file": str(output), "contents": inside, "missing": contents.missing}
    shown.record(record, "\n".join(lines))


def _add_report(contents: Contents, facts: list[Facts], picture: BusPicture) -> None:
    """Add what the doctor says, and the services of ours."""
    found = doctor.findings_of(facts)
    lines = [*doctor.report(facts, found), "", *doctor.all_facts(facts)]
    contents.texts["doctor.txt"] = "\n".join(lines) + "\n"
    contents.texts["doctor.json"] = _json(doctor.record(facts, found))
    ours = {name: dict(picture.services[name]) for name in picture.bus.ours or ()}
    if ours:
        contents.texts["dbus.json"] = _json(ours)
    else:
        contents.missing.append("D-Bus: no service of mppdbus is there")
    contents.texts["versions.json"] = _json(_versions())


def _versions() -> dict[str, Any]:
    libraries = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            libraries[name] = importlib.metadata.version(name)
    system = ""
    for file in ("/opt/victronenergy/version", "/etc/os-release"):
        with contextlib.suppress(OSError):
            system = system or Path(file).read_text(errors="replace")[:500]
    return {
        "mppdbus": __version__,
        "python": sys.version,
        "libraries": libraries,
        "machine": platform.machine(),
        "kernel": platform.release(),
        "system": system,
    }


# -- recording -----------------------------------------------------------------------


def _add_replies(contents: Contents, folders: Iterable[Path], source: str) -> None:
    """Add what the daemon, which has the ports, was answered last; blocks for s."""
    units = _replies_of_daemon(folders)
    if not units:
        contents.missing.append(
            "recording: the daemon has the port and gave no replies; say --state, or "
            "stop it"
        )
    for unit in units:
        exchanges = [
            Exchange(query, encode_request(query), encode_reply(bytes.fromhex(payload)))
            for query, payload in unit["replies"].items()
        ]
        _add_entries(contents, exchanges, unit["model"], unit["dialect"], source)


async def _ask_all(
    contents: Contents, subject: Subject, source: str, now: datetime
) -> None:
    """Add what the inverter at a free port answers."""
    patience = subject.patience or PATIENCE_RECORDING[subject.port.scheme]
    name = name_of(subject.port)
    try:
        async with recording_link(
            subject.port, name=name, baud=subject.baud, patience=patience
        ) as link:
            recorder = Recorder(link, lambda _: None)
            await recorder.ask_all(now)
    except MppdbusError as error:
        contents.missing.append(f"recording of {subject.port.label}: {error}")
        return
    answers = recorder.answers
    exchanges = [one for one in link.exchanges if one.final]
    dialect = answers.identification.dialect.name
    _add_entries(contents, exchanges, answers.model, dialect, source)


def _add_entries(
    contents: Contents,
    exchanges: list[Exchange],
    model: str | None,
    dialect: str,
    source: str,
) -> None:
    """Add a recording; a second inverter of one model gets a number."""
    taken = {entry.model for entry in contents.entries}
    name, number = model or dialect, 2
    while name in taken:
        name, number = f"{model or dialect} #{number}", number + 1
    unit = RecordedUnit(name, dialect, source)
    contents.entries += entries_of(exchanges, unit, masker=contents.masker)


def _replies_of_daemon(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Ask the daemon for the last replies; blocks until they come, for seconds."""
    for folder in folders:
        wanted, replies = folder / WANTED, folder / REPLIES
        with contextlib.suppress(OSError, ValueError, KeyError):
            if not folder.is_dir():
                continue
            replies.unlink(missing_ok=True)
            write_file(wanted, b"")
            end = time.monotonic() + 3 * EVERY
            while not replies.exists() and time.monotonic() < end:
                time.sleep(0.1)
            wanted.unlink(missing_ok=True)
            if replies.exists():
                found: list[dict[str, Any]] = json.loads(replies.read_text())[
                    "inverters"
                ]
                replies.unlink()
                return found
    return []


# -- files ---------------------------------------------------------------------------


def _add_files(contents: Contents, args: argparse.Namespace, place: Place) -> None:
    """Add config and log."""
    if place.config is not None:
        with contextlib.suppress(OSError):
            contents.texts["config.toml"] = place.config.read_text(errors="replace")
    if log := _log(args.log):
        contents.texts["log.txt"] = log
    else:
        contents.missing.append("log: none was found; say --log FILE")


def _log(chosen: Path | None) -> str:
    """Return the end of the log; raises `ConfigError` for a bad file."""
    if chosen is not None:
        try:
            return chosen.read_text(errors="replace")[-LOG_BYTES:]
        except OSError as error:
            raise ConfigError(f"{chosen} cannot be read: {error.strerror}") from error
    for path in map(Path, LOGS):
        with contextlib.suppress(OSError):
            return path.read_text(errors="replace")[-LOG_BYTES:]
    if (program := shutil.which("journalctl")) is None:
        return ""
    words = [program, "-u", "mppdbus", "-n", str(LOG_LINES), "--no-pager"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - fixed words
            words, capture_output=True, check=False, timeout=20, text=True
        )
        return done.stdout[-LOG_BYTES:] if "-- No entries --" not in done.stdout else ""
    return ""


# -- masking and writing -------------------------------------------------------------


def _text_masker(
    contents: Contents, subjects: list[Subject], facts: list[Facts], picture: BusPicture
) -> TextMasker:
    """Return a masker that knows all serials and names that can be found out here."""
    serials = [one.line.serial or "" for one in facts]
    serials += [subject.serial for subject in subjects]
    serials += [str(v.get("/Serial") or "") for v in picture.units().values()]
    vrm = str((picture.services.get(SYSTEM) or {}).get("/Serial") or "")
    return TextMasker(contents.masker, serials, [*_names(os.environ), vrm])


def _names(env: Mapping[str, str]) -> list[str]:
    """Return the names of this machine and of the people on it."""
    host = socket.gethostname()
    names = [host, host.partition(".")[0]]
    names += [env.get(key, "") for key in ("USER", "LOGNAME", "SUDO_USER")]
    names.append(Path(env.get("HOME", "")).name)
    with contextlib.suppress(OSError):
        names += [one.pw_name for one in pwd.getpwall() if 1000 <= one.pw_uid < 60000]
    return names


def _write(path: Path, contents: Contents, masker: TextMasker, now: datetime) -> None:
    files = {"README.txt": README.format(version=__version__, date=f"{now:%Y-%m-%d}")}
    files |= {name: masker.text(text) for name, text in contents.texts.items()}
    if contents.entries:
        lines = (f"{entry.as_line()}\n" for entry in contents.entries)
        files[RECORDING] = "".join(lines)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"mppdbus-support/{name}")
            body = text.encode(errors="replace")
            info.size, info.mtime = len(body), int(now.timestamp())
            archive.addfile(info, io.BytesIO(body))
    try:
        write_file(path, data.getvalue())
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{path} cannot be written: {reason}") from error


def _json(data: object) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, default=str) + "\n"
