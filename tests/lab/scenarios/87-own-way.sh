# own-way: an administrator's mask of a mount, own unit of a mount, and drop-ins win, and the images are mapped all the same
# shellcheck shell=bash

images() { image own-masked 32M; image own-unit 32M; image own-limit 32M; }

configure() {
  local image units=/etc/systemd/system
  for image in own-masked own-unit own-limit; do
    fresh "$image" ext4
    mkdir -p "/mnt/$image"
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto 0 0"
  done
  systemctl mask mnt-own\\x2dmasked.mount
  cat >"$units/mnt-own\\x2dunit.mount" <<UNIT
[Unit]
After=$(instance own-unit)
Requires=$(instance own-unit)
[Mount]
What=/dev/rbd/$POOL/own-unit
Where=/mnt/own-unit
Type=ext4
Options=_netdev,noatime,ro
[Install]
WantedBy=rbdmap.service
UNIT
  mkdir -p "$units/mnt-own\\x2dlimit.mount.d"
  printf '[Mount]\nTimeoutSec=77\n' >"$units/mnt-own\\x2dlimit.mount.d/50-own.conf"
  # systemd has ours so far.
  systemctl daemon-reload
  systemctl enable rbdmap.service mnt-own\\x2dunit.mount
}

booted() {
  is_mapped_once own-masked
  ! findmnt /mnt/own-masked || fail "a masked mount is mounted"
  findmnt -n -o OPTIONS /mnt/own-unit | expect "ro,noatime"
  findmnt /mnt/own-limit
  same 1min\ 17s "$(systemctl show -P TimeoutUSec mnt-own\\x2dlimit.mount)" "the administrator's limit"
  same 1min\ 40s "$(systemctl show -P JobRunningTimeoutUSec "$(systemd-escape -p --suffix=device "/dev/rbd/$POOL/own-limit")")" \
    "how long systemd waits for the device"
}

powered_off() {
  [ "$BOOT" -gt 1 ] || return 0
  in_order "Unmounted mnt-own.x2dunit\.mount" "Stopping lab-network\.service"
  in_order "Unmounted mnt-own.x2dlimit\.mount" "own.*limit: unmapped /dev/rbd" "Stopping lab-network\.service"
}
