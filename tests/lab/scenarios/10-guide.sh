# guide: one line in the table and one in fstab: mounted by hand and at boot, unmounted before the network goes down
# shellcheck shell=bash

images() { image guide 512M; }

lines() {
  table guide
  fstab "/dev/rbd/$POOL/guide /mnt/guide xfs noauto 0 0"
}

by_hand() {
  mkdir -p /mnt/guide
  lines
  rbdmap map --no-mount
  mkfs.xfs -q "/dev/rbd/$POOL/guide"
  rbdmap map
  findmnt /mnt/guide
  echo "written by hand" >/mnt/guide/data
  rbdmap unmap
  nothing_left

  rbdmap map
  expect "written by hand" </mnt/guide/data
  is_mapped_once guide
  rbdmap unmap
  nothing_left
}

configure() {
  lines
  systemctl enable rbdmap.service
}

booted() {
  same active "$(systemctl is-active rbdmap.service)" rbdmap.service
  same active "$(systemctl is-active "$(instance guide)")" "the unit of the image"
  is_mapped_once guide
  findmnt /mnt/guide
  expect "written by hand" </mnt/guide/data
  [ "$BOOT" = 2 ] || expect "written in boot 2" </mnt/guide/data
  echo "written in boot $BOOT" >>/mnt/guide/data
}

powered_off() {
  expect_not "Starting recovery" <"$JOURNAL" >/dev/null
  [ "$BOOT" -gt 1 ] || return 0
  in_order "Reached target network-online.target" "Mounted mnt-guide\.mount"
  in_order "XFS \\(rbd[0-9]+\\): Ending clean mount"
  in_order "Unmounted mnt-guide\.mount" "guide: unmapped /dev/rbd" "Stopping lab-network\.service"
}
