"""Where everything is on Venus OS. Only /data outlives an update of the firmware."""

APP = "/data/apps/available/mppdbus"
RELEASES = f"{APP}/releases"  # one directory a version
CURRENT = f"{APP}/current"  # link to the release that runs
PREVIOUS = f"{APP}/previous"  # link to the one that ran before
TRIAL = f"{APP}/trial"  # the release to go back to, until an update is proven
GUI = f"{APP}/gui-v2"  # link to the page for Victron's GUI
RECORD = f"{APP}/made.json"  # directories that the installation made
LAUNCHER = f"{CURRENT}/bin/mppdbus"
BOOT = f"{CURRENT}/boot.sh"

ENABLED = "/data/apps/enabled/mppdbus"  # a link; without it, the app is switched off
CONFIG_FOLDER = "/data/conf/mppdbus"
CONFIG = f"{CONFIG_FOLDER}/config.toml"
SAVED_RULES = f"{CONFIG_FOLDER}/udev.rules"
STATE = "/data/mppdbus"  # counters, history, what has been learned
LOG = "/data/log/mppdbus"
CURRENT_LOG = f"{LOG}/current"

BOOT_SCRIPT = "/data/rcS.local"  # run before the services start
LATE_BOOT_SCRIPT = "/data/rc.local"  # run after them

SERVICE = "/service/mppdbus"  # in RAM, as is the rest
RULES = "/run/udev/rules.d/zz-mppdbus.rules"  # after serial-starter.rules
STARTED = "/run/mppdbus.started"

VENUS_VERSION = "/opt/victronenergy/version"
STOP_TTY = "/opt/victronenergy/serial-starter/stop-tty.sh"
START_TTY = "/opt/victronenergy/serial-starter/start-tty.sh"
TTY_LOCKS = "/var/lock/serial-starter"
STARTER_LINKS = "/dev/serial-starter"
