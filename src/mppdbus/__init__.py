"""PI30 hybrid inverters as Victron devices on Venus OS."""

__version__ = "0.1.0"
