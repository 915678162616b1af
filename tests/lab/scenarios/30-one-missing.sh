# one-missing: a line names an image that does not exist: the other one is mounted, the boot goes on, the failed unit says why
# shellcheck shell=bash

images() { image present 128M; }

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
}

powered_off() {
  [ "$BOOT" -gt 1 ] || return 0
  in_order "Unmounted mnt-present\.mount" "Stopped rbdmap@.*present\.service" "Stopping lab-network\.service"
}
