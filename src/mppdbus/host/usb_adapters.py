"""Tables: which USB devices may lead to an inverter, and which never do.

A port that is probed gets a few bytes at 2400 baud. So only plain serial adapters and
Voltronic's own USB port are probed; what is known to be something else, or is not
known at all, is left alone until its owner names it.
"""

import re
from enum import StrEnum

VOLTRONIC_HID = "0665:5161"


class PortVerdict(StrEnum):
    """Whether the search for inverters probes a port, and why not."""

    PLAUSIBLE = "plausible"  # probed
    HELD = "held"  # another program has it: not probed
    FOREIGN = "foreign"  # known to be something else: not probed
    UNNAMED = "unnamed"  # could be anything: only if the user names it


# Chips of plain serial adapters → their USB ids.
_CHIPS = {
    "CH340": "1a86:7523 1a86:7522",
    "CH341": "1a86:5523 4348:5523",
    "CH343": "1a86:55d3",
    "CH9102": "1a86:55d4",
    "PL2303": "067b:2303 067b:2304 067b:23a3 067b:23b3 067b:23c3 067b:23d3 067b:23e3 "
    "067b:23f3 0557:2008",
    "FTDI FT232": "0403:6001",
    "FTDI FT2232": "0403:6010",
    "FTDI FT4232": "0403:6011",
    "FTDI FT232H": "0403:6014",
    "FTDI FT230X": "0403:6015",
    "CP210x": "10c4:ea60 10c4:ea61",
    "CP2105": "10c4:ea70",
    "CP2108": "10c4:ea71",
    "Cypress CY7C652": "04b4:0002 04b4:0003",
    "Cypress M8": "04b4:5500",
    "XR21V1410": "04e2:1410",
    "XR21B1411": "04e2:1411",
    "XR21V1412": "04e2:1412",
    "XR21V1414": "04e2:1414",
    "MCP2221": "04d8:00dd",
    "Microchip CDC": "04d8:000a",
    "Moxa UPort 1110": "110a:1110",
    "Moxa UPort 1150": "110a:1150",
    "MosChip MCS7840": "9710:7840",
}
GENERIC_ADAPTERS = {one: chip for chip, ids in _CHIPS.items() for one in ids.split()}

# Vendors, or single products, that make no plain serial adapters.
FOREIGN_DEVICES = {
    "1546": "u-blox GPS receiver",
    "091e": "Garmin GPS receiver",
    "12d1": "Huawei modem",
    "19d2": "ZTE modem",
    "2c7c": "Quectel modem",
    "1e0e": "SIMCom modem",
    "1199": "Sierra Wireless modem",
    "1bc7": "Telit modem",
    "1cf1": "dresden elektronik Zigbee stick",
    "0451:16a8": "Texas Instruments Zigbee stick",
    "0451:bef3": "Texas Instruments debug probe",
    "0658:0200": "Z-Wave stick",
    "1366": "SEGGER debug probe",
    "2341": "Arduino",
    "2a03": "Arduino",
}

# The manufacturer and product strings of a device outweigh its chip.
FOREIGN_WORDS = (
    (r"victron|\bve[. _]direct|\bmk[23]\b", "Victron device"),
    (
        r"zigbee|z-?wave|conbee|sonoff|skyconnect|nabu casa|hubz",
        "home automation stick",
    ),
    (r"\bgps\b|gnss|u-?blox|garmin", "GPS receiver"),
    (r"modem|\blte\b|\b[345]g\b|quectel|huawei|sierra wireless", "modem"),
    (r"bms", "battery management system"),
    (r"bluetooth|enocean|\bknx\b|arduino", "other device"),
)

# Venus OS sets the udev property VE_SERVICE. A port with one of these values is not
# reserved for another driver.
_UNASSIGNED = {"", "ignore", "default", "rs485", "mppdbus"}


def judge_serial(
    usb_id: str | None, product: str, service: str
) -> tuple[PortVerdict, str]:
    """Return the verdict on a serial port and its reason, in plain words.

    `usb_id` is None for an on-board port, `product` what the device calls itself,
    `service` the udev property VE_SERVICE (a list divided by colons).
    """
    if usb_id is None:
        return PortVerdict.UNNAMED, "on-board port: tried only if you name it"
    shown = f" ({product})" if product else ""
    for pattern, what in FOREIGN_WORDS:
        if re.search(pattern, product.lower()):
            return PortVerdict.FOREIGN, f"{what}{shown}"
    vendor = usb_id.partition(":")[0]
    if what := FOREIGN_DEVICES.get(usb_id) or FOREIGN_DEVICES.get(vendor, ""):
        return PortVerdict.FOREIGN, f"{what}{shown}"
    if _UNASSIGNED.isdisjoint(service.split(":")):
        return PortVerdict.FOREIGN, f"Venus OS gives this port to {service}"
    if chip := GENERIC_ADAPTERS.get(usb_id):
        return PortVerdict.PLAUSIBLE, f"{chip} serial adapter: may lead to an inverter"
    reason = f"unknown USB device {usb_id}{shown}: tried only if you name it"
    return PortVerdict.UNNAMED, reason


def judge_hid(usb_id: str, product: str) -> tuple[PortVerdict, str]:
    """Return the verdict on a HID device and its reason, in plain words."""
    if usb_id == VOLTRONIC_HID:
        reason = "USB port of a Voltronic inverter (some UPS have the same)"
        return PortVerdict.PLAUSIBLE, reason
    return PortVerdict.FOREIGN, f"HID device {usb_id} ({product or 'no name'})"
