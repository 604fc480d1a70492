#!/bin/sh
# Installs or updates mppdbus on Venus OS: a GX device of Victron, or a Raspberry Pi.
#
#   sh install.sh                    the release that this script belongs to
#   sh install.sh --local FILE       a bundle that is here already: no network is used
#
# From the environment:
#   VERSION=1.2.0       another release
#   SHA256=…            what the bundle's SHA-256 must be
#   DRY_RUN=1           only say what would be changed
#   ALLOW_DOWNGRADE=1   an older release than the one that is installed
#   URL=…               where the bundles are
#
# Everything is in functions and called in the last line, so that half a download of
# this script does nothing at all.
set -u

RELEASE=unreleased
SUMS=
PROJECT=https://github.com/mppdbus/mppdbus/releases/download
DATA=/data
LEAST_SPACE=25 # MB
WORK=

say() { printf 'mppdbus: %s\n' "$*"; }
fail() {
    printf 'mppdbus: %s\n' "$*" >&2
    exit 1
}
clean_up() { [ -z "$WORK" ] || rm -rf "$WORK"; }

usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" | sed '/^set /d'; }

# Which machine code and which Python: "armv7 cp312".
machine() {
    python3 -c '
import os, struct, sys
kind = os.uname().machine
if kind.startswith(("arm", "aarch64")):
    kind = "armv7" if struct.calcsize("P") == 4 else "aarch64"
print(kind, "cp%d%d" % sys.version_info[:2])
' 2>/dev/null || fail "there is no python3 here"
}

check_machine() {
    [ -f /opt/victronenergy/version ] ||
        fail "this is not Venus OS; on Debian see docs/install.md: a venv, then mppdbus install --systemd"
    [ "$(id -u)" = 0 ] || fail "run this as root"
    # shellcheck disable=SC2046 # two words
    set -- $(machine)
    ARCH=${1:-} PYTHON=${2:-}
    case $PYTHON in
        cp3[0-9] | cp310) fail "Venus OS $(head -n 1 /opt/victronenergy/version) is too old; update it to v3.60 or newer" ;;
    esac
    free=$(df -Pk "$DATA" | awk 'NR == 2 { print int($4 / 1000) }')
    [ "${free:-0}" -ge "$LEAST_SPACE" ] ||
        fail "$DATA has $free MB left and mppdbus needs $LEAST_SPACE MB; remove something first"
}

# fetch URL FILE
fetch() {
    say "download $1"
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL -o "$2" "$1"
    else
        wget -q -O "$2" "$1"
    fi || fail "$1 cannot be downloaded"
}

sum_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# The SHA-256 that this script knows for its own release.
known_sum() {
    [ "$VERSION" = "$RELEASE" ] || return 0
    for pair in $SUMS; do
        [ "${pair%%=*}" != "$ARCH" ] || echo "${pair#*=}"
    done
}

get_bundle() {
    BUNDLE=$WORK/bundle.tar.gz
    if [ -n "$LOCAL" ]; then
        [ -f "$LOCAL" ] || fail "there is no file $LOCAL"
        BUNDLE=$LOCAL
        wanted=${SHA256:-}
    else
        [ "$VERSION" != unreleased ] || fail "say which release: VERSION=1.2.0 sh install.sh"
        wanted=${SHA256:-$(known_sum)}
        fetch "${URL:-$PROJECT/v$VERSION}/mppdbus-$VERSION-venus-$ARCH.tar.gz" "$BUNDLE"
    fi
    [ -z "$wanted" ] || [ "$(sum_of "$BUNDLE")" = "$wanted" ] ||
        fail "the bundle is damaged or another one: its SHA-256 is $(sum_of "$BUNDLE"), not $wanted"
}

unpack_bundle() {
    tar -xzf "$BUNDLE" -C "$WORK" 2>/dev/null || fail "the bundle cannot be unpacked; get it again"
    set -- "$WORK"/mppdbus-*/
    TREE=${1%/}
    [ -f "$TREE/SHA256SUMS" ] || fail "this is no bundle of mppdbus"
    (cd "$TREE" && sha256sum -c SHA256SUMS >/dev/null 2>&1) ||
        fail "the bundle is damaged: its files are not those that it lists; get it again"
    packed=$(cat "$TREE/VERSION")
    [ "$VERSION" = unreleased ] || [ "$VERSION" = "$packed" ] ||
        fail "this should be release $VERSION, but it is $packed"
    [ "$(cat "$TREE/ARCH")" = "$ARCH" ] ||
        fail "this bundle is for $(cat "$TREE/ARCH"), and this machine is $ARCH: take the one for $ARCH"
    [ -d "$TREE/site-$PYTHON" ] ||
        fail "this bundle has nothing for the Python of this machine ($PYTHON); get a newer release"
}

main() {
    LOCAL=
    VERSION=${VERSION:-}
    case ${1:-} in
        --local) LOCAL=${2:?mppdbus: --local needs the name of a bundle} ;;
        "") ;;
        *) usage && exit 2 ;;
    esac
    if [ -z "$VERSION" ]; then
        VERSION=$RELEASE
        [ -z "$LOCAL" ] || VERSION=unreleased # it is what the bundle says
    fi
    VERSION=${VERSION#v}
    check_machine
    rm -rf "$DATA"/.mppdbus-install.*
    trap clean_up EXIT
    trap 'exit 130' INT HUP TERM
    WORK=$(mktemp -d "$DATA/.mppdbus-install.XXXXXX") || fail "$DATA cannot be written"
    get_bundle
    unpack_bundle
    dry=
    [ "${DRY_RUN:-0}" != 1 ] || dry=--dry-run
    # shellcheck disable=SC2086 # none or one word
    "$TREE/bin/mppdbus" install $dry
}

main "$@"
