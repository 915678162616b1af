# flaky: a file system on a device-mapper device on an image whose disk fails: the failure is named, the mount works when the disk does, a broken file system is unmounted
# machine: faults
# shellcheck shell=bash

images() { image flaky 32M; }

by_hand() {
  local sectors
  map_by_hand flaky
  sectors=$(cat "/sys/block/$(basename "$(devices_of flaky)")/size")
  mkfs.ext4 -q "$(devices_of flaky)"
  unmap_by_hand flaky
  mkdir -p /mnt/flaky
  table flaky
  fstab "/dev/mapper/flaky /mnt/flaky ext4 noauto,_netdev,x-rbdmap.image=$POOL/flaky,x-systemd.device-timeout=10 0 0"
  rbdmap map --direct --no-mount
  stands_on "0 $sectors linear $(devices_of flaky) 0"

  fails_to_mount --direct
  fails_to_mount
  breaks_under_a_mount --direct
  breaks_under_a_mount

  # The device-mapper device belongs to the administrator: it is named, and left alone.
  ends 1 rbdmap unmap --direct --timeout 5
  echo "$TOOK ms: $SAID"
  within 10000
  says "is in use by /dev/dm-0 (flaky)"
  is_mapped_once flaky
  dmsetup remove flaky
  ends 0 rbdmap unmap --direct
  nothing_left
}

# A new device-mapper table below the file system. The flakey target works for 0 s, then fails for an hour.
stands_on() { dmsetup create flaky --table "$1"; udevadm settle; }
becomes() { dmsetup suspend --nolockfs flaky; dmsetup load flaky --table "$1"; dmsetup resume flaky; }
works() { becomes "0 $(sectors) linear $(devices_of flaky) 0"; }
fails() { becomes "0 $(sectors) flakey $(devices_of flaky) 0 0 3600 $*"; }
sectors() { cat "/sys/block/$(basename "$(devices_of flaky)")/size"; }

# The disk cannot be read: reported with the mount point; the next run mounts when it can be read.
fails_to_mount() {
  fails
  echo 3 >/proc/sys/vm/drop_caches
  ends 1 rbdmap map "$@"
  echo "$TOOK ms: $SAID"
  within 20000
  says "/mnt/flaky"
  same "" "$(findmnt -n /mnt/flaky)" "what is mounted on it"
  works
  ends 0 rbdmap map "$@"
  echo "$TOOK ms: $SAID"
  findmnt /mnt/flaky
  # Another run does not mount it a second time.
  ends 0 rbdmap map --direct
  says "already mounted on /mnt/flaky"
  same 1 "$(findmnt -n /mnt/flaky | wc -l)" "mounts"
  umount /mnt/flaky
}

# Writes fail: fsync(2) reports it. systemd unmounts the broken file system all the same; --direct leaves it, because the device below it
# belongs to the administrator.
breaks_under_a_mount() {
  ends 0 rbdmap map "$@"
  date >/mnt/flaky/date
  sync -f /mnt/flaky
  fails 1 error_writes
  date >/mnt/flaky/date
  ends 1 sync -f /mnt/flaky
  ends 1 rbdmap unmap "$@" --timeout 10
  echo "$TOOK ms: $SAID"
  within 30000
  says "is in use by /dev/dm-0 (flaky)"
  [ "$*" != --direct ] || umount /mnt/flaky
  same "" "$(findmnt -n /mnt/flaky)" "what is mounted on it"
  is_mapped_once flaky
  works
  e2fsck -fp /dev/mapper/flaky || [ $? = 1 ] || fail "its file system cannot be repaired"
}
