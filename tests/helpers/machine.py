"""A machine in a folder: /sys, /dev, /run and /proc, laid out as the kernel does."""

import os
from pathlib import Path


class FakeMachine:
    """Devices and processes below `root`; nothing of it can be opened as a port."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._hubs = self.root / "sys/devices/platform/soc/usb1"
        self._minor = 0

    def usb_serial(
        self,
        tty: str,
        usb_id: str,
        maker: str = "",
        product: str = "",
        *,
        serial: str = "",
        usb_port: str = "1-1",
        driver: str = "ch341",
    ) -> None:
        """Plug in an adapter that becomes a ttyUSB."""
        usb = self._usb_device(usb_port, usb_id, maker, product, serial)
        port = usb / f"{usb_port}:1.0" / tty
        self._link(port / "driver", f"sys/bus/usb-serial/drivers/{driver}-uart")
        self._class_device("tty", port / "tty" / tty, port)
        maker, product = maker or usb_id[:4], product or usb_id[5:]
        name = f"usb-{maker}_{product}{'_' if serial else ''}{serial}-if00-port0"
        self._node_link("by-id", name.replace(" ", "_"), tty)
        self._node_link("by-path", f"platform-usb-0:{usb_port[2:]}:1.0-port0", tty)

    def usb_modem(self, tty: str, usb_id: str, product: str = "") -> None:
        """Plug in a device that becomes a ttyACM."""
        usb = self._usb_device("1-2", usb_id, "", product, "")
        interface = usb / "1-2:1.0"
        self._link(interface / "driver", "sys/bus/usb/drivers/cdc_acm")
        self._class_device("tty", interface / "tty" / tty, interface)

    def hid(self, node: str, hid_id: str, name: str, usb_port: str = "1-3") -> None:
        """Plug in a HID device; `hid_id` as the kernel writes it."""
        usb = self._usb_device(usb_port, "0665:5161", "", name, "")
        device = usb / f"{usb_port}:1.0" / f"{hid_id}.0001"
        self._class_device("hidraw", device / "hidraw" / node, device)
        self._write(
            device / "uevent",
            f"DRIVER=hid-generic\nHID_ID={hid_id}\nHID_NAME={name}\nHID_UNIQ=\n",
        )

    def onboard(self, tty: str, uart_type: str = "4") -> None:
        """Solder on a serial port; type 0 is a socket without a chip."""
        device = self.root / f"sys/devices/platform/serial8250/{tty}"
        self._class_device("tty", device / "tty" / tty, device)
        self._write(device / "tty" / tty / "type", uart_type)

    def console(self, tty: str) -> None:
        """Add a virtual console, which has no device."""
        folder = self.root / "sys/devices/virtual/tty" / tty
        folder.mkdir(parents=True)
        self._link(self.root / "sys/class/tty" / tty, folder)

    def udev(self, tty: str, **properties: str) -> None:
        """Let udev know properties of a tty."""
        number = (self.root / "sys/class/tty" / tty / "dev").read_text().strip()
        lines = "".join(f"E:{name}={value}\n" for name, value in properties.items())
        self._write(self.root / "run/udev/data" / f"c{number}", f"S:x\n{lines}G:x\n")

    def process(self, pid: int, *command: str, opens: str = "") -> None:
        """Run a program that has the device `opens` open."""
        folder = self.root / f"proc/{pid}"
        self._write(folder / "cmdline", "".join(f"{word}\0" for word in command))
        self._write(folder / "comm", "kworker")
        (folder / "fd").mkdir()
        (folder / "fd/0").symlink_to("/dev/null")
        if opens:
            (folder / "fd/7").symlink_to(opens)

    def lock_of_serial_starter(self, tty: str, pid: int) -> None:
        """Lock a tty as Venus OS does."""
        folder = self.root / "var/lock/serial-starter"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / tty).symlink_to(str(pid))

    def lock_file(self, tty: str, text: str) -> None:
        """Lock a tty as UUCP did."""
        self._write(self.root / f"run/lock/LCK..{tty}", text)

    def _usb_device(
        self, usb_port: str, usb_id: str, maker: str, product: str, serial: str
    ) -> Path:
        folder = self._hubs / usb_port
        vendor, _, number = usb_id.partition(":")
        self._write(folder / "idVendor", f"{vendor}\n")
        self._write(folder / "idProduct", f"{number}\n")
        texts = {"manufacturer": maker, "product": product, "serial": serial}
        for name, text in texts.items():
            if text:
                self._write(folder / name, f"{text}\n")
        return folder

    def _class_device(self, kind: str, folder: Path, device: Path) -> None:
        self._minor += 1
        self._write(folder / "dev", f"188:{self._minor}\n")
        self._link(folder / "device", device)
        self._link(self.root / "sys/class" / kind / folder.name, folder)
        self._write(self.root / "dev" / folder.name, "")

    def _node_link(self, folder: str, name: str, tty: str) -> None:
        link = self.root / "dev/serial" / folder / name
        link.unlink(missing_ok=True)  # udev: the last one wins
        self._link(link, f"dev/{tty}")

    def _link(self, link: Path, target: Path | str) -> None:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(self.root / target, link.parent))

    def _write(self, file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
