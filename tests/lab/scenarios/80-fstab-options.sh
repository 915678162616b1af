# fstab-options: fstab lines of every kind, and what depends on their mounts: mounted at boot, unmounted before the network goes down
# systemd-fsck logs nothing for a clean file system; so one is made dirty.
# shellcheck shell=bash

MOUNTED=(option-auto option-netdev option-nofail option-automount option-made option-grown option-swap option-uuid)

images() { images_of 64 "${MOUNTED[@]}"; }

configure() {
  local image
  for image in "${MOUNTED[@]}"; do
    table "$image"
    mkdir -p "/mnt/$image"
  done
  fresh option-auto ext4
  fresh option-netdev ext4 mkdir -p /mnt/{lower,data,tmp}
  fresh option-nofail ext4 mkdir -p /mnt/{upper,work}
  fresh option-automount ext4 touch /mnt/there
  small_file_system option-grown
  mkdir -p /mnt/option-{overlay,bind}
  fstab "overlay /mnt/option-overlay overlay noauto,lowerdir=/mnt/option-netdev/lower,upperdir=/mnt/option-nofail/upper,workdir=/mnt/option-nofail/work 0 0"
  fstab "/mnt/option-netdev/data /mnt/option-bind none bind 0 0"
  fstab "tmpfs /mnt/option-netdev/tmp tmpfs size=1M 0 0"
  fstab "/dev/rbd/$POOL/option-auto /mnt/option-auto ext4 defaults 0 2"
  fstab "/dev/rbd/$POOL/option-netdev /mnt/option-netdev ext4 _netdev 0 0"
  fstab "/dev/rbd/$POOL/option-nofail /mnt/option-nofail ext4 noauto,nofail 0 0"
  fstab "/dev/rbd/$POOL/option-automount /mnt/option-automount ext4 noauto,x-systemd.automount 0 0"
  fstab "/dev/rbd/$POOL/option-made /mnt/option-made ext4 noauto,x-systemd.makefs 0 0"
  fstab "/dev/rbd/$POOL/option-grown /mnt/option-grown ext4 noauto,x-systemd.growfs 0 0"
  map_by_hand option-swap
  mkswap "$(devices_of option-swap)"
  unmap_by_hand option-swap
  fstab "/dev/rbd/$POOL/option-swap none swap _netdev 0 0"
  fresh option-uuid ext4
  by_uuid option-uuid
  make_dirty option-auto
  slow_check
  systemctl enable rbdmap.service
}

# A slow local file system: local-fs.target is late, and must not fail because of our units.
slow_check() {
  cat >/etc/systemd/system/lab-slow-check.service <<'UNIT'
[Unit]
DefaultDependencies=no
Before=local-fs.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sleep 6
[Install]
WantedBy=local-fs.target
UNIT
  systemctl enable lab-slow-check.service
}

# Half the size of the image, for the boot to grow.
small_file_system() {
  map_by_hand "$1"
  mkfs.ext4 -q "$(devices_of "$1")" 32M
  unmap_by_hand "$1"
}
# A line that names the file system by UUID; systemd before 254 has no by-uuid links for RBD images.
by_uuid() {
  map_by_hand "$1"
  fstab "UUID=$(blkid -o value -s UUID "$(devices_of "$1")") /mnt/$1 ext4 noauto,_netdev,x-rbdmap.image=$POOL/$1 0 2"
  unmap_by_hand "$1"
}
# As after a power cut.
make_dirty() {
  map_by_hand "$1"
  debugfs -w -R "set_super_value state 0" "$(devices_of "$1")"
  unmap_by_hand "$1"
}

booted() {
  local place
  same active "$(systemctl is-active local-fs.target)" local-fs.target
  same inactive "$(systemctl is-active emergency.target)" "the emergency shell"
  for place in auto netdev bind netdev/tmp made grown uuid; do findmnt "/mnt/option-$place"; done
  # Boot does not wait for these, for example if a monitor is slow.
  for place in nofail overlay; do wait_for 30 findmnt "/mnt/option-$place"; done
  same autofs "$(findmnt -n -o FSTYPE /mnt/option-automount | head -n 1)" "what waits on /mnt/option-automount"
  ls /mnt/option-automount/there
  findmnt -t ext4 /mnt/option-automount
  echo "boot $BOOT" >"/mnt/option-overlay/$BOOT"
  ls "/mnt/option-nofail/upper/$BOOT"
  [ "$(df --output=size -k /mnt/option-grown | tail -n 1)" -gt 40000 ] || fail "it has not grown: $(df -k /mnt/option-grown)"
  grep -q "^$(devices_of option-swap) " /proc/swaps || fail "no swap on $(devices_of option-swap): $(cat /proc/swaps)"
  [ "$BOOT" != 2 ] || journalctl -b -u "systemd-fsck@$(systemd-escape -p "/dev/rbd/$POOL/option-auto").service" |
    expect "not cleanly unmounted"
}

powered_off() {
  [ "$BOOT" = 2 ] || return 0
  local unit
  # systemd escapes a hyphen as \x2d.
  for unit in auto bind overlay automount made grown; do
    in_order "Unmounted mnt-option.x2d$unit\.mount" "Stopping lab-network\.service"
  done
  in_order "Deactivated swap dev-rbd-.*option.*swap\.swap" "option.*swap: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order 'Unmounted mnt-option.x2doverlay\.mount' 'Unmounted mnt-option.x2dnofail\.mount' 'option.nofail: unmapped /dev/rbd'
}
