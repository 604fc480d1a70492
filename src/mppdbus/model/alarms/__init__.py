"""Warning bits, fault codes and mode F → what Venus OS shows as alarms; pure.

Level 0 is fine, 1 a warning, 2 an alarm, None unknown: a missing reply is never a
warning, and neither are a0 (no PV power: every night) and a22 (battery open) on a unit
without a battery.
"""
