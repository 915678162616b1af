# partitions: an image with a partition table: -part1 and -part2 are linked, mounted by their lines, and unmounted before the unmap
# shellcheck shell=bash

images() { image parted 64M; }

lines() {
  table parted
  fstab "/dev/rbd/$POOL/parted-part2 /mnt/part1/part2 ext4 noauto 0 0"
  fstab "/dev/rbd/$POOL/parted-part1 /mnt/part1 ext4 noauto 0 0"
}

by_hand() {
  map_by_hand parted
  sfdisk --quiet "$(devices_of parted)" <<<$'label: dos\n,32M\n,'
  udevadm settle
  mkfs.ext4 -q "/dev/rbd/$POOL/parted-part1"
  mkfs.ext4 -q "/dev/rbd/$POOL/parted-part2"
  mkdir -p /mnt/part1
  mount "/dev/rbd/$POOL/parted-part1" /mnt/part1
  mkdir /mnt/part1/part2
  umount /mnt/part1
  unmap_by_hand parted
  nothing_left

  lines
  rbdmap map --direct
  is_mounted
  rbdmap unmap --direct "$POOL/parted"
  nothing_left
  rbdmap map
  is_mounted
  rbdmap unmap
  nothing_left
}

is_mounted() {
  is_mapped_once parted
  same "$(devices_of parted)p1" "$(findmnt -n -o SOURCE /mnt/part1)" "what is mounted on /mnt/part1"
  same "$(devices_of parted)p2" "$(findmnt -n -o SOURCE /mnt/part1/part2)" "what is mounted on /mnt/part1/part2"
}

configure() {
  lines
  systemctl enable rbdmap.service
}

booted() { is_mounted; }

powered_off() {
  [ "$BOOT" -gt 1 ] || return 0
  in_order "Mounted mnt-part1\.mount" "Mounted mnt-part1-part2\.mount"
  in_order "Unmounted mnt-part1-part2\.mount" "Unmounted mnt-part1\.mount" "parted: unmapped /dev/rbd" "Stopping lab-network\.service"
}
