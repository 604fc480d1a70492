"""Operating points: a table of set-ups, and of what is turned in each.

Nothing is said here of what must come out: that is the simulator's own truth.
"""

from __future__ import annotations

from dataclasses import dataclass

GRID, GENERATOR, NO_INPUT = 1, 2, 240

# From here every point begins: on mains, in the dark, a battery at 60 % in bulk.
CALM = (
    "pause; fault off; fault 0; mode auto; output on; battery auto; grid on; pv 0; "
    "load 500; panel POP00; panel PCP02; soc 60; step 30"
)
OFF_GRID = f"{CALM}; grid off"
FULL_LINE, DEFAULT = '"fast"', "2.0"  # polls; the second in s


@dataclass(frozen=True, slots=True)
class Setup:
    """What is simulated, and how the daemon reaches it.

    `words` are arguments of `mppdbus simulate`; `cables` holds the further lines of one
    `[[inverter]]` each; `input_type` is what systemcalc must call the AC input.
    """

    words: tuple[str, ...]
    cables: tuple[str, ...] = ("",)
    calm: str = CALM
    input_type: int = GRID
    poll: str = FULL_LINE
    learned: bool = False  # the daemon has known the losses since an earlier day
    told: int = 0  # units without a cable, of which the first one tells by QPGSn


@dataclass(frozen=True, slots=True)
class Point:
    """One operating point: control lines of the simulator, parted by ";".

    `lost` says that the daemon cannot reach the unit: then nothing may be shown.
    """

    setup: str
    name: str
    turn: str = ""
    lost: bool = False


BOTH_ON = "unit 1 on; unit 2 on"
ALL_ON = f"{BOTH_ON}; unit 3 on"
SETUPS = {
    "one unit": Setup(("--profile", "axpert-5000")),
    "with losses": Setup(
        ("--profile", "axpert-5000"), calm=f"losses 0.95 40; {CALM}", learned=True
    ),
    "24 V": Setup(("--profile", "ms-3000-17")),  # 17 words: no PV power, no flags
    "two trackers": Setup(("--profile", "max-8000")),
    "generator": Setup(
        ("--profile", "axpert-5000"), ('ac_input = "generator"',), input_type=GENERATOR
    ),
    "inverter": Setup(
        ("--profile", "axpert-5000"),
        ('profile = "inverter"',),
        calm=OFF_GRID,
        input_type=NO_INPUT,
    ),
    "two in parallel": Setup(
        ("--profile", "max-7200", "--set", "2"), ("", ""), calm=f"{BOTH_ON}; {CALM}"
    ),
    "three phases": Setup(
        ("--profile", "mks2-5000", "--set", "L1,L2,L3"),
        ("phase = 1", "phase = 2", "phase = 3"),
        calm=f"{ALL_ON}; {CALM}",
    ),
    "three phases, one cable": Setup(
        ("--profile", "king-5000", "--set", "L1,L2,L3"),
        calm=f"{ALL_ON}; {CALM}",
        told=2,
    ),
    "two in parallel, one cable": Setup(  # its QPGS tells tenths of A of the sun
        ("--profile", "phocos-5000", "--set", "2"), calm=f"{BOTH_ON}; {CALM}", told=1
    ),
    "link lost": Setup(("--profile", "axpert-5000"), poll=DEFAULT),
}

_ONE_UNIT = (
    ("mains, bulk", ""),
    ("mains, bulk, heavy load", "load 4200"),
    ("mains and sun charge", "pv 1200; load 300"),
    ("only the sun charges", "panel PCP03; pv 1500; load 640"),
    ("only the sun may charge, at night", "panel PCP03"),
    ("mains, absorption", "soc 99; step 300"),
    ("battery first, sun helps", "panel POP02; soc 99; step 300; pv 700; load 1500"),
    ("mains, float", "soc 99.9; step 7200"),
    ("mains, float, sun feeds the load", "soc 99.9; step 7200; pv 800"),
    ("solar first, sun to spare", "panel POP01; pv 3000; load 800"),
    ("solar first, weak sun", "panel POP01; panel PCP03; pv 310; load 800"),
    ("battery first, night", "panel POP02; soc 99; step 300; soc 72; load 930"),
    ("battery first, low: mains", "panel POP02; soc 4; step 600; load 930"),
    ("blackout, night", "grid off; load 365"),
    ("blackout, sun charges", "grid off; pv 2500; load 350"),
    ("blackout, full, sun held back", "grid off; soc 100; pv 2500; step 7200"),
    ("blackout, sun meets the load", "grid off; pv 1000; load 1000"),
    ("blackout, no load", "grid off; load 0"),
    ("blackout, 25 W", "grid off; load 25"),
    ("blackout, 60 W", "grid off; load 60"),
    ("blackout, overload", "grid off; load 6000"),
    ("mains, overload", "load 6000"),
    ("mains too high", "grid on 300"),
    ("mains too low", "grid on 80; pv 420"),
    ("mains of 38 Hz", "grid on 230 38"),
    ("battery empty in a blackout", "grid off; load 3000; soc 1; step 600"),
    ("empty, the sun charges", "grid off; load 3000; soc 1; step 600; pv 900"),
    ("output off, mains charge", "output off"),
    ("output off, blackout", "output off; grid off"),
    ("power saving, 15 W", "mode H; grid off; load 15"),
    ("bypass", "mode Y; load 900"),
    ("fault", "fault 08"),
    ("ECO", "mode E; panel PCP03; load 700"),
    ("shut down", "mode D"),
    ("no battery", "battery 0 0; pv 300"),
)
_LOSSES = (
    ("mains, bulk", ""),
    ("mains, heavy load", "panel PCP03; load 4200"),
    ("mains, small load", "panel PCP03; load 120"),
    ("mains and sun charge", "pv 1200; load 300"),
    ("mains, absorption", "soc 99; step 240"),
    ("mains, float, weak sun", "soc 99.9; step 7200; pv 250"),
    ("solar first, weak sun", "panel POP01; panel PCP03; pv 310; load 800"),
    ("output off, mains charge", "output off"),
    ("blackout, night", "grid off; load 930"),
    ("blackout, sun charges", "grid off; pv 2500; load 350"),
)
_24_VOLTS = (
    ("mains and sun charge", "pv 360; load 200"),
    ("blackout, sun charges", "grid off; pv 700; load 150"),
    ("blackout, night", "grid off; load 480"),
)
_TWO_TRACKERS = (
    ("mains, both charge", "pv 900 650; load 400"),
    ("blackout, both charge", "grid off; pv 1800 1100; load 700"),
    ("one in the shade", "grid off; pv 0 840; load 300"),
    ("solar first, 6 kW of load", "panel POP01; pv 3000 2500; load 6000"),
    ("full, both held back", "grid off; soc 100; load 1300; pv 3000 3000; step 7200"),
)
_GENERATOR = (
    ("it charges", "load 1100"),
    ("it charges, and the sun", "pv 800; load 700"),
    ("it rests", "grid off; load 420"),
)
_INVERTER = (
    ("night", "load 500"),
    ("sun charges", "pv 2000; load 450"),
    ("sun helps", "pv 400; load 1500"),
)
_PARALLEL = (
    ("mains, bulk", "load 1600"),
    ("mains and sun charge", "pv 900; load 1600"),
    ("blackout, night", "grid off; load 2000"),
    ("blackout, sun charges", "grid off; pv 1800; load 1000"),
    ("one of them is off", "unit 2 off; load 1200"),
)
_THREE_PHASES = (
    ("mains, bulk", "load 3000"),
    ("one phase more than the others", "unit 1 load 2000; unit 2 load 900"),
    ("blackout, sun charges", "grid off; pv 2000; load 1800"),
    ("blackout, night", "grid off; unit 1 load 700; unit 2 load 1300"),
)


def _points(setup: str, rows: tuple[tuple[str, str], ...]) -> tuple[Point, ...]:
    return tuple(Point(setup, name, turn) for name, turn in rows)


POINTS = (
    *_points("one unit", _ONE_UNIT),
    *_points("with losses", _LOSSES),
    *_points("24 V", _24_VOLTS),
    *_points("two trackers", _TWO_TRACKERS),
    *_points("generator", _GENERATOR),
    *_points("inverter", _INVERTER),
    *_points("two in parallel", _PARALLEL),
    *_points("two in parallel, one cable", _PARALLEL),
    *_points("three phases", _THREE_PHASES),
    *_points("three phases, one cable", _THREE_PHASES),
    Point("link lost", "before", "pv 800"),
    Point("link lost", "silence", "pv 800; fault silence forever", lost=True),
    Point("link lost", "it answers again", "pv 800"),
    Point("link lost", "unplugged", "pv 800; fault disconnect 8s", lost=True),
)
