#!/bin/sh
# From a USB stick: Venus OS unpacks venus-data.tar.gz into /data when it starts, and
# runs this. It installs the bundle of this machine and removes all that was unpacked.
here=$(cd "$(dirname "$0")" && pwd)

main() {
    for bundle in "$here"/mppdbus-*-venus-*.tar.gz; do
        case $(uname -m)-$bundle in
            arm*-*armv7* | aarch64-*aarch64* | x86_64-*x86_64*)
                sh "$here/mppdbus-install.sh" --local "$bundle"
                ;;
        esac
    done
    rm -f "$here"/mppdbus-*-venus-*.tar.gz "$here/mppdbus-install.sh" "$here/post-hook.sh"
    rmdir "$here" 2>/dev/null
}

main
