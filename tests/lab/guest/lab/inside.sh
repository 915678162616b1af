# inside.sh: what scenarios use in the guest: the files an administrator edits, and the kernel's own word on what is mapped.
# Nothing here calls the program under test: it is the scenario that does.
# shellcheck shell=bash

KEYRING=/etc/ceph/ceph.client.boot.keyring
ADD=/sys/bus/rbd/add_single_major
REMOVE=/sys/bus/rbd/remove_single_major

# The administrator's two files: a line for an image, a line for its mount.
table() { echo "$POOL/$1 id=boot,keyring=$KEYRING" >>/etc/ceph/rbdmap; }
fstab() { echo "$*" >>/etc/fstab; }

instance() { systemd-escape --template=rbdmap@.service "$POOL/$1"; }

# The devices that an image is mapped as, a line each; from sysfs, as udev may lag behind.
devices_of() {
  local device
  for device in /sys/bus/rbd/devices/*; do
    if [ -e "$device" ] && [ "$(cat "$device/pool" "$device/name" | paste -sd /)" = "$POOL/$1" ]; then
      echo "/dev/rbd${device##*/}"
    fi
  done
}
mapped() { [ -n "$(devices_of "$1")" ]; }

is_mapped_once() { same 1 "$(devices_of "$1" | wc -l)" "mappings of $1"; }
is_not_mapped() { same "" "$(devices_of "$1")" "mappings of $1"; }
has_ceph() { command -v rbd >/dev/null; }

# Maps an image with neither our program nor Ceph's: a bare write of the line, the key in it.
map_by_hand() {
  modprobe rbd
  local secret
  secret=$(sed -n 's/^\tkey = //p' "$KEYRING")
  echo -n "10.77.0.1:6789 name=boot,secret=$secret $POOL $1 ${2:--}" >"$ADD"
  udevadm settle
}
unmap_by_hand() {
  udevadm settle
  local device
  for device in $(devices_of "$1"); do echo -n "${device#/dev/rbd}" >"$REMOVE"; done
}

# fresh NAME TYPE [COMMAND…]: a new file system on the image; the command, if any, is run with it mounted on /mnt.
fresh() {
  local image=$1 type=$2
  shift 2
  map_by_hand "$image"
  "mkfs.$type" -q "$(devices_of "$image")"
  if [ $# -gt 0 ]; then
    mount "$(devices_of "$image")" /mnt
    "$@"
    umount /mnt
  fi
  unmap_by_hand "$image"
}

# Nothing of rbd anywhere: links, devices, mounts, keys.
nothing_left() {
  udevadm settle
  same "" "$(find /dev/rbd -type l 2>/dev/null)" "links in /dev/rbd"
  same "" "$(ls /sys/bus/rbd/devices)" "devices"
  same "" "$(grep /dev/rbd /proc/self/mountinfo)" "mounts"
  same "" "$(awk '$8 == "ceph"' /proc/keys)" "keys"
}
