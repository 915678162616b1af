# no-udev: without udevd, as in containers and some initramfs, the program makes and removes the links itself
# shellcheck shell=bash

images() { image bare 64M; }

by_hand() {
  map_by_hand bare
  sfdisk --quiet "$(devices_of bare)" <<<$'label: dos\n,32M\n,'
  udevadm settle
  mkfs.ext4 -q "/dev/rbd/$POOL/bare-part2"
  unmap_by_hand bare
  nothing_left

  mapfile -t UDEV < <(systemctl list-units --plain --no-legend 'systemd-udevd*' | cut -d ' ' -f 1)
  trap 'systemctl start "${UDEV[@]}"' EXIT
  systemctl stop "${UDEV[@]}"
  [ ! -e /run/udev/control ] || fail "udevd is still there"

  mkdir -p /mnt/bare
  table bare
  fstab "/dev/rbd/$POOL/bare-part2 /mnt/bare ext4 noauto 0 0"
  rbdmap map --direct
  is_mapped_once bare
  same "bare bare-part1 bare-part2" "$(find "/dev/rbd/$POOL" -type l -printf '%f\n' | sort | paste -sd ' ')" "the links"
  [ "/dev/rbd/$POOL/bare" -ef "$(devices_of bare)" ] || fail "the link leads elsewhere"
  same "$(devices_of bare)p2" "$(findmnt -n -o SOURCE /mnt/bare)" "what is mounted on /mnt/bare"
  rbdmap map --direct
  is_mapped_once bare
  rbdmap unmap --direct
  same "" "$(find /dev/rbd 2>/dev/null)" "links in /dev/rbd"
  nothing_left

  # Without udevd, systemd would wait for the device unit until its time limit.
  systemctl daemon-reload
  ends 0 rbdmap map
  echo "$TOOK ms: $SAID"
  says "udevd is not running"
  findmnt /mnt/bare
  ends 0 rbdmap unmap
  nothing_left
}
