# nested: an image mounted inside another, and a service that needs the inner one: started in that order, stopped in the reverse order
# shellcheck shell=bash

images() {
  image outer 128M
  image inner 128M
}

# The inner image comes first: the order of lines does not matter.
lines() {
  table inner
  table outer
  fstab "/dev/rbd/$POOL/inner /mnt/outer/inner ext4 noauto,_netdev 0 0"
  fstab "/dev/rbd/$POOL/outer /mnt/outer ext4 noauto,_netdev 0 0"
}

by_hand() {
  fresh outer ext4 mkdir /mnt/inner
  fresh inner ext4
  mkdir -p /mnt/outer
  lines
  rbdmap map
  findmnt /mnt/outer
  findmnt /mnt/outer/inner
  rbdmap unmap
  nothing_left
}

configure() {
  lines
  systemctl enable rbdmap.service
  cat >/etc/systemd/system/lab-app.service <<'UNIT'
[Unit]
Description=Application that needs the inner mount
RequiresMountsFor=/mnt/outer/inner

[Service]
Type=oneshot
RemainAfterExit=yes
EnvironmentFile=/lab/guest.env
ExecStart=/bin/sh -ec 'echo "started in boot $BOOT" >>/mnt/outer/inner/data'
ExecStop=/bin/sh -ec 'echo "stopped in boot $BOOT" >>/mnt/outer/inner/data'

[Install]
WantedBy=multi-user.target
UNIT
  systemctl enable lab-app.service
}

booted() {
  findmnt /mnt/outer
  findmnt /mnt/outer/inner
  same active "$(systemctl is-active lab-app.service)" "the application"
  expect "started in boot $BOOT" </mnt/outer/inner/data
  [ "$BOOT" = 2 ] || expect "stopped in boot 2" </mnt/outer/inner/data
}

powered_off() {
  [ "$BOOT" -gt 1 ] || return 0
  in_order "Mounted mnt-outer\.mount" "Mounted mnt-outer-inner\.mount" "Starting lab-app\.service" \
    "Stopping lab-app\.service" "Stopped lab-app\.service" "Unmounted mnt-outer-inner\.mount" "Unmounted mnt-outer\.mount" \
    "Stopping lab-network\.service"
  expect_not "lab-app.service: Failed" <"$JOURNAL" >/dev/null
}
