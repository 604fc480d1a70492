"""Tables: which values setters take, by family and voltage (documents A to H)."""

from dataclasses import replace

from mppdbus.simulator.unit.profile import OneOf, Rule, Steps
from mppdbus.simulator.unit.settings import Settings

COMMON: dict[str, Rule] = {"PGR": OneOf((0, 1)), "F": OneOf((50, 60))}
SHARING: dict[str, Rule] = {"PPVOKC": OneOf((0, 1)), "PSPB": OneOf((0, 1))}
EQUALIZING: dict[str, Rule] = {  # C to H
    "PBEQE": OneOf((0, 1)),
    "PBEQA": OneOf((0, 1)),
    "PBEQT": Steps(5, 900, 5),
    "PBEQOT": Steps(5, 900, 5),
    "PBEQP": Steps(0, 90),
}
FIRST = COMMON | SHARING  # A, B
RULES = FIRST | EQUALIZING  # C, D, E
RULES_MAX = COMMON | EQUALIZING  # F, G
CV_MINUTES: dict[str, Rule] = {"PCVT": Steps(0, 900, 5)}
CV_MINUTES_B: dict[str, Rule] = {
    "PCVT": OneOf((0, 10, 20, 40, 60, 90, 120, 150, 180, 210, 240, 255))
}
MAINS_230: dict[str, Rule] = {"V": OneOf((220, 230, 240))}
MAINS_120: dict[str, Rule] = {"V": OneOf((110, 120, 127))}
MAINS_TENTHS: dict[str, Rule] = {"POPV": OneOf((220.0, 230.0, 240.0))}
LOGIC: dict[str, Rule] = {"POPLG": OneOf((0, 1, 2))}
TYPES: dict[str, Rule] = {"PBT": OneOf((0, 1, 2))}
TYPES_BMS: dict[str, Rule] = {"PBT": Steps(0, 9)}
BATTERY_CONTROL: dict[str, Rule] = {"PBATCD": OneOf((111, 11, 101, 110, 10, 100, 0))}

VOLTS_24_FIRST: dict[str, Rule] = {  # A, B, C
    "PBCV": Steps(22, 25.5, 0.5),
    "PBDV": Steps(24, 29, 0.5, also=(0,)),
    "PSDV": Steps(21, 24, 0.1),
    "PCVV": Steps(24, 31.5, 0.1),
    "PBFT": Steps(24, 31.5, 0.1),
}
VOLTS_24_VM3: dict[str, Rule] = VOLTS_24_FIRST | {  # E
    "PCVV": Steps(25, 31.5, 0.1),
    "PBFT": Steps(25, 31.5, 0.1),
    "PBEQV": Steps(25, 31.5, 0.01),
}
VOLTS_24_WIDE: dict[str, Rule] = {  # E, King; the MAX documents print none
    "PBCV": Steps(22, 28.5, 0.5),
    "PBDV": Steps(24, 33, 0.5, also=(0,)),
    "PSDV": Steps(20, 27, 0.1),
    "PCVV": Steps(24, 32, 0.1),
    "PBFT": Steps(24, 32, 0.1),
    "PBEQV": Steps(24, 32, 0.01),
}
VOLTS_48_FIRST: dict[str, Rule] = {  # A, B, H
    "PBCV": Steps(44, 51),
    "PBDV": Steps(48, 58, also=(0,)),
    "PSDV": Steps(40, 48, 0.1),
    "PCVV": Steps(48, 58.4, 0.1),
    "PBFT": Steps(48, 58.4, 0.1),
}
VOLTS_48_VM3: dict[str, Rule] = {  # D, E, VM III
    "PBCV": Steps(44, 51),
    "PBDV": Steps(48, 58, also=(0,)),
    "PSDV": Steps(42, 48, 0.1),
    "PCVV": Steps(48, 61, 0.1),
    "PBFT": Steps(48, 61, 0.1),
    "PBEQV": Steps(48, 61, 0.01),
}
VOLTS_48_WIDE: dict[str, Rule] = {  # E, King and MKS II; the MAX documents print none
    "PBCV": Steps(44, 57),
    "PBDV": Steps(48, 64, also=(0,)),
    "PSDV": Steps(40, 54, 0.1),
    "PCVV": Steps(48, 64, 0.1),
    "PBFT": Steps(48, 64, 0.1),
    "PBEQV": Steps(48, 64, 0.01),
}

AMPS_10_80 = tuple(range(10, 81, 10))
AMPS_10_120 = tuple(range(10, 121, 10))
AMPS_10_150 = tuple(range(10, 151, 10))
AC_AMPS_60 = (2, *range(10, 61, 10))
AC_AMPS_120 = (2, *range(10, 121, 10))

# QDI's defaults of a 24 V unit; those of a 48 V unit are in `Settings`.
SETTINGS_24 = Settings(
    recharge_v=23.0,
    redischarge_v=27.0,
    cutoff_v=21.0,
    bulk_v=28.2,
    float_v=27.0,
    equalize_v=29.2,
    relay_off_v=21.0,
)
SETTINGS_24_120V = replace(SETTINGS_24, output_v=120.0, output_hz=60.0)
SETTINGS_120V = Settings(output_v=120.0, output_hz=60.0)
