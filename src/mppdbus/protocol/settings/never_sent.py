"""Commands that mppdbus never sends, whoever asks; pure.

They exist in documents, in the maker's own program or in firmware that users patched.
Both ends check: `Setter.command` builds none, and `mppdbus query` asks none.
"""

import re

_NEVER = re.compile(
    r"PF"  # factory settings: everything that the user has set is lost
    r"|RTEY|RTDL"  # erase the counters of energy, and the log
    r"|ATE.*"  # factory test
    r"|BTA.*"  # calibration of the battery voltage
    r"|PBMS.*|PBATCD.*"  # what a BMS says; documents contradict each other
    r"|EXTCT.*|EZCTP.*|SWON.*|SWOFF.*"
    r"|HOSTCRC.*"  # changes the framing of all that follows
    r"|\^S.*CLE.*"
    # These amps connect and disconnect the loads on patched firmware.
    r"|M[NUS]?CHGC\d{0,2}49[78].*"
    r"|PBCCHGC.*|PBDCHGC.*|QKPWR.*|PSAVE.*",  # no document, no recorded ACK
    re.IGNORECASE | re.DOTALL,
)


def never_sent(command: str) -> bool:
    """Tell whether a command is one that must never reach an inverter."""
    return _NEVER.fullmatch(command.strip()) is not None
