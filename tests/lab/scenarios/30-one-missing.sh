# one-missing: one image does not exist and one has a wrong key: the good one is mounted, the boot completes, exactly those two fail and report why
# The same boots have an image with `nofail` whose monitors are dead (scenario nofail). It is not among the failed units.
# shellcheck shell=bash

images() { images_of 128 present locked; }

WRONG=/etc/ceph/wrong.keyring

lines() {
  table absent
  table present
  fstab "/dev/rbd/$POOL/absent /mnt/absent ext4 noauto 0 0"
  fstab "/dev/rbd/$POOL/present /mnt/present ext4 noauto 0 0"
}

by_hand() {
  fresh present ext4
  mkdir -p /mnt/absent /mnt/present
  lines
  local status=0 said
  said=$(rbdmap map 2>&1) || status=$?
  same 1 "$status" "exit status of rbdmap map"
  grep "$POOL/absent" <<<"$said" | expect "does not exist"
  findmnt /mnt/present
  is_not_mapped absent
  rbdmap unmap
  nothing_left
}

configure() {
  lines
  printf '[client.boot]\n\tkey = AQBAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAA==\n' >$WRONG
  chmod 600 $WRONG
  mkdir -p /mnt/locked
  echo "$POOL/locked id=boot,keyring=$WRONG" >>/etc/ceph/rbdmap
  fstab "/dev/rbd/$POOL/locked /mnt/locked ext4 noauto 0 0"
  systemctl enable rbdmap.service
}

booted() {
  findmnt /mnt/present
  same active "$(systemctl is-active rbdmap.service)" rbdmap.service
  same failed "$(systemctl is-active "$(instance absent)")" "the unit of the absent image"
  local status
  status=$(systemctl status --no-pager --full "$(instance absent)") || true
  expect "$POOL/absent" <<<"$status"
  expect "does not exist" <<<"$status"
  status=$(systemctl status --no-pager --full "$(instance locked)") || true
  expect "key" <<<"$status"
  systemctl show -p StatusText rbdmap.service | expect "$POOL/absent"
  systemctl show -p StatusText rbdmap.service | expect "$POOL/locked"
  same "$(printf '%s\n' "$(instance absent)" "$(instance locked)" | sort)" \
    "$(systemctl --failed --plain --no-legend | cut -d ' ' -f 1 | sort)" "what systemctl --failed lists"
  mounted_within 60
  journalctl --update-catalog
  journalctl -b -x --no-pager MESSAGE_ID=3a124c647e024f05b7c1dce27f7695f5 RBD_IMAGE=absent | expect "Subject: RBD image $POOL/absent could not be mapped"
  # ENOENT in the unit's status and in the journal; and the device of the good image.
  journalctl -b -o cat --no-pager ERRNO=2 RBD_IMAGE=absent | expect "the kernel: rbd: image $POOL/absent does not exist"
  systemctl show -p StatusText "$(instance absent)" | expect "the kernel: rbd: image $POOL/absent does not exist"
  journalctl -b -o cat --no-pager "RBD_DEVICE=$(devices_of present)" | expect "$POOL/present: mapped as $(devices_of present)"
}

# From network-online.target to the mount of the good image. The others do not delay it.
mounted_within() {
  local up mounted
  up=$(systemctl show -P ActiveEnterTimestampMonotonic network-online.target)
  mounted=$(systemctl show -P ActiveEnterTimestampMonotonic mnt-present.mount)
  echo "mounted $(((mounted - up) / 1000)) ms after network-online.target"
  [ $((mounted - up)) -le $(($1 * 1000000)) ] || fail "that is more than $1 s"
}

powered_off() {
  [ "$BOOT" -gt 1 ] || return 0
  in_order "Unmounted mnt-present\.mount" "present: unmapped /dev/rbd" "Stopping lab-network\.service"
}
