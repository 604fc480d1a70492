"""Tables: bugs of real firmware, on demand, with where each was seen.

A source is a recorded frame ("f" and a number), or a repository and its issue.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mppdbus.protocol.framing import encode_reply
from mppdbus.simulator.line.faults import REPORT
from mppdbus.simulator.plant.physics import CHARGE_MODES, Plant

BOGUS_SERIAL = "55355535553555"
REFUSED = encode_reply("NAK")


@dataclass(slots=True)
class OutgoingPayload:
    """A payload that a bug may change; `memory` is the bug's own, empty at first."""

    command: str
    payload: str
    plant: Plant
    memory: dict[str, object]

    def count(self) -> int:
        """Count this occasion; the first is 1."""
        number = int(str(self.memory.get("count", 0))) + 1
        self.memory["count"] = number
        return number

    def replaced(self, words: Mapping[int, str]) -> str:
        """Return the payload with other words, by their field numbers from 1."""
        split = self.payload.split(" ")
        for number, word in words.items():
            if number <= len(split):
                split[number - 1] = word
        return " ".join(split)


@dataclass(slots=True)
class OutgoingReply:
    """A reply that a bug may change; `ask` gives the reply to any other query."""

    request: bytes
    reply: bytes
    memory: dict[str, object]
    ask: Callable[[str], bytes | None]

    def every(self, number: int) -> bool:
        """Tell whether this is every `number`th occasion."""
        count = int(str(self.memory.get("count", 0))) + 1
        self.memory["count"] = count
        return count % number == 0


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug: it changes traits of the profile, words, or bytes."""

    name: str
    about: str
    source: str
    traits: Mapping[str, object] = field(default_factory=dict)
    says: Callable[[OutgoingPayload], str] | None = None
    sends: Callable[[OutgoingReply], bytes] | None = None


def _stuck_totals(words: OutgoingPayload) -> str:
    if not words.command.startswith("QPGS"):
        return words.payload
    split = words.payload.split(" ")
    kept = words.memory.setdefault("totals", tuple(split[15:19]))
    assert isinstance(kept, tuple)  # noqa: S101 - set above, and by nobody else
    return words.replaced(dict(enumerate(kept, 16)))


def _flicker(volts: float) -> Callable[[OutgoingPayload], str]:
    """Every other frame shows `volts` while the output is off."""

    def say(words: OutgoingPayload) -> str:
        field_number = {"QPIGS": 9, "QPGS0": 12}.get(words.command)
        if field_number is None or words.plant.mode not in CHARGE_MODES:
            return words.payload
        shown = f"{volts:05.2f}" if field_number == 9 else f"{volts:04.1f}"
        if words.count() % 2:
            return words.replaced({field_number: shown})
        return words.payload

    return say


def _wrong_ratings(words: OutgoingPayload) -> str:
    if words.command != "QPIRI":
        return words.payload
    split = words.payload.split(" ")
    amps = [f"{float(split[at]) / 10:04.1f}" for at in (1, 4)]
    powers = [f"{int(split[at]) % 10000:04d}" for at in (5, 6)]
    return words.replaced({2: amps[0], 5: amps[1], 6: powers[0], 7: powers[1]})


def _volts_per_block(words: OutgoingPayload) -> str:
    if words.command != "QPIRI":
        return words.payload
    split = words.payload.split(" ")
    blocks = float(split[7]) / 12
    return words.replaced(
        {
            number: f"{float(split[number - 1]) / blocks:04.1f}"
            for number in range(9, 13)
        }
    )


def _padded(words: OutgoingPayload) -> str:
    if words.command != "Q1":
        return words.payload
    first = words.payload.split(" ", 1)[0]
    return words.replaced({1: f"{int(first):>{len(first)}d}"})


def _echo(wire: OutgoingReply) -> bytes:
    return wire.request + wire.reply


def _bare_nak(wire: OutgoingReply) -> bytes:
    return b"(NAK\r" if wire.reply == REFUSED else wire.reply


def _zero_as_one(wire: OutgoingReply) -> bytes:
    crc = wire.reply[-3:-1].replace(b"\x00", b"\x01")
    return wire.reply[:-3] + crc + wire.reply[-1:]


def _lost_report(wire: OutgoingReply) -> bytes:
    if len(wire.reply) < 4 * REPORT or not wire.every(5):
        return wire.reply
    return wire.reply[: 2 * REPORT] + wire.reply[3 * REPORT :]


def _foreign(wire: OutgoingReply) -> bytes:
    if not wire.every(3):
        return wire.reply
    other = "QMOD" if not wire.request.startswith(b"QMOD") else "QPIWS"
    return (wire.ask(other) or b"") + wire.reply


def _first_bytes_lost(wire: OutgoingReply) -> bytes:
    return b"\xff" + wire.reply if wire.every(4) else wire.reply


_ROWS = (
    Bug(
        "bogus-serial",
        f"QID becomes {BOGUS_SERIAL} after a reset to factory settings (PF)",
        "f0218; powerforum.co.za topic 18222",
        {"reset_serial": BOGUS_SERIAL},
    ),
    Bug(
        "premature-float",
        "floats after 50 s below a fifth of the charge current, whatever the voltage; "
        "with a time at C.V., that runs on below it",
        "forums.aeva.asn.au t=4332",
        {"premature_float": True},
    ),
    Bug(
        "late-priority",
        "a new output or charger priority reads back at once and acts 5 minutes later",
        "syssi/esphome-pipsolar#27",
        {"acts_after_s": 300.0},
    ),
    Bug(
        "ack-only",
        "setters are acknowledged, and nothing is written",
        "jean-luc1203/voltronic-rs232-addon, which reads back for it",
        {"forgets_writes": True},
    ),
    Bug(
        "stuck-totals",
        "the totals of QPGS (16 to 19) stay as they were when this began",
        "jblance/mpp-solar#11",
        says=_stuck_totals,
    ),
    Bug(
        "volts-6.7",
        "while the output is off, every other frame shows a battery of 6.7 V",
        "jblance/mpp-solar#184",
        says=_flicker(6.7),
    ),
    Bug(
        "volts-1.1",
        "while the output is off, every other frame shows a battery of 1.1 V",
        "jblance/mpp-solar#184",
        says=_flicker(1.1),
    ),
    Bug(
        "small-loads",
        "a load below 100 W reads 0",
        "f0272; DarkZeros/dbus-mppsolar",
        {"blind_load_w": 100.0},
    ),
    Bug(
        "blind-discharge",
        "the discharge current reads 0 below 120 W",
        "SergeyAnokhin/hacs-voltronic-solar-inverter",
        {"blind_discharge_w": 120.0},
    ),
    Bug(
        "soc-from-volts",
        "the battery's percent are guessed from its voltage",
        "f0293",
        {"soc_from_volts": True},
    ),
    Bug(
        "pv-amps-at-battery",
        "the PV current is that into the battery: times PV volts it is no power",
        "f0047; ned-kelly/docker-voltronic-homeassistant#4",
        {"pv_amps_at_battery": True},
    ),
    Bug(
        "wrong-ratings",
        "QPIRI: a tenth of the rated currents, and the last four digits of the powers",
        "f0014 f0022; syssi/esphome-pipsolar#149",
        says=_wrong_ratings,
    ),
    Bug(
        "volts-per-block",
        "QPIRI 9 to 12 are volts of a 12 V block",
        "f0360",
        says=_volts_per_block,
    ),
    Bug(
        "padded-q1",
        "Q1 begins with blanks",
        "f0095; softwarecrash/Solar2MQTT-ESP8266#148",
        says=_padded,
    ),
    Bug(
        "decimal-status",
        "QPGS 20 shows the battery as a decimal digit, so with a 2 when it is open",
        "BoboTiG/python-inverter-com",
        {"battery_digit": True},
    ),
    Bug(
        "raw-temperature",
        "the heat sink is shown in counts of the A/D converter",
        "f0015 f0134 f0146; syssi/esphome-pipsolar#36",
        {"raw_temperature": True},
    ),
    Bug(
        "silent-nak",
        "what is not supported gets silence instead of NAK",
        "a Vevor VMII, f0268-f0295",
        {"refusal": None},
    ),
    Bug("bare-nak", "NAK has no checksum", "f0157", sends=_bare_nak),
    Bug(
        "torn-nak",
        "a garbled request, like an unescaped POP02, gets (NAK, CR, s, CR",
        "f0156; syssi/esphome-pipsolar#3",
        {"to_garbage": b"(NAK\rs\r"},
    ),
    Bug(
        "echo",
        "every request comes back before its reply",
        "f0243; syssi/esphome-pipsolar#98",
        sends=_echo,
    ),
    Bug(
        "lf",
        "replies end in LF",
        "f0051; ned-kelly/docker-voltronic-homeassistant#20",
        {"ends_with": b"\n"},
    ),
    Bug(
        "crlf",
        "replies end in CR and LF",
        "ned-kelly/docker-voltronic-homeassistant#120",
        {"ends_with": b"\r\n"},
    ),
    Bug(
        "zero-sent-as-one",
        "a checksum byte 00 of a reply is sent as 01",
        "jblance/mpp-solar, which does and expects it",
        sends=_zero_as_one,
    ),
    Bug(
        "zero-heard-as-one",
        "a request whose checksum has a 00 is understood only with 01 instead",
        "jblance/mpp-solar PR 450",
        {"zero_crc": "one"},
    ),
    Bug(
        "idle-deaf",
        "the first request after a minute of quiet is lost",
        "SergeyAnokhin/hacs-voltronic-solar-inverter",
        {"idle_deaf_s": 60.0},
    ),
    Bug(
        "lost-report",
        "every fifth long reply lacks 8 bytes, a report of the USB chip",
        "f0158",
        sends=_lost_report,
    ),
    Bug(
        "foreign-replies",
        "every third reply follows one that somebody else has asked for",
        "syssi/esphome-pipsolar#231",
        sends=_foreign,
    ),
    Bug(
        "leading-ff",
        "every fourth reply begins with a lone FF",
        "f0033; syssi/esphome-pipsolar#197",
        sends=_first_bytes_lost,
    ),
)

BUGS = {bug.name: bug for bug in _ROWS}
