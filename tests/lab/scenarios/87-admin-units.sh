# admin-units: an administrator's masked mount, own mount unit and drop-ins take precedence, and the images are mapped all the same
# shellcheck shell=bash

images() { images_of 32 admin-masked admin-unit admin-limit; }

configure() {
  local image units=/etc/systemd/system
  for image in admin-masked admin-unit admin-limit; do
    fresh "$image" ext4
    mkdir -p "/mnt/$image"
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto 0 0"
  done
  systemctl mask mnt-admin\\x2dmasked.mount
  cat >"$units/mnt-admin\\x2dunit.mount" <<UNIT
[Unit]
After=$(instance admin-unit)
Requires=$(instance admin-unit)
[Mount]
What=/dev/rbd/$POOL/admin-unit
Where=/mnt/admin-unit
Type=ext4
Options=_netdev,noatime,ro
[Install]
WantedBy=rbdmap.service
UNIT
  mkdir -p "$units/mnt-admin\\x2dlimit.mount.d"
  printf '[Mount]\nTimeoutSec=77\n' >"$units/mnt-admin\\x2dlimit.mount.d/50-admin.conf"
  # systemd still has the generated unit.
  systemctl daemon-reload
  systemctl enable rbdmap.service mnt-admin\\x2dunit.mount
}

booted() {
  is_mapped_once admin-masked
  ! findmnt /mnt/admin-masked || fail "a masked mount is mounted"
  findmnt -n -o OPTIONS /mnt/admin-unit | expect "ro,noatime"
  findmnt /mnt/admin-limit
  same 1min\ 17s "$(systemctl show -P TimeoutUSec mnt-admin\\x2dlimit.mount)" "the administrator's limit"
  same 1min\ 40s "$(systemctl show -P JobRunningTimeoutUSec "$(systemd-escape -p --suffix=device "/dev/rbd/$POOL/admin-limit")")" \
    "how long systemd waits for the device"
}

powered_off() {
  [ "$BOOT" -gt 1 ] || return 0
  in_order "Unmounted mnt-admin.x2dunit\.mount" "Stopping lab-network\.service"
  in_order "Unmounted mnt-admin.x2dlimit\.mount" "admin.*limit: unmapped /dev/rbd" "Stopping lab-network\.service"
}
