"""Which serial numbers are unique to one inverter; pure."""

MIN_SERIAL = 6  # characters
PLACEHOLDERS = ("0123456789012345", "1234567890123456", "ABCDEFGHIJKLMNOP")


def bogus_serial(serial: str | None) -> bool:
    """Tell whether a serial is missing, or shared by many units: 55355535553555 …

    A real one has a factory, a date and a count, in more than two different digits.
    """
    if serial is None:
        return True
    text = serial.strip().upper()
    if len(text) < MIN_SERIAL or len(set(text)) <= 2:
        return True
    return any(filler.startswith(text) for filler in PLACEHOLDERS)
