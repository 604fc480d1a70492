"""Gathers facts of a port without opening it, and reads why it could not be opened."""

import errno
import os
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mppdbus.doctor.facts import PortFacts, PortTrouble
from mppdbus.doctor.host_facts import OUR_RUN
from mppdbus.errors import PortError, PortLost, PortMissing
from mppdbus.host.ports import Candidate, PortVerdict, candidates, holders
from mppdbus.transport.port_url import PortUrl

_TROUBLES = {
    errno.ENOENT: PortTrouble.MISSING,
    errno.ENXIO: PortTrouble.MISSING,
    errno.ENODEV: PortTrouble.MISSING,
    errno.EACCES: PortTrouble.FORBIDDEN,
    errno.EPERM: PortTrouble.FORBIDDEN,
    errno.EBUSY: PortTrouble.HELD,
    errno.EAGAIN: PortTrouble.HELD,
}


def look_at_port(url: PortUrl, root: Path = Path("/")) -> PortFacts:
    """Return what is known without opening the port.

    Blocks for some milliseconds: call it in a thread. Never raises.
    """
    facts = PortFacts(label=url.label, scheme=url.scheme)
    if not url.path:
        return facts
    ports = candidates(root)
    place = root / url.path.lstrip("/")
    name = Path(os.path.realpath(place)).name
    here = next((port for port in ports if Path(port.path).name == name), None)
    facts = replace(
        facts,
        tty=name,
        others=_others(ports, name),
        served=os.path.lexists(root / "dev/serial-starter" / name),
        remembered=_first_word(root / "data/var/lib/serial-starter" / name),
    )
    if _is_missing(place):
        return replace(facts, trouble=PortTrouble.MISSING)
    who = [str(holder) for holder in holders(url.path, root)]
    others = tuple(one for one in who if not OUR_RUN.search(one))
    if who and not others:
        return replace(facts, ours=True)
    if others:
        return replace(facts, trouble=PortTrouble.HELD, holders=others)
    if here is not None and here.verdict is PortVerdict.FOREIGN:
        return replace(facts, trouble=PortTrouble.FOREIGN, owner=here.reason)
    return facts


def _is_missing(place: Path) -> bool:
    try:
        return not place.exists()
    except OSError:
        return False  # opening it will tell


def _first_word(file: Path) -> str:
    with suppress(OSError):
        words = file.read_text(encoding="utf-8", errors="replace").split()
        return words[0][:40] if words else ""
    return ""


def _others(ports: Sequence[Candidate], name: str) -> tuple[str, ...]:
    wanted = (PortVerdict.PLAUSIBLE, PortVerdict.HELD)
    return tuple(
        port.by_id or port.path
        for port in ports
        if port.verdict in wanted and Path(port.path).name != name
    )


def with_error(facts: PortFacts, error: PortError) -> PortFacts:
    """Add why the port could not be opened, or was lost."""
    said = str(error)
    advice = said.partition("; ")[2]
    found = re.search(r"sudo [^,]*", advice)
    return replace(
        facts,
        trouble=_trouble(facts, error),
        said=said,
        advice=found[0] if found else advice,
    )


def _trouble(facts: PortFacts, error: PortError) -> PortTrouble:
    if isinstance(error, PortMissing):
        return PortTrouble.MISSING
    if isinstance(error, PortLost):
        return PortTrouble.LOST
    cause = error.__cause__
    if facts.scheme == "tcp":
        if isinstance(cause, (socket.gaierror, UnicodeError)):
            return PortTrouble.UNKNOWN_HOST
        refused = isinstance(cause, ConnectionRefusedError)
        return PortTrouble.REFUSED if refused else PortTrouble.UNREACHABLE
    if " is in use by " in str(error):
        return PortTrouble.HELD
    number = getattr(cause, "errno", None)
    return _TROUBLES.get(number or 0, PortTrouble.NO_PORT)
