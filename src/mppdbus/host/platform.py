"""Which kind of machine this is."""

from pathlib import Path

VENUS = Path("/opt/victronenergy")  # where Venus OS has its programs


def on_venus() -> bool:
    """Tell whether this is Venus OS; looks at the disk, which blocks for a moment."""
    return VENUS.exists()
