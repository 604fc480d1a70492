# Runs in a virtual machine, as root: the service under a real systemd. Each step writes
# a line "name: what was seen"; test_systemd_vm.py knows what should be there.
# The config has a TCP port, at which a simulated inverter listens.
P=/opt/mppdbus/bin/mppdbus
C=/etc/mppdbus/config.toml
get() { systemctl show mppdbus -p "$1" --value; }
say() { echo "$1: $2"; }
# until_ COMMAND…: waits two minutes at most.
until_() { for _ in $(seq 120); do "$@" >/dev/null 2>&1 && return; sleep 1; done; }
status() { get StatusText | grep -q "$1"; }
other_pid() { [ "$(get MainPID)" != "$1" ] && systemctl is-active -q mppdbus; }
bus() { dbus-send --system --print-reply "$@" 2>&1 | tail -n 1 | tr -s ' '; }
names() {
    dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
        org.freedesktop.DBus.ListNames | grep -o 'com.victronenergy[^"]*' | sort
}

# virtme mounts files over these, and then no user can be added or removed.
umount /etc/shadow /etc/passwd 2>/dev/null

setsid $P simulate --tcp 127.0.0.1:8899 >/dev/null 2>&1 &
simulator=$!
mkdir -p /etc/mppdbus /etc/systemd/system/mppdbus.service.d
printf '[[inverter]]\nname = "garage"\nport = "tcp://127.0.0.1:8899"\n' >$C
printf '[Service]\nWatchdogSec=20\n' >/etc/systemd/system/mppdbus.service.d/test.conf
$P install
until_ status garage:
say active "$(systemctl is-active mppdbus)"
say user "$(get User)"
say status "$(get StatusText)"
say names "$(names | tr '\n' ' ')"
unit=$(names | grep multi)
item=com.victronenergy.BusItem
reader='setpriv --reuid=nobody --regid=nogroup --clear-groups'
say read "$($reader dbus-send --system --print-reply --dest="$unit" /Serial $item.GetValue 2>&1 | tail -n 1)"
say refused "$($reader dbus-send --system --print-reply --dest="$unit" /CustomName \
    $item.SetValue variant:string:x 2>&1 | tail -n 1)"
say written "$(bus --dest="$unit" /CustomName $item.SetValue variant:string:Barn)"
say again "$($P install | head -n 1)"
pid=$(get MainPID)
sed -i 's/^port/poll = 3\nport/' $C
systemctl reload mppdbus && say reloaded "$(get MainPID)" && say before "$pid"
say log "$(journalctl -u mppdbus -o cat --no-pager | grep 'read again')"
kill -STOP "$pid"
until_ other_pid "$pid"
say watchdog "$(get NRestarts) restart, $(systemctl is-active mppdbus)"
until_ status garage:
kill $simulator
until_ status 'does not answer'
pid=$(get MainPID)
sleep 45 # two times of the watchdog
say silent "$(get StatusText)"
other_pid "$pid" || say same "yes"
rm -r /etc/systemd/system/mppdbus.service.d/test.conf
$P uninstall --purge
rmdir /etc/systemd/system/mppdbus.service.d # which this script has made
say left "$(names) $(find /etc /var/lib -name '*mppdbus*') $(id -u mppdbus 2>&1)"
say end ok
