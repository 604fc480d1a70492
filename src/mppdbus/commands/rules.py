"""`mppdbus rules`: shows the rules of the config, and rehearses them."""

import argparse
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from mppdbus.commands.output import DONE, Output
from mppdbus.commands.progress import Progress
from mppdbus.commands.rehearsal import Rehearsed, RehearsedSwitch
from mppdbus.commands.rehearsal_days import House, RecordedTime
from mppdbus.commands.target import seconds
from mppdbus.config.models import Config, InverterConfig, load
from mppdbus.config.rules import CLOCK, RuleConfig
from mppdbus.control.write_check import ControlLevel, Permission
from mppdbus.daemon.sections import banks_of
from mppdbus.errors import ConfigError
from mppdbus.recording.journal import read

MOST_DAYS = 31
CONDITIONS = (
    ("soc_above", "charge above {:g} %"),
    ("soc_below", "charge below {:g} %"),
    ("voltage_above", "battery above {:g} V"),
    ("voltage_below", "battery below {:g} V"),
    ("pv_above", "sun above {:g} W"),
    ("pv_below", "sun below {:g} W"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("action", nargs="?", choices=("show", "rehearse"), default="show")
    add("recording", nargs="?", type=Path, help="of a day; without it, a simulated one")
    add("--config", type=Path, default=Path("config.toml"), metavar="FILE")
    add("--inverter", metavar="NAME", help="whose rules; default: the first inverter")
    add("--days", type=_days, default=3, metavar="N", help="simulated days (default 3)")
    add("--profile", default="max-8000", help="see: mppdbus simulate --list-profiles")
    soc = partial(seconds, least=0, most=100)
    add("--soc", type=soc, default=50.0, metavar="PERCENT", help="at the begin")
    add("--begin", type=_clock, metavar="HH:MM", help="of a recording")
    add("--json", action="store_true", help="one object a switch, and the sums")


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to {MOST_DAYS}")
    return int(text)


def _clock(text: str) -> datetime:
    if not CLOCK.fullmatch(text):
        raise argparse.ArgumentTypeError(f'{text!r} is no time such as "06:30"')
    return datetime.fromisoformat(f"2026-06-01T{text}")


async def run(args: argparse.Namespace) -> int:
    """Print the rules, or what they would have done; nothing is ever sent."""
    config = load(args.config)
    output = Output(as_json=args.json)
    if not config.rule:
        raise ConfigError(f"{args.config}: there is no [[rule]] in it")
    if args.action == "show":
        for rule in config.rule:
            data = rule.model_dump(exclude_none=True)
            output.record(data | {"text": sentence(rule)}, sentence(rule))
        return DONE
    unit = _unit(config, args.inverter)
    rules = [rule for rule in config.rule if rule.inverter in ("", unit.name)]
    level = ControlLevel(unit.control or config.control.level)
    allowed = Permission(level, confirmed=True)
    battery = banks_of(config)[unit.battery]
    if args.recording is not None:
        recorded = RecordedTime(read(args.recording), battery)
        _tell(output, await recorded.live(rules, args.begin, allowed), None)
        return DONE
    with Progress() as progress:
        house = House(args.profile, battery, args.soc)
        done = await house.live(rules, args.days, allowed, progress.show)
        progress.show("the same days without rules")
        house = House(args.profile, battery, args.soc)
        without = await house.live((), args.days, allowed, progress.show)
    _tell(output, done, without)
    return DONE


def _unit(config: Config, name: str | None) -> InverterConfig:
    for unit in config.inverter:
        if name in (None, unit.name):
            return unit
    names = ", ".join(unit.name for unit in config.inverter)
    raise ConfigError(f"no inverter is called {name}; there are {names}")


def sentence(rule: RuleConfig) -> str:
    """Return a rule in words."""
    parts = [f"{rule.begin} to {rule.end}"] if rule.begin else []
    parts += [
        text.format(value)
        for name, text in CONDITIONS
        if (value := getattr(rule, name)) is not None
    ]
    if rule.grid is not None:
        parts.append("mains there" if rule.grid else "no mains")
    when = ", ".join(parts) or "always"
    whose = f" of {rule.inverter}" if rule.inverter else ""
    value = rule.value if isinstance(rule.value, str) else f"{rule.value:g}"
    return f"{rule.called}: {rule.setting}{whose} → {value}: {when}"


def _tell(output: Output, done: Rehearsed, without: Rehearsed | None) -> None:
    for each in done.switches:
        output.record(_data(each), _line(each, done.begin))
    days = (done.end - done.begin) / timedelta(days=1)
    sums = {name: round(kwh, 2) for name, kwh in done.kwh.items()}
    before = {} if without is None else without.kwh
    output.line()
    for name, kwh in sums.items():
        compared = f"  without rules {before[name]:8.2f}" if name in before else ""
        output.line(f"{name:<20}{kwh:8.2f} kWh{compared}")
    before = {name: round(kwh, 2) for name, kwh in before.items()}
    output.record(
        {"days": round(days, 3), "writes": done.writes, "kwh": sums, "without": before},
        f"{done.writes} writes in {days:.1f} days; nothing was sent to any inverter",
    )


def _line(each: RehearsedSwitch, begin: datetime) -> str:
    day = (each.when.date() - begin.date()).days + 1
    change = f"{each.before or '?'} → {each.after}"
    if each.why:
        change = f"NOT {each.after}: {each.why}"
    return f"day {day}  {each.switch.setting}: {change}\n       {each.switch.why}"


def _data(each: RehearsedSwitch) -> dict[str, str]:
    return {
        "time": each.when.isoformat(),
        "rule": each.switch.rule,
        "setting": each.switch.setting,
        "before": each.before,
        "after": each.after,
        "command": each.command,
        "reason": each.switch.why,
        "refused": each.why,
    }
