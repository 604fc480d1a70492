"""A picture of an inverter as lines of text. Pure: the clock stays with the caller.

From 72 columns on, four boxes stand around the inverter with arrows that show where
the power goes; a narrower terminal gets one line for each of them.
"""

import textwrap
from collections.abc import Sequence
from itertools import chain

from mppdbus.commands.view.live_values import Picture
from mppdbus.commands.view.widgets import (
    Style,
    bar,
    bare,
    beside,
    box,
    centre,
    fit,
    paint,
    spread,
)

UNKNOWN = "--"
WIDE = 72  # columns that the boxes need
WIDEST = 100
MIDDLE = 22  # columns between the boxes: arrow, inverter, arrow
ARROW = 4
LABEL = 9  # columns of the words at the left
IDLE_W = 5.0  # W below which nothing flows; less than the rounding to amperes
FALLBACK_RATING = 5000.0  # W, while the inverter's rating is unknown


def render(picture: Picture, width: int, *, colour: bool = False) -> list[str]:
    """Return a picture as lines of at most `width` columns."""
    width = min(max(width, 20), WIDEST)
    body = _boxes(picture, width) if width >= WIDE else _list(picture, width)
    lines = [*_head(picture, width), *body, *_foot(picture, width)]
    return lines if colour else [bare(line) for line in lines]


def render_all(
    pictures: Sequence[Picture], width: int, *, colour: bool = False
) -> list[str]:
    """Return several pictures, one below the other."""
    blocks = [["", *render(one, width, colour=colour)] for one in pictures]
    return list(chain(*blocks))[1:]


# -- words -------------------------------------------------------------------------


def number(value: float | None, unit: str, digits: int = 0, *, sign: str = "") -> str:
    """Return a value with its unit; `sign` "+" shows the sign of positive ones, too."""
    if value is None:
        return f"{UNKNOWN} {unit}"
    value = round(value, digits) + 0.0  # no -0
    mark = sign if value else ""
    return f"{value:{mark}.{digits}f} {unit}"


def seconds(value: float | None) -> str:
    """Return a time as people say it: 0.4 s, 12 s, 3 min, 2 h."""
    if value is None:
        return f"{UNKNOWN} s"
    if value < 60:
        return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.0f} h"


def link_state(picture: Picture) -> str:
    """Say whether the inverter answers."""
    if picture.silent is not None:
        return f"no answer for {seconds(picture.silent)}"
    if picture.age is None:
        return "waiting"
    return f"{picture.heard} {seconds(picture.age)} ago"


def alarm_words(picture: Picture) -> str:
    """Say which alarms there are."""
    if picture.alarms is None:
        return UNKNOWN
    return ", ".join(picture.alarms) or "none"


def summary(picture: Picture) -> str:
    """Return a picture as one plain line, for files and pipes."""
    if picture.silent is not None:
        why = f" ({picture.trouble})" if picture.trouble else ""
        return f"{picture.name}: {link_state(picture)}{why}"
    powers = [t.power for t in picture.trackers]
    pv = "+".join(UNKNOWN if w is None else f"{w:.0f}" for w in powers)
    several = f" ({pv})" if len(picture.trackers) > 1 else ""
    amperes = number(picture.battery_current, "A", 1, sign="+")
    return (
        f"{picture.name}: {_mode(picture)}; pv {number(picture.pv_power, 'W')}{several}"
        f"; grid {number(picture.grid_voltage, 'V', 1)}"
        f" {number(picture.grid_power, 'W')}; load {number(picture.load_power, 'W')}"
        f"; battery {number(picture.battery_voltage, 'V', 2)} {amperes}"
        f" {number(picture.battery_power, 'W', sign='+')} {number(picture.soc, '%')}"
        f"; alarms: {alarm_words(picture)}"
    )


def _mode(picture: Picture) -> str:
    words = [word for word in (picture.mode, picture.stage) if word]
    return ", ".join(words) or UNKNOWN


def _battery_word(picture: Picture) -> str:
    power = picture.battery_power
    if power is None:
        return ""
    if abs(power) < IDLE_W:
        return "idle"
    return "charging" if power > 0 else "discharging"


def _origin(picture: Picture) -> str:
    if picture.grid_present is False:
        return "no mains"
    return picture.grid_origin or ""


# -- head and foot -----------------------------------------------------------------


def _head(picture: Picture, width: int) -> list[str]:
    who = " · ".join(x for x in (picture.model, picture.serial, picture.dialect) if x)
    state = link_state(picture)
    right = f"{paint('●', Style.GOOD)} {state}"
    if picture.silent is not None:
        right = paint(f"○ {state}", Style.BAD)
    elif picture.age is None:
        right = f"○ {state}"
    name = paint(picture.name, Style.BOLD)
    left = f"{name}  {who}" if who and who != picture.name else name
    head = [spread(left, right, width)]
    if picture.where not in ("", picture.name):
        head.append(paint(fit(picture.where, width).rstrip(), Style.DIM))
    return head


def _foot(picture: Picture, width: int) -> list[str]:
    style = Style.BAD if picture.alarms else Style.PLAIN
    lines = _labelled("Alarms", alarm_words(picture), width, style)
    if picture.trouble:
        return [*lines, *_labelled("Why", picture.trouble, width, Style.PLAIN)]
    link = []
    if picture.quality is not None:
        link.append(f"{picture.quality:.3g} % of the replies good")
    if picture.exchange_time is not None:
        link.append(f"{picture.exchange_time * 1000:.0f} ms an exchange")
    if picture.failures is not None:
        link.append(f"{picture.failures} failed")
    return [*lines, *_labelled("Link", ", ".join(link) or UNKNOWN, width, Style.PLAIN)]


def _labelled(label: str, text: str, width: int, style: Style) -> list[str]:
    """Return a label and a text, which goes on below itself where it is too long."""
    rows = textwrap.wrap(text, max(width - LABEL, 10)) or [UNKNOWN]
    return [
        fit(f"{label if n == 0 else '':<{LABEL}}{paint(row, style)}", width).rstrip()
        for n, row in enumerate(rows)
    ]


# -- four boxes around the inverter --------------------------------------------------


def _boxes(picture: Picture, width: int) -> list[str]:
    side = (width - MIDDLE) // 2
    inner = side - 4
    pv, load = _pv(picture, inner), _load(picture, inner)
    grid, battery = _grid(picture, inner), _battery(picture, inner)
    upper, lower = max(len(pv), len(load)), max(len(grid), len(battery))
    left = box("PV", pv, side, Style.SUN, upper)
    left += box("Grid", grid, side, Style.GRID, lower)
    right = box("Load", load, side, Style.LOAD, upper)
    right += box("Battery", battery, side, Style.BATTERY, lower)
    into, out = [""] * len(left), [""] * len(left)
    above, below = upper // 2 + 1, upper + 2 + lower // 2 + 1
    into[above] = _arrow(picture.pv_power, Style.SUN)
    into[below] = _arrow(picture.grid_power, Style.GRID)
    out[above] = _arrow(picture.load_power, Style.LOAD)
    out[below] = _arrow(picture.battery_power, Style.BATTERY)
    height = len(left) - 2
    inverter = _inverter(picture, height)
    middle = box("", inverter, MIDDLE - 2 * ARROW, Style.BOLD, height)
    return beside(left, into, middle, out, right)


def _arrow(power: float | None, style: Style) -> str:
    """Return an arrow: to the right for a positive power, dots for nothing."""
    if power is None:
        return paint(" ?  ", Style.DIM)
    if abs(power) < IDLE_W:
        return paint(" ·· ", Style.DIM)
    return paint(" ━▶ " if power > 0 else " ◀━ ", style)


def _inverter(picture: Picture, height: int) -> list[str]:
    width = MIDDLE - 2 * ARROW - 4
    words = [paint(word, Style.BOLD) for word in (picture.mode or UNKNOWN).split()]
    if picture.stage:
        words.append(picture.stage)
    if picture.temperature is not None:
        words += ["", number(picture.temperature, "°C")]
    above = [""] * ((height - len(words)) // 2)
    return [centre(word, width) for word in above + words][:height]


def _share(power: float | None, picture: Picture) -> float | None:
    rating = picture.rated_power or FALLBACK_RATING
    return None if power is None else abs(power) / rating


def _watts(power: float | None, sign: str = "") -> str:
    return paint(number(power, "W", sign=sign), Style.BOLD)


def _pv(picture: Picture, width: int) -> list[str]:
    meter = paint(bar(_share(picture.pv_power, picture), width), Style.SUN)
    total = _watts(picture.pv_power)
    if len(picture.trackers) < 2:
        only = picture.trackers[0].voltage if picture.trackers else None
        return [number(only, "V", 1), meter, spread("", total, width)]
    rows = []
    for place, tracker in enumerate(picture.trackers, 1):
        left = f"{place}  {number(tracker.voltage, 'V', 1)}"
        rows.append(spread(left, number(tracker.power, "W"), width))
    return [*rows, meter, spread("together", total, width)]


def _load(picture: Picture, width: int) -> list[str]:
    percent = picture.load_percent
    share = _share(picture.load_power, picture) if percent is None else percent / 100
    hertz = number(picture.output_frequency, "Hz", 1)
    details = f"{number(picture.load_apparent, 'VA')}  {number(percent, '%')}"
    return [
        spread(number(picture.output_voltage, "V", 1), hertz, width),
        paint(bar(share, width), Style.LOAD),
        spread(details, _watts(picture.load_power), width),
    ]


def _grid(picture: Picture, width: int) -> list[str]:
    hertz = number(picture.grid_frequency, "Hz", 1)
    return [
        spread(number(picture.grid_voltage, "V", 1), hertz, width),
        paint(bar(_share(picture.grid_power, picture), width), Style.GRID),
        spread(paint(_origin(picture), Style.DIM), _watts(picture.grid_power), width),
    ]


def _battery(picture: Picture, width: int) -> list[str]:
    charge = None if picture.soc is None else picture.soc / 100
    label = f"{number(picture.soc, '%'):>6} "
    amperes = number(picture.battery_current, "A", 1, sign="+")
    watts = _watts(picture.battery_power, sign="+")
    return [
        spread(number(picture.battery_voltage, "V", 2), amperes, width),
        paint(bar(_share(picture.battery_power, picture), width), Style.BATTERY),
        spread(_battery_word(picture), watts, width),
        label + paint(bar(charge, width - len(label)), Style.BATTERY),
    ]


# -- one line each, for a narrow terminal ----------------------------------------------


def _list(picture: Picture, width: int) -> list[str]:
    lines = [fit(_mode(picture), width).rstrip()]
    for title, power, sign, style in (
        ("PV", picture.pv_power, "", Style.SUN),
        ("Grid", picture.grid_power, "", Style.GRID),
        ("Load", picture.load_power, "", Style.LOAD),
        ("Battery", picture.battery_power, "+", Style.BATTERY),
    ):
        label = f"{title:<8}{number(power, 'W', sign=sign):>8} "
        room = max(width - len(label), 0)
        lines.append(label + paint(bar(_share(power, picture), room), style))
    details = (
        f"{number(picture.battery_voltage, 'V', 2)}  {number(picture.soc, '%')}"
        f"  {number(picture.grid_voltage, 'V', 1)}"
        f"  {number(picture.temperature, '°C')}"
    )
    return [*lines, fit(details, width).rstrip()]
