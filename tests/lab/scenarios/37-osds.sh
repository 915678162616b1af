# osds: OSDs stopped before the map, before the mount and under a mount, and full; pool, image and snapshot deleted while mapped: nothing hangs, nothing is mapped twice
# machine: faults
# shellcheck shell=bash

by_hand() {
  trap 'on_host frail repair' EXIT
  frail_up
  frail_image osd-a 32M
  frail_image osd-b 32M
  frail_table osd-a
  frail_table osd-b
  mkdir -p /mnt/osd-a
  fstab "/dev/rbd/$POOL/osd-a /mnt/osd-a ext4 noauto,_netdev,x-systemd.mount-timeout=8 0 0"
  rbdmap map --direct --no-mount
  mkfs.ext4 -q "/dev/rbd/$POOL/osd-a"
  rbdmap unmap --direct
  before_the_map
  before_the_mount
  under_a_mount
  under_mkfs
  full
  gone_while_mapped
  trap - EXIT
  nothing_left
}

# A request to the kernel continues after the command that made it has ended, and the next command finds it.
before_the_map() {
  on_host frail osd kill
  ends 1 rbdmap map --direct --no-mount --timeout 10 "$POOL/osd-a"
  echo "$TOOK ms: $SAID"
  within 13000
  says "OSDs"
  ends 1 rbdmap map --direct --no-mount --timeout 3 "$POOL/osd-a"
  echo "$TOOK ms: $SAID"
  within 6000
  on_host frail osd start
  ends 0 rbdmap map --direct --no-mount --timeout 40 "$POOL/osd-a"
  echo "$TOOK ms: $SAID"
  is_mapped_once osd-a
}

before_the_mount() {
  on_host frail osd kill
  echo 3 >/proc/sys/vm/drop_caches
  ends 1 rbdmap map --direct --timeout 8 "$POOL/osd-a"
  echo "$TOOK ms: $SAID"
  within 20000
  says "/mnt/osd-a"
  on_host frail osd start
  wait_for 40 mounts_at_last
}
mounts_at_last() { rbdmap map --direct "$POOL/osd-a" && findmnt /mnt/osd-a; }

under_a_mount() {
  date >/mnt/osd-a/dirty
  sync -f /mnt/osd-a
  date >/mnt/osd-a/dirty
  on_host frail osd kill
  # Terminated while the unmount hangs: nothing keeps its output pipe open.
  ends 124 timeout 5 rbdmap unmap --direct --timeout 60 "$POOL/osd-a"
  within 8000
  ends 1 rbdmap unmap --direct --timeout 8 "$POOL/osd-a"
  echo "$TOOK ms: $SAID"
  within 20000
  says "reachable"
  on_host frail osd start
  wait_for 60 unmaps_at_last
  is_not_mapped osd-a
}
unmaps_at_last() { rbdmap unmap --direct --timeout 10 "$POOL/osd-a"; }

# Through systemd, which makes the file system: systemd has no time limit for that, the command has.
under_mkfs() {
  frail_image osd-c 32M
  frail_table osd-c
  mkdir -p /mnt/osd-c
  fstab "/dev/rbd/$POOL/osd-c /mnt/osd-c ext4 noauto,_netdev,x-systemd.makefs 0 0"
  rbdmap map --direct --no-mount "$POOL/osd-c"
  on_host frail osd kill
  ends 1 rbdmap map --timeout 10 "$POOL/osd-c"
  echo "$TOOK ms: $SAID"
  # The command follows systemd's jobs for 15 s longer, to report what fails within the time limit.
  within 32000
  says "not mounted on /mnt/osd-c yet; systemd continues its job"
  on_host frail osd start
  wait_for 60 findmnt /mnt/osd-c
  ends 0 rbdmap unmap "$POOL/osd-c"
}

full() {
  on_host frail ceph tell osd.0 injectfull full
  wait_for 40 is_full
  ends 1 rbdmap map --direct --no-mount --timeout 10 "$POOL/osd-b"
  echo "$TOOK ms: $SAID"
  within 13000
  says "ceph health detail"
  on_host frail ceph tell osd.0 injectfull none
  ends 0 rbdmap map --direct --no-mount --timeout 40 "$POOL/osd-b"
  is_mapped_once osd-b
}

is_full() { on_host frail ceph osd dump | grep "^pool.* flags .*full"; }

# osd-b is mapped. Its size follows a resize; then a snapshot and the pool are deleted while mapped.
gone_while_mapped() {
  on_host frail rbd resize "$POOL/osd-b" --size 48M
  wait_for 10 has_size 50331648
  on_host frail rbd snap create "$POOL/osd-b@gone"
  echo "$POOL/osd-b@gone id=boot,conf=/etc/ceph/frail/ceph.conf,keyring=/etc/ceph/frail/keyring" >>/etc/ceph/rbdmap
  ends 0 rbdmap map --direct --no-mount "$POOL/osd-b@gone"
  on_host frail rbd snap rm "$POOL/osd-b@gone"
  ends 0 rbdmap unmap --direct "$POOL/osd-b@gone"
  image_gone
  on_host frail ceph osd pool rm "$POOL" "$POOL" --yes-i-really-really-mean-it
  ends 0 rbdmap unmap --direct --timeout 20 "$POOL/osd-b"
  echo "$TOOK ms: $SAID"
  on_host frail ceph osd pool create "$POOL"
}

# An image that is mapped read-only has no watcher and can be deleted; of another, the header object is deleted.
image_gone() {
  frail_image removed 32M
  frail_image torn 32M
  frail_table removed read-only
  frail_table torn
  ends 0 rbdmap map --direct --no-mount "$POOL/removed" "$POOL/torn"
  on_host frail rbd rm "$POOL/removed"
  on_host frail rados -p "$POOL" rm "rbd_header.$(cat "/sys/block/$(basename "$(devices_of torn)")/device/image_id")"
  ends 0 rbdmap map --direct --no-mount "$POOL/removed"
  says "already mapped"
  ends 0 rbdmap unmap --direct --timeout 20 "$POOL/removed" "$POOL/torn"
  echo "$TOOK ms: $SAID"
  within 20000
  is_not_mapped removed
  is_not_mapped torn
  ends 1 rbdmap map --direct --no-mount "$POOL/removed"
  says "does not exist"
}
has_size() { rbdmap status --json "$POOL/osd-b" | grep "\"size\":$1"; }
