"""Is a USB-HID inverter to the kernel, through /dev/uhid; a simulator at TCP answers.

    python3 uhid_inverter.py PORT

In a virtual machine alone: real drivers of the kernel make /dev/hidraw0 of it.
"""

import os
import select
import socket
import struct
import sys

CREATE, INPUT, OUTPUT = 11, 12, 6  # of linux/uhid.h
USB, VENDOR, PRODUCT, REPORT = 3, 0x0665, 0x5161, 8
ITEMS = "06 00 ff 09 01 a1 01 15 00 26 ff 00 75 08 95 08 09 01 81 02 09 01 91 02 c0"


def main() -> None:
    """Carry reports of 8 bytes there and back, for ever."""
    items = bytes.fromhex(ITEMS)
    numbers = (len(items), USB, VENDOR, PRODUCT, 0, 0)
    names = (b"Cypress USB to Serial", b"", b"")
    device = os.open("/dev/uhid", os.O_RDWR)
    form = "=I128s64s64sHHIIII4096s"
    os.write(device, struct.pack(form, CREATE, *names, *numbers, items))
    line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    waiting = b""
    while True:
        ready, _, _ = select.select([device, line.fileno()], [], [])
        if device in ready:
            event = os.read(device, 8192)
            if struct.unpack_from("=I", event)[0] == OUTPUT:
                size = struct.unpack_from("=H", event, 4 + 4096)[0]
                data = event[5 : 4 + size]  # behind the report's number, 0
                end = data.find(b"\r")
                line.sendall(data if end < 0 else data[: end + 1])
        if line.fileno() in ready:
            waiting += line.recv(512)
            while b"\r" in waiting:  # a report is filled up at the end of a reply alone
                reply, _, waiting = waiting.partition(b"\r")
                reply += b"\r"
                for at in range(0, len(reply), REPORT):
                    part = reply[at : at + REPORT].ljust(REPORT, b"\0")
                    os.write(device, struct.pack("=IH", INPUT, REPORT) + part)


main()
