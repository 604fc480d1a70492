"""What Victron's own controls mean as settings of an inverter; pure.

They are the switch "Mode", the ESS page and the limit of the charge current. PI30 has
no such switch. With an output priority of SBU and a battery that only the sun charges,
an inverter takes from the mains what it must and nothing else: that is as near to
"inverter only" as it comes. It can neither be switched off, nor kept from inverting
when the mains fail, so "off" and "charger only" would be promises that it breaks.
"""

from collections.abc import Iterable, Mapping, Sequence

from mppdbus.control.journal import WrittenSetting
from mppdbus.control.settings import ShownSetting
from mppdbus.errors import NotWritten
from mppdbus.model.victron_codes import Mode

OUTPUT, CHARGER = "output_source_priority", "charger_source_priority"
SBU, UTILITY = "SBU", "Utility first"
# By the name of a charger priority: the one with which the mains do not charge.
WITHOUT_MAINS: Mapping[str, str] = {
    "Utility first": "Only solar",
    "Solar first": "Only solar",
    "Solar and utility": "Only solar",
    "Only solar": "Only solar",
    "SBL, utility charges battery": "SBL, utility does not charge",
    "SBL, utility does not charge": "SBL, utility does not charge",
    "SLB, utility charges battery": "SLB, utility does not charge",
    "SLB, utility does not charge": "SLB, utility does not charge",
}
BY_MODE = "Mode: inverter only"  # the end of `by` of what the switch has written
REFUSED_MODES: Mapping[int, str] = {
    Mode.CHARGER_ONLY: "it inverts by itself as soon as the mains fail, and no setting "
    "of PI30 keeps it from that",
    Mode.OFF: "PI30 has no command to switch it off; use its own switch",
}
OPTIMIZED, KEEP_CHARGED, EXTERNAL = 1, 2, 3  # /Settings/Ess/Mode
CURRENT = "max_charging_current"

# What a client writes that is no setting by itself: see `meant`.
MODE, ESS_MODE, CHARGE_LIMIT = "mode", "ess_mode", "charge_current_limit"
VICTRONS = (MODE, ESS_MODE, CHARGE_LIMIT)


def meant(
    name: str,
    value: float,
    settings: Sequence[ShownSetting],
    writes: Sequence[WrittenSetting],
) -> dict[str, float | str]:
    """Return the settings that one of these three stands for; raises `NotWritten`.

    Nothing is to be written if it is so already. `writes` are those of this inverter.
    """
    if name == MODE:
        return mode_wanted(int(value), settings, writes)
    if name == ESS_MODE:
        return ess_wanted(int(value), settings)
    return limit_wanted(value, settings)


def signed(by: str, name: str, value: float) -> str:
    """Return who writes, for the journal, so that "on" knows what to bring back."""
    if name == MODE and value == Mode.INVERTER_ONLY:
        return f"{by}, {BY_MODE}"
    return by


def words(settings: Iterable[ShownSetting]) -> dict[str, str]:
    """Return the names of the priorities of now, where they are proven."""
    found = {}
    for shown in settings:
        if shown.name in (OUTPUT, CHARGER) and shown.value is not None:
            word = shown.names.get(int(shown.value))
            if word is not None:
                found[shown.name] = word
    return found


def inverter_only(settings: Iterable[ShownSetting]) -> bool:
    """Tell whether the priorities amount to "inverter only"."""
    now = words(settings)
    charger = now.get(CHARGER, "")
    return now.get(OUTPUT) == SBU and WITHOUT_MAINS.get(charger) == charger


def mode_wanted(
    mode: int, settings: Sequence[ShownSetting], writes: Sequence[WrittenSetting]
) -> dict[str, float | str]:
    """Return the settings that a mode stands for, in the order of writing.

    `writes` are those of this inverter, the oldest first: "on" brings back what the
    switch has changed, as far as nobody has changed it since. Raises `NotWritten`.
    """
    now = words(settings)
    if OUTPUT not in now or CHARGER not in now:
        raise NotWritten(
            "Mode: what the priorities mean is not proven for this inverter"
        )
    if mode == Mode.INVERTER_ONLY:
        if now[CHARGER] not in WITHOUT_MAINS:
            raise NotWritten(f"Mode: no document explains “{now[CHARGER]}”")
        return {CHARGER: WITHOUT_MAINS[now[CHARGER]], OUTPUT: SBU}
    if mode != Mode.ON:
        why = REFUSED_MODES.get(mode, "PI30 has nothing like it")
        raise NotWritten(f"Mode: this inverter cannot do that: {why}")
    if not inverter_only(settings):
        return {}
    before = _before(writes)
    if not before:
        raise NotWritten(
            "Mode: the priorities were not set by this switch, so what they were "
            "before is not known; choose an output and a charger priority"
        )
    return before


def _before(writes: Sequence[WrittenSetting]) -> dict[str, float | str]:
    """Return what the switch has changed, and what it was before."""
    last = {write.setting: write for write in writes if write.done}
    before: dict[str, float | str] = {}
    for name in (OUTPUT, CHARGER):
        write = last.get(name)
        if write is not None and write.old is not None and write.by.endswith(BY_MODE):
            before[name] = write.old
    return before


def ess_mode(settings: Iterable[ShownSetting]) -> int | None:
    """Return what the ESS page shows: 2 while the mains feed the loads, else 3.

    Never 0 or 1: with those, systemcalc runs the charge schedules of the GX on us.
    """
    now = words(settings).get(OUTPUT)
    if now is None:
        return None
    return KEEP_CHARGED if now == UTILITY else EXTERNAL


def ess_wanted(mode: int, settings: Iterable[ShownSetting]) -> dict[str, float | str]:
    """Return the settings that a mode of the ESS page stands for; or `NotWritten`."""
    if mode == ess_mode(settings):
        return {}
    if mode == KEEP_CHARGED:
        return {OUTPUT: UTILITY}
    if mode == OPTIMIZED:
        return {OUTPUT: SBU}
    raise NotWritten(
        "ESS mode: choose “Optimized without BatteryLife” for SBU, or “Keep batteries "
        "charged” for utility first; an inverter of this kind has no other"
    )


def limit_wanted(
    amps: float, settings: Iterable[ShownSetting]
) -> dict[str, float | str]:
    """Return the greatest charge current that is not above a limit."""
    for shown in settings:
        if shown.name == CURRENT and shown.allowed is not None:
            lower = [value for value in shown.allowed.values if value <= amps]
            if lower:
                return {CURRENT: max(lower)}
            least = min(shown.allowed.values, default=None)
            raise NotWritten(
                f"{CURRENT}: {amps:g} A is below the least of this inverter, "
                f"{shown.text(least)}; to stop charging, choose a charger priority"
            )
    raise NotWritten(f"{CURRENT}: this inverter does not tell which values are legal")
