# stacks: ext4, xfs inside it, a bind mount, an overlay over a squashfs snapshot, a blank in a mount point: mounted in order, unmounted in the reverse order
# shellcheck shell=bash

images() {
  image stack-ext4 128M
  image stack-xfs 512M
  image stack-blank 32M
  mkdir -p "$BOOT_DIRECTORY/tree"
  echo "from the squashfs" >"$BOOT_DIRECTORY/tree/data"
  mksquashfs "$BOOT_DIRECTORY/tree" "$BOOT_DIRECTORY/squashfs" -quiet -no-progress -noappend
  cluster rbd import "$BOOT_DIRECTORY/squashfs" "$POOL/stack-squashfs"
  cluster rbd snap create "$POOL/stack-squashfs@v1"
}

# Each line precedes the lines that it depends on: the order of lines does not matter.
lines() {
  table stack-xfs
  table stack-squashfs@v1
  table stack-blank
  table stack-ext4
  fstab "overlay /mnt/merged overlay noauto,lowerdir=/mnt/base,upperdir=/mnt/stack/upper,workdir=/mnt/stack/work 0 0"
  fstab "/mnt/stack/inner/directory /mnt/bound none noauto,bind 0 0"
  fstab "/dev/rbd/$POOL/stack-blank /mnt/with\\040blank ext4 noauto 0 0"
  fstab "/dev/rbd/$POOL/stack-xfs /mnt/stack/inner xfs noauto 0 0"
  fstab "/dev/rbd/$POOL/stack-squashfs@v1 /mnt/base squashfs noauto,ro 0 0"
  fstab "/dev/rbd/$POOL/stack-ext4 /mnt/stack ext4 noauto 0 0"
}

by_hand() {
  trap take_down EXIT
  fresh stack-ext4 ext4 mkdir /mnt/upper /mnt/work /mnt/inner
  fresh stack-xfs xfs mkdir /mnt/directory
  fresh stack-blank ext4
  mkdir -p /mnt/stack /mnt/base /mnt/merged /mnt/bound /mnt/elsewhere "/mnt/with blank"
  lines
  rbdmap map --direct
  stands
  expect "from the squashfs" </mnt/merged/data
  echo "from above" >/mnt/merged/new
  expect "from above" </mnt/stack/upper/new
  echo "through the bind" >/mnt/bound/data
  expect "through the bind" </mnt/stack/inner/directory/data

  local before
  before=$(cat /proc/self/mountinfo)
  rbdmap map --direct
  same "$before" "$(cat /proc/self/mountinfo)" "the mounts after a second map"

  # Mounts without a line in fstab are unmounted too, also those on top of mounts with one.
  mount "/dev/rbd/$POOL/stack-ext4" /mnt/elsewhere
  mount --bind /mnt/stack/inner "/mnt/with blank"
  rbdmap unmap --direct
  nothing_left
  same "" "$(grep ' /mnt' /proc/self/mountinfo)" "mounts"

  # Unmapping one image of the stack unmounts what depends on it, and nothing else: an established bind mount does not depend on it.
  rbdmap map --direct
  stands
  rbdmap unmap --direct "$POOL/stack-ext4"
  is_not_mapped stack-ext4
  is_mapped_once stack-xfs
  same "/mnt/base /mnt/bound /mnt/with blank" "$(findmnt -rn -o TARGET | grep /mnt/ | sort | paste -sd ' ' | sed 's/\\x20/ /')" "what still stands"
  rbdmap map --direct
  stands
  rbdmap unmap --direct
  nothing_left
}

stands() {
  local device
  same 4 "$(mappings | wc -l)" "mappings"
  device=$(devices_of stack-ext4)
  same "$device ext4" "$(findmnt -rn -o SOURCE,FSTYPE /mnt/stack)" /mnt/stack
  device=$(devices_of stack-xfs)
  same "$device xfs" "$(findmnt -rn -o SOURCE,FSTYPE /mnt/stack/inner)" /mnt/stack/inner
  same "${device}[/directory] xfs" "$(findmnt -rn -o SOURCE,FSTYPE /mnt/bound)" /mnt/bound
  device=$(devices_of stack-squashfs)
  same "$device squashfs" "$(findmnt -rn -o SOURCE,FSTYPE /mnt/base)" /mnt/base
  same overlay "$(findmnt -n -o FSTYPE /mnt/merged)" /mnt/merged
  device=$(devices_of stack-blank)
  same "$device ext4" "$(findmnt -rn -o SOURCE,FSTYPE "/mnt/with blank")" "/mnt/with blank"
}

# An overlay that is left mounted keeps the images in use, and mountinfo does not show which.
take_down() {
  local mount_point
  while read -r mount_point; do umount "$(printf %b "$mount_point")"; done < <(findmnt -rn -o TARGET | grep ^/mnt/ | tac)
}
