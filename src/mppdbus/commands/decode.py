"""`mppdbus decode`: decodes recorded or pasted replies."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mppdbus.commands.decoded_reply import DecodedReply
from mppdbus.commands.output import DONE, SAID_NO, USAGE, Output
from mppdbus.errors import (
    ConfigError,
    MppdbusError,
    OtherProtocol,
    Truncated,
    UnknownLayout,
)
from mppdbus.protocol.dialects import DIALECTS
from mppdbus.protocol.evidence import Evidence
from mppdbus.protocol.identification import Identification, identify
from mppdbus.protocol.plausibility import Plausibility
from mppdbus.protocol.queries import QUERIES, base_command, decode
from mppdbus.protocol.replies.settings import Ratings, RatingsRevo
from mppdbus.recording.lost_byte import choose
from mppdbus.recording.pasted_replies import PastedReplies
from mppdbus.recording.pasted_reply import PastedReply, Payload
from mppdbus.recording.query_guess import guess_query

FEW = 5  # lines without a reply that are named one by one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "file",
        nargs="?",
        default="-",
        metavar="FILE",
        help="a reply on each line, as hex, as text or as a line of a JSON journal; "
        "the command may stand before it; - is the standard input",
    )
    parser.add_argument("--json", action="store_true", help="one object a reply")
    parser.add_argument(
        "--dialect",
        default="auto",
        choices=("auto", *DIALECTS),
        help="the family whose codes to use (default: found in the replies)",
    )


def run(args: argparse.Namespace) -> int:
    """Decode all lines; return 1 for a damaged or unknown reply, 2 for other lines."""
    found = PastedReplies.of(_read(args.file))
    where = "standard input" if args.file == "-" else args.file
    if not found.replies:
        raise ConfigError(
            f"{where} is no recording: there is no reply in it; a reply is hex bytes, "
            "or text such as QMOD: (B"
        )
    refused = False
    output = Output(as_json=args.json)
    for result in decode_all(found.replies, args.dialect):
        record = {"id": result.id, **result.record()}
        head = f"{result.id}  {result.command or '(no command)'}"
        output.record(record, "\n".join([head, *result.lines(), ""]))
        refused |= result.error is not None
    for problem in _without_reply(found.others):
        print(f"mppdbus: {where}: {problem}", file=sys.stderr)  # noqa: T201
    if found.others:
        return USAGE
    return SAID_NO if refused else DONE


def _without_reply(lines: list[tuple[int, str]]) -> Iterator[str]:
    """Yield what to say about the lines without a reply, a few of them one by one."""
    for number, problem in lines[:FEW]:
        yield f"line {number}: {problem}"
    if len(lines) > FEW:
        yield f"{len(lines) - FEW} more lines without a reply"


def _read(file: str) -> bytes:
    try:
        if file == "-":
            if sys.stdin.isatty():
                print("Paste replies, a line each; Ctrl-D ends.", file=sys.stderr)  # noqa: T201
            return sys.stdin.buffer.read()
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file}: cannot be read: {reason}") from error


# -- decoding: pure from here on ---------------------------------------------------


def decode_all(replies: list[PastedReply], dialect: str = "auto") -> list[DecodedReply]:
    """Decode all replies; those of one inverter tell its dialect together.

    If an inverter of a journal says that it speaks another protocol, its replies to
    other queries are not PI30 either.
    """
    results = [_decode(reply) for reply in replies]
    devices: dict[object, list[DecodedReply]] = defaultdict(list)
    for reply, result in zip(replies, results, strict=True):
        devices[reply.device].append(result)
    for device, own in devices.items():
        found = _identified(own)
        if known := DIALECTS.get(dialect):
            found = replace(found, dialect=known, confidence=1.0)
        foreign = _foreign(own) if device is not None else None
        for result in own:
            result.speak(found)
            if foreign is not None:
                result.error = foreign
        _remark(own, found)
    return results


def _identified(results: list[DecodedReply]) -> Identification:
    readings = {
        base_command(result.command): result.reading
        for result in results
        if result.command and result.reading is not None and not result.partial
    }
    strange = {base_command(one.command or "") for one in results if one.partial}
    return identify(Evidence.gather(readings, strange=strange - readings.keys()))


def _remark(results: list[DecodedReply], found: Identification) -> None:
    """Add what the daemon would not show; the ratings count where they are of one."""
    rated = [r for r in results if isinstance(r.reading, Ratings | RatingsRevo)]
    volts = {getattr(result.reading, "battery_rating_voltage", 0) for result in rated}
    alike = rated[:1] if len(volts) == 1 else []
    for result in results:
        limits = Plausibility(replace(found, nominal_voltage=None))
        for each in alike:
            if each.reading is not None:
                limits.check(each.reading, 0.0)
        result.remark(limits)


def _foreign(results: list[DecodedReply]) -> OtherProtocol | None:
    """Return the error of QPI, which applies to all replies of the same device."""
    errors = (one.error for one in results if one.command == "QPI")
    return next((e for e in errors if isinstance(e, OtherProtocol)), None)


def _decode(reply: PastedReply) -> DecodedReply:
    result = DecodedReply(reply.command, DIALECTS["pi30"], id=reply.id)
    try:
        if reply.payload is None:
            raise reply.error or Truncated("nothing came")
        result.payload, result.checked = reply.payload.data, reply.payload.checked
        _interpret(result, reply.payload)
    except MppdbusError as error:
        result.error = _foreign_command(result.command) or error
    return result


def _foreign_command(command: str | None) -> OtherProtocol | None:
    """Return the error for a command of another dialect, whose checksums differ."""
    if command is not None and base_command(command) not in QUERIES:
        try:
            decode(command, b"")
        except OtherProtocol as error:
            return error
        except MppdbusError:
            pass
    return None


def _interpret(result: DecodedReply, payload: Payload) -> None:
    data = payload.data
    if data in (b"ACK", b"NAK"):
        result.acknowledged = data == b"ACK"
        return
    if result.command is None:
        result.command = _guessed(payload)
    if payload.longer is not None:
        data, remark = choose(result.command, data, payload.longer)
        result.payload = data
        result.warnings += [remark] if remark else []
    try:
        result.reading = decode(result.command, data)
    except UnknownLayout as error:
        if not result.take_partial(error):
            raise


def _guessed(payload: Payload) -> str:
    fits = guess_query(payload.data)
    if not fits and payload.longer is not None:
        fits = guess_query(payload.longer)
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise UnknownLayout(f"fits {', '.join(fits)}; put the command before it")
    shape = f"{len(payload.data.split())} fields of no known reply"
    raise UnknownLayout(f"{shape}; put the command before it: QPIGS: (…")
