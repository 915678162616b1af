# rows: lines of fstab of every kind, and what stands on their mounts, come up at boot and go down before the network
# The surprise: nothing of systemd-fsck is in the journal for a clean file system; so one is made dirty.
# shellcheck shell=bash

ROWS=(row-auto row-netdev row-nofail row-automount row-made row-grown row-swap row-uuid)

images() {
  local image
  for image in "${ROWS[@]}"; do image "$image" 64M; done
}

configure() {
  local image
  for image in "${ROWS[@]}"; do
    table "$image"
    mkdir -p "/mnt/$image"
  done
  fresh row-auto ext4
  fresh row-netdev ext4 mkdir -p /mnt/{lower,data,tmp}
  fresh row-nofail ext4 mkdir -p /mnt/{upper,work}
  fresh row-automount ext4 touch /mnt/there
  small_file_system row-grown
  mkdir -p /mnt/row-{overlay,bind}
  fstab "overlay /mnt/row-overlay overlay noauto,lowerdir=/mnt/row-netdev/lower,upperdir=/mnt/row-nofail/upper,workdir=/mnt/row-nofail/work 0 0"
  fstab "/mnt/row-netdev/data /mnt/row-bind none bind 0 0"
  fstab "tmpfs /mnt/row-netdev/tmp tmpfs size=1M 0 0"
  fstab "/dev/rbd/$POOL/row-auto /mnt/row-auto ext4 defaults 0 2"
  fstab "/dev/rbd/$POOL/row-netdev /mnt/row-netdev ext4 _netdev 0 0"
  fstab "/dev/rbd/$POOL/row-nofail /mnt/row-nofail ext4 noauto,nofail 0 0"
  fstab "/dev/rbd/$POOL/row-automount /mnt/row-automount ext4 noauto,x-systemd.automount 0 0"
  fstab "/dev/rbd/$POOL/row-made /mnt/row-made ext4 noauto,x-systemd.makefs 0 0"
  fstab "/dev/rbd/$POOL/row-grown /mnt/row-grown ext4 noauto,x-systemd.growfs 0 0"
  map_by_hand row-swap
  mkswap "$(devices_of row-swap)"
  unmap_by_hand row-swap
  fstab "/dev/rbd/$POOL/row-swap none swap _netdev 0 0"
  fresh row-uuid ext4
  by_uuid row-uuid
  make_dirty row-auto
  slow_check
  systemctl enable rbdmap.service
}

# A local file system that takes its time: local-fs.target is late, and nothing of ours may make it fail.
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

# Half of the image, for the boot to grow.
small_file_system() {
  map_by_hand "$1"
  mkfs.ext4 -q "$(devices_of "$1")" 32M
  unmap_by_hand "$1"
}
# A line that does not name its device; systemd before 254 has no such link for RBD images.
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
  for place in auto netdev bind netdev/tmp made grown uuid; do findmnt "/mnt/row-$place"; done
  # Boot does not wait for these, should a monitor be slow.
  for place in nofail overlay; do wait_for 30 findmnt "/mnt/row-$place"; done
  same autofs "$(findmnt -n -o FSTYPE /mnt/row-automount | head -n 1)" "what waits on /mnt/row-automount"
  ls /mnt/row-automount/there
  findmnt -t ext4 /mnt/row-automount
  echo "boot $BOOT" >"/mnt/row-overlay/$BOOT"
  ls "/mnt/row-nofail/upper/$BOOT"
  [ "$(df --output=size -k /mnt/row-grown | tail -n 1)" -gt 40000 ] || fail "it has not grown: $(df -k /mnt/row-grown)"
  grep -q "^$(devices_of row-swap) " /proc/swaps || fail "no swap on $(devices_of row-swap): $(cat /proc/swaps)"
  [ "$BOOT" != 2 ] || journalctl -b -u "systemd-fsck@$(systemd-escape -p "/dev/rbd/$POOL/row-auto").service" |
    expect "not cleanly unmounted"
}

powered_off() {
  [ "$BOOT" = 2 ] || return 0
  local unit
  # A hyphen of a name is \x2d.
  for unit in auto bind overlay automount made grown; do
    in_order "Unmounted mnt-row.x2d$unit\.mount" "Stopping lab-network\.service"
  done
  in_order "Deactivated swap dev-rbd-.*row.*swap\.swap" "row.*swap: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order 'Unmounted mnt-row.x2doverlay\.mount' 'Unmounted mnt-row.x2dnofail\.mount' 'row.nofail: unmapped /dev/rbd'
}
