#!/bin/sh
# Checks units/*.rules with the installed udevadm, as root: no word of them is unknown to udev, and the links they
# make of a made-up device on the rbd bus are the right ones. `udevadm verify` came with systemd 254; `udevadm test` of any
# version reads all rules and complains of bad ones, so this runs it where ours are the only ones.
# Usage: tests/udev-rule.sh [FOLDER]
set -eu

if [ "${UDEV_RULE_INSIDE:-}" != yes ]; then
    rules=$(realpath "${1:-$(dirname "$0")/../units}")
    UDEV_RULE_INSIDE=yes exec unshare --mount "$0" "$rules" # what follows is mounted for nobody else
fi
export SYSTEMD_DEVICE_VERIFY_SYSFS=0 # /sys below is not sysfs

for folder in /usr/lib/udev/rules.d /etc/udev/rules.d /run /sys /dev; do
    [ ! -d "$folder" ] || mount -t tmpfs tmpfs "$folder"
done
mknod /dev/null c 1 3
mkdir -p /run/udev /sys/bus/rbd /sys/class/block
cp "$1"/*.rules /usr/lib/udev/rules.d/

# A disk of the rbd bus and its first partition: attributes as Linux 6.1 has them.
device() { # NUMBER POOL NAMESPACE IMAGE SNAPSHOT
    bus=/sys/devices/rbd/$1 disk=/sys/devices/rbd/$1/block/rbd$1
    mkdir -p "$disk/rbd$1p1"
    ln -s /sys/bus/rbd "$bus/subsystem"
    : >"$bus/uevent"
    echo "$2" >"$bus/pool"; echo "$3" >"$bus/pool_ns"; echo "$4" >"$bus/name"; echo "$5" >"$bus/current_snap"
    ln -s /sys/class/block "$disk/subsystem"
    ln -s /sys/class/block "$disk/rbd$1p1/subsystem"
    printf 'MAJOR=252\nMINOR=%d\nDEVNAME=rbd%d\nDEVTYPE=disk\n' $(($1 * 16)) "$1" >"$disk/uevent"
    printf 'MAJOR=252\nMINOR=%d\nDEVNAME=rbd%dp1\nDEVTYPE=partition\nPARTN=1\n' $(($1 * 16 + 1)) "$1" >"$disk/rbd$1p1/uevent"
}

command -v udevadm >/dev/null || { echo "udevadm is missing: install the package udev" >&2; exit 1; }
status=0
expect() { # DEVICE LINK
    said=$(udevadm test --action=add "/sys/devices/rbd/$1" 2>&1) || true
    links=$(printf '%s\n' "$said" | sed -n 's/^ *DEVLINKS=//p')
    complaints=$(printf '%s\n' "$said" | grep '^/.*rules:[0-9]' || true)
    wants=$(printf '%s\n' "$said" | sed -n 's/^ *SYSTEMD_WANTS=//p')
    if [ "$links" = "$2" ] && [ -z "$complaints" ] && [ "$wants" = rbdmap-sweep.service ]; then
        echo "ok $2"
    else
        echo "FAILED ${1##*/}: links '$links' instead of '$2', wants '$wants'; $complaints"
        status=1
    fi
}

device 0 rbd '' image -
device 1 pool space image snap
device 2 rbd '' 'foo*b r' -
expect 0/block/rbd0 /dev/rbd/rbd/image
expect 0/block/rbd0/rbd0p1 /dev/rbd/rbd/image-part1
expect 1/block/rbd1 /dev/rbd/pool/space/image@snap
expect 1/block/rbd1/rbd1p1 /dev/rbd/pool/space/image@snap-part1
expect 2/block/rbd2 /dev/rbd/rbd/foo_b_r
exit $status
