"""What was found out about one inverter, its machine and its bus; frozen.

None, "" and () mean that it is not known, or that nothing was found. What is not
known never speaks for a cause.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class PortTrouble(StrEnum):
    """Why a port cannot be used."""

    NONE = ""  # it can be used, or was not tried
    MISSING = "missing"
    FORBIDDEN = "forbidden"  # no permission
    HELD = "held"  # another program has it open or locked
    FOREIGN = "foreign"  # known to belong to another device
    NO_PORT = "no port"  # a directory, a file, /dev/null
    REFUSED = "refused"  # TCP: nothing listens there
    UNKNOWN_HOST = "unknown host"
    UNREACHABLE = "unreachable"  # TCP: no answer from the host
    LOST = "lost"  # it was open and went away


class Heard(StrEnum):
    """What came back when PI30 was spoken at a port."""

    UNKNOWN = ""  # nobody has asked
    NOTHING = "nothing"
    ECHO = "echo"  # only what was sent
    NOISE = "noise"  # bytes, but no reply
    DAMAGED = "damaged"  # replies with a wrong checksum
    OTHER = "other protocol"
    REFUSED = "refused"  # NAK to everything
    PI30 = "PI30"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFacts:
    """The port of the inverter; `label` is its name for people."""

    label: str = ""
    scheme: str = "serial"
    trouble: PortTrouble = PortTrouble.NONE
    said: str = ""  # the message of the error
    advice: str = ""  # a command that lets its user open it
    holders: tuple[str, ...] = ()  # other programs, "pid 7 (gpsd /dev/ttyUSB0)"
    ours: bool = False  # the daemon has it
    owner: str = ""  # a device or program that it belongs to, in words
    others: tuple[str, ...] = ()  # ports present that may lead to an inverter
    tty: str = ""  # the kernel's name, "ttyUSB0"
    served: bool = False  # serial-starter offers the port to other programs
    remembered: str = ""  # the program that serial-starter gave it to the last time


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """What the inverter answers. Shares are % of the attempts."""

    heard: Heard = Heard.UNKNOWN
    said: str = ""  # the message of the error, or the name of the other protocol
    other: str = ""  # the other protocol
    baud: int = 2400  # as configured
    baud_found: int | None = None  # where it answers instead
    attempts: int = 0
    damaged: float | None = None  # % with a wrong checksum or half a reply
    missing: float | None = None  # % without any reply
    worse: bool | None = None  # the second half of the attempts was worse
    quality: float | None = None  # % good replies in the last hour; of the daemon
    day_quality: float | None = None  # the same of the last day
    strays: int = 0  # frames that nobody had asked for
    mute: str = ""  # why there are no live values, though it answers
    offline: bool = False  # the daemon gets no reply at present
    model: str = ""
    serial: str | None = None
    bogus_serial: str = ""  # a number that many units give
    wanted_serial: str = ""  # of the config
    dialect: str = ""  # that is used
    proven_dialect: str = ""  # that the replies prove, with great confidence
    confidence: float | None = None  # 0 to 1
    strange: tuple[str, ...] = ()  # queries with a layout that is not known
    zeros: bool = False  # all live values are 0
    trackers: int | None = None
    rated_power: float | None = None  # W
    fault: str = ""  # what stopped the inverter
    battery: str = ""  # what does not fit at the battery


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The machine: files, programs, disk and clock."""

    venus: bool = False
    config: str = ""  # the file that is used
    config_missing: bool = False
    config_errors: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()  # serial adapters on USB that got no port
    brltty: bool = False  # it takes such adapters away
    no_ports: bool = False  # there is no port that may lead to an inverter
    drivers: tuple[str, ...] = ()  # other drivers of inverters that run
    installed: tuple[str, ...] = ()  # other drivers' folders
    daemons: tuple[int, ...] = ()  # processes of `mppdbus run`
    switched_off: str = ""  # the file or link that keeps our service down
    unit: str = ""  # how the service is started; "" if it is not installed
    hook_disabled: str = ""  # start scripts that were renamed by the GUI
    hook_missing: bool = False  # installed, but nothing starts it at the next boot
    free_mb: float | None = None
    disk: str = ""  # where that is measured
    unwritable: str = ""  # a folder of the state that cannot be written
    year: int | None = None
    load: float | None = None  # of the last 5 minutes
    used_up: tuple[str, ...] = ()  # settings that may not be written again today


@dataclass(frozen=True, slots=True, kw_only=True)
class BusFacts:
    """The D-Bus, and what is on it."""

    address: str = ""
    trouble: str = ""  # why there is no connection
    denied: str = ""  # why we get no name
    taken: str = ""  # who has our name
    ours: tuple[str, ...] | None = None  # services of mppdbus; None: not looked
    others: tuple[str, ...] = ()  # services of other drivers of inverters
    doctor: str = ""  # the daemon's own sentence
    unanswered: tuple[str, ...] = ()  # services that do not answer


@dataclass(frozen=True, slots=True, kw_only=True)
class VenusFacts:
    """What Victron's programs make of our services; None is unknown."""

    settings: bool | None = None  # localsettings is on the bus
    systemcalc: bool | None = None
    unlisted: tuple[str, ...] = ()  # services of ours that systemcalc does not list
    disconnected: tuple[str, ...] = ()  # /Connected is not 1
    nameless: tuple[str, ...] = ()  # without /ProductName or /Mgmt/Connection
    no_acsystem: bool = False  # units of the profile hybrid without it
    clashes: tuple[str, ...] = ()  # two services of a type with one instance
    profile_inverter: tuple[str, ...] = ()  # services without an AC input
    battery_choice: str = ""  # a battery service that the user has chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known of one inverter."""

    port: PortFacts = field(default_factory=PortFacts)
    line: LineFacts = field(default_factory=LineFacts)
    host: HostFacts = field(default_factory=HostFacts)
    bus: BusFacts = field(default_factory=BusFacts)
    venus: VenusFacts = field(default_factory=VenusFacts)
