"""Rehearses rules: days of a simulated household, and the time of a recording."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mppdbus.commands.rehearsal import (
    BEGIN,
    LIVE,
    Rehearsal,
    Rehearsed,
    RehearsedSwitch,
)
from mppdbus.config.rules import RuleConfig
from mppdbus.control.rules import Rulebook, RuleSwitch, situation
from mppdbus.control.write_check import Permission
from mppdbus.errors import ConfigError
from mppdbus.model.battery.bank import BankSettings
from mppdbus.protocol.replies.other import Clock
from mppdbus.recording.journal import Entry
from mppdbus.simulator.line.simulator import simulate
from mppdbus.simulator.plant.physics import Plant

# A household: hour of the day, load as a share of what the inverter can carry.
LOADS = {0: 0.04, 6: 0.1, 7: 0.25, 9: 0.08, 12: 0.3, 14: 0.1, 18: 0.4, 21: 0.15}
# Days that repeat: the sun at noon as a share of the same, and hours without mains.
DAYS = ((0.6, range(0)), (0.15, range(0)), (0.4, range(19, 21)))
STEP = 60.0  # s from one look at a simulated inverter to the next
SETTINGS_EVERY = 10  # looks from one QPIRI to the next
SETTLED = 4  # looks until charge and mode are known and the rules may act
Tell = Callable[[str], None]


class House:
    """A simulated inverter in a household; rules that it is given are obeyed."""

    def __init__(self, profile: str, battery: BankSettings, soc: float) -> None:
        simulator = simulate(profile, scene=f"battery auto; soc {soc:g}")
        self._plant = simulator.scene.physics
        self._plant.clock = BEGIN
        self._send = simulator.source.reply
        self._rehearsal = Rehearsal(self._send, battery, soc)

    async def live(
        self, rules: Sequence[RuleConfig], days: int, allowed: Permission, tell: Tell
    ) -> Rehearsed:
        """Live for some days and return what happened."""
        rehearsal, plant, book = self._rehearsal, self._plant, Rulebook(rules)
        done = Rehearsed(BEGIN, BEGIN + timedelta(days=days))
        await rehearsal.meet()
        for number in range(int(days * 86400 / STEP)):
            rehearsal.seconds = number * STEP
            when = BEGIN + timedelta(seconds=rehearsal.seconds)
            if when.minute == 0 and when.second == 0:
                tell(f"day {number * STEP // 86400 + 1:.0f} of {days}, {when:%H:%M}")
                _weather(plant, when)
            queries = (*LIVE, "QPIRI") if number % SETTINGS_EVERY == 0 else LIVE
            view = await rehearsal.look(queries, when)
            if number >= SETTLED:
                for switch in book.decide(situation(view, when, rehearsal.seconds)):
                    done.add(await self._obey(switch, when, allowed))
            plant.step(STEP)
        done.kwh = _kwh(plant)
        return done

    async def _obey(
        self, switch: RuleSwitch, when: datetime, allowed: Permission
    ) -> RehearsedSwitch:
        planned = self._rehearsal.plan(switch, when, allowed)
        if not planned.command:
            return planned
        reply = self._send(planned.command) or b""
        await self._rehearsal.read_settings()
        if reply.startswith(b"(ACK"):
            return planned
        return replace(planned, command="", why="the inverter answers NAK")


def _weather(plant: Plant, when: datetime) -> None:
    """Set load, sun and mains for an hour."""
    share, outage = DAYS[(when - BEGIN).days % len(DAYS)]
    trackers = len(plant.sun.watts)
    plant.load.watts = plant.rated_w * LOADS[max(h for h in LOADS if h <= when.hour)]
    plant.sun.watts = [share * plant.rated_w / trackers] * trackers
    plant.sun.curve = True
    plant.grid.on = when.hour not in outage
    plant.settle()


def _kwh(plant: Plant) -> dict[str, float]:
    sums = plant.energy
    return {
        "load": sums.load_wh / 1000,
        "sun": sums.pv_wh / 1000,
        "mains": sums.grid_wh / 1000,
        "into the battery": sums.battery_in_wh / 1000,
        "out of the battery": sums.battery_out_wh / 1000,
    }


class RecordedTime:
    """The time of a recording: its replies, one after the other."""

    def __init__(self, entries: Sequence[Entry], battery: BankSettings) -> None:
        self._entries = [entry for entry in entries if entry.t_ms is not None]
        if not self._entries:
            raise ConfigError(
                "this recording does not tell when its replies came; take one that "
                '"mppdbus record" has made'
            )
        self._replies = {e.command: e.response for e in reversed(self._entries)}
        self._rehearsal = Rehearsal(self._replies.get, battery, None)

    async def live(
        self, rules: Sequence[RuleConfig], begin: datetime | None, allowed: Permission
    ) -> Rehearsed:
        """Look at each QPIGS; return what the rules would have done.

        `begin` is the local time of the first reply; None takes that of the inverter's
        own clock (QT), if it was asked.
        """
        rehearsal, book = self._rehearsal, Rulebook(rules)
        await rehearsal.meet()
        begin = begin or self._clock()
        done = Rehearsed(begin, begin)
        for seconds in self._looks():
            rehearsal.seconds = seconds
            done.end = begin + timedelta(seconds=seconds)
            view = await rehearsal.look(LIVE, done.end)
            for switch in book.decide(situation(view, done.end, seconds)):
                done.add(rehearsal.plan(switch, done.end, allowed))
        done.kwh = rehearsal.kwh
        return done

    def _looks(self) -> Iterator[float]:
        """Yield the s of each QPIGS once the replies to it and before it are there."""
        for entry in self._entries:
            self._replies[entry.command] = entry.response
            if entry.command == "QPIGS":
                yield (entry.t_ms or 0) / 1000

    def _clock(self) -> datetime:
        reading = self._rehearsal.interview.answers.readings.get("QT")
        if isinstance(reading, Clock) and reading.time is not None:
            return reading.time
        raise ConfigError(
            "this recording does not tell the time of day: say when it began, such as "
            "--begin 06:30"
        )
