#!/bin/sh
# Puts the service of mppdbus into RAM, where Venus OS looks for services. Run at each
# boot ("boot") by a line in /data/rcS.local, and by `mppdbus install`, which needs no
# word. Uses neither network nor Python, and takes a fraction of a second.
ROOT=${MPPDBUS_ROOT:-}
APP=$ROOT/data/apps/available/mppdbus
SERVICE=$ROOT/service/mppdbus
RULES=$ROOT/run/udev/rules.d/zz-mppdbus.rules

say() { echo "mppdbus: $*"; }

# link_current RELEASE: in one step, so that a power cut leaves the one or the other.
link_current() {
    rm -f "$APP/current.mppdbus-new"
    ln -s "$1" "$APP/current.mppdbus-new"
    mv -fT "$APP/current.mppdbus-new" "$APP/current"
}

# A file with the name of the release before is there from the moment that an update
# begins until the new release has been seen to work.
undo_unproven_update() {
    [ -s "$APP/trial" ] || return 0
    before=$(cat "$APP/trial")
    if [ -d "$APP/$before" ]; then
        say "the update was not finished when the power went: back to $before"
        link_current "$before"
        sync
    fi
    rm -f "$APP/trial"
}

# copy FROM TO: replaces TO as a whole, if it differs.
copy() {
    cmp -s "$1" "$2" && return 0
    cp "$1" "$2.mppdbus-new" && chmod 755 "$2.mppdbus-new" && mv -f "$2.mppdbus-new" "$2"
}

# svscan leaves alone what begins with a dot, so it sees the whole service or none.
make_service() {
    [ -d "$ROOT/service" ] || { say "there is no /service here"; return 1; }
    place=$SERVICE
    [ -d "$SERVICE" ] || place=$ROOT/service/.mppdbus-new
    mkdir -p "$place/log" || return 1
    copy "$APP/current/service/run" "$place/run" || return 1
    copy "$APP/current/service/log-run" "$place/log/run" || return 1
    [ "$place" = "$SERVICE" ] || mv -fT "$place" "$SERVICE"
}

# Tells Venus OS that the adapters of our inverters are ours. All ports are looked at
# again only at boot, when none of them is in use yet.
make_rules() {
    saved=$ROOT/data/conf/mppdbus/udev.rules
    [ -s "$saved" ] || return 0
    cmp -s "$saved" "$RULES" && return 0
    mkdir -p "$(dirname "$RULES")"
    cp "$saved" "$RULES"
    command -v udevadm >/dev/null 2>&1 || return 0
    udevadm control --reload
    [ "$1" != boot ] || udevadm trigger --action=add --subsystem-match=tty
}

main() {
    [ -d "$APP/current" ] || [ -s "$APP/trial" ] || return 0
    [ "${1:-}" != boot ] || undo_unproven_update
    if [ ! -e "$ROOT/data/apps/enabled/mppdbus" ]; then
        say "switched off: /data/apps/enabled/mppdbus is not there"
        return 0
    fi
    make_rules "${1:-}"
    make_service
}

main "$@"
