# Runs in a virtual machine, as root: the service under a real systemd. Each step writes
# a line "name: what was seen"; test_systemd_vm.py knows what should be there.
#   systemd_vm.sh first     /dev/ttyUSB0 has a simulated inverter: installs, and all else
#   systemd_vm.sh second    after a new boot: it is there again; then it is uninstalled
P=/opt/mppdbus/bin/mppdbus
C=/etc/mppdbus/config.toml
D=/etc/systemd/system/mppdbus.service.d
get() { systemctl show mppdbus -p "$1" --value; }
say() { echo "$1: $2"; }
# until_ COMMAND…: waits five minutes at most.
until_() {
    end=$(($(date +%s) + 300))
    until "$@" >/dev/null 2>&1 || [ "$(date +%s)" -gt $end ]; do sleep 1; done
}
status() { get StatusText | grep -q "$1"; }
other_pid() { [ "$(get MainPID)" != "$1" ] && systemctl is-active -q mppdbus; }
send() { dbus-send --system --print-reply --reply-timeout=60000 "$@" 2>&1 | tail -n 1 | tr -s ' '; }
names() {
    dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
        org.freedesktop.DBus.ListNames | grep -o 'com.victronenergy[^"]*' | sort
}
lost() { ! status mode; }
multis() { names | grep -c multi; }
has() { [ "$(multis)" = "$1" ]; }

# virtme mounts files over these, and then no user can be added or removed.
umount /etc/shadow /etc/passwd 2>/dev/null

before_config() {
    $P install
    say waits "$(get ActiveState), $(systemctl is-failed mppdbus)"
    systemctl start mppdbus && say start "$(get ActiveState), condition $(get ConditionResult)"
}

who_may() {
    unit=$(names | grep multi)
    item=com.victronenergy.BusItem
    as='setpriv --reuid=nobody --regid=nogroup --clear-groups'
    say read "$($as dbus-send --system --print-reply --dest="$unit" /Serial $item.GetValue 2>&1 | tail -n 1)"
    say refused "$($as dbus-send --system --print-reply --dest="$unit" /CustomName \
        $item.SetValue variant:string:x 2>&1 | tail -n 1)"
    say written "$(send --dest="$unit" /CustomName $item.SetValue variant:string:Barn)"
    # What joins the service sees no other device: the rule is that of the kernel.
    cgroup=/sys/fs/cgroup/system.slice/mppdbus.service/cgroup.procs
    sh -c "echo \$\$ >$cgroup; head -c 0 /dev/ttyUSB0 && echo usb; exec head -c 1 /dev/kmsg" \
        >/tmp/device 2>&1
    say device "$(tr '\n' ' ' </tmp/device)"
}

watched() {
    printf '[Service]\nWatchdogSec=20\n' >$D/test.conf
    systemctl daemon-reload
    systemctl restart mppdbus
    until_ has 1
    pid=$(get MainPID)
    kill -STOP "$pid"
    until_ other_pid "$pid"
    say watchdog "$(get NRestarts) restart, $(systemctl is-active mppdbus)"
    until_ has 1
    usb=$(dirname "$(dirname "$(readlink -f /sys/class/tty/ttyUSB0/device)")")
    pid=$(get MainPID)
    echo 0 >"$usb/authorized" # the adapter is pulled out
    until_ lost
    say unplugged "$(get StatusText)"
    sleep 45 # two times of the watchdog
    other_pid "$pid" || say same "yes"
    echo 1 >"$usb/authorized"
    until_ status mode
    say plugged "$(get StatusText)"
    rm $D/test.conf
    systemctl daemon-reload
}

# More ports: one on the network, one that is HID; of the last, udev gives the group.
more_ports() {
    setsid $P simulate --tcp 127.0.0.1:8899 --profile ms-3000 >/dev/null 2>&1 &
    setsid $P simulate --tcp 127.0.0.1:8898 --profile max-8000 >/dev/null 2>&1 &
    modprobe uhid
    sleep 30
    setsid /opt/mppdbus/bin/python3 /opt/uhid_inverter.py 8898 >/opt/uhid.log 2>&1 &
    until_ test -e /dev/hidraw0
    udevadm settle
    say hidraw "$(stat -c '%U %G %a' /dev/hidraw0)"
    cp $C /opt/one.toml
    printf '[[inverter]]\nname = "hid"\nport = "/dev/hidraw0"\n' >>$C
    pid=$(get MainPID)
    systemctl reload mppdbus && say reloaded "$(get MainPID)" && say before "$pid"
    until_ has 2
    say two "$(multis)"
    say log "$(journalctl -u mppdbus -o cat --no-pager | grep 'read again')"
    printf '[[inverter]]\nname = "net"\nport = "tcp://127.0.0.1:8899"\n' >>$C
    $P install
    until_ has 3
    say three "$(multis), $(get StatusText)"
}

first() {
    until_ test -e /dev/ttyUSB0
    before_config
    $P setup --yes --install
    until_ has 1
    say active "$(systemctl is-active mppdbus)"
    say user "$(get User)"
    say status "$(get StatusText)"
    say names "$(names | tr '\n' ' ')"
    say security "$(systemd-analyze security --no-pager mppdbus.service |
        sed -n "s/.*mppdbus.service: *\([0-9.]* [A-Z]*\).*/\1/p")"
    say again "$($P install | head -n 1)"
    say json "$($P status --json)"
    who_may
    watched
    more_ports
    mv /opt/one.toml $C
    $P install
    systemctl stop mppdbus
    say stopped "$(get Result), $(multis)"
}

second() {
    until_ has 1
    say booted "$(systemctl is-active mppdbus), $(multis)"
    say renamed "$(send --dest="$(names | grep multi)" /CustomName com.victronenergy.BusItem.GetValue)"
    $P uninstall --purge
    say left "$(names) $(find /etc /var/lib -name '*mppdbus*' 2>/dev/null) $(id -u mppdbus 2>&1)"
}

$1
say end "$1"
