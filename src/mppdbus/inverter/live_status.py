"""Reads QPIGS; after a doubtful one, asks at once for what may confirm it."""

from mppdbus.inverter.device import Inverter

STATUS = "QPIGS"


async def read_status(inverter: Inverter) -> None:
    """Read QPIGS; if it is doubtful, ask for the mode, and then once more.

    Raises as `Inverter.read` does. Afterwards the reading may still be doubtful.
    """
    await inverter.read(STATUS)
    if STATUS in inverter.readings.doubted:
        await inverter.try_read("QMOD", attempts=1)
    if STATUS in inverter.readings.doubted:
        await inverter.read(STATUS)
