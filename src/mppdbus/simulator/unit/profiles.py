"""The inverters that can be simulated; a new one is a row in one of the tables."""

from mppdbus.simulator.unit.profiles_axpert import AXPERT_5000, AXPERTS
from mppdbus.simulator.unit.profiles_max import MAXES
from mppdbus.simulator.unit.profiles_other import OTHERS

PROFILES = {profile.name: profile for profile in (*AXPERTS, *MAXES, *OTHERS)}
DEFAULT_PROFILE = AXPERT_5000.name
