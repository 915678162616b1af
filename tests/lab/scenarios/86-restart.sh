# restart: mounts and their users survive a restart of rbdmap.service, a reload and a re-execution of systemd
# shellcheck shell=bash

images() { image kept 32M; }

lines() {
  table kept
  fstab "/dev/rbd/$POOL/kept /mnt/kept ext4 noauto,_netdev 0 0"
}

# Stopping and starting the service unmaps and maps its images.
by_hand() {
  fresh kept ext4
  mkdir -p /mnt/kept
  lines
  systemctl daemon-reload
  systemctl start rbdmap.service
  findmnt /mnt/kept
  systemctl stop rbdmap.service
  wait_for 20 is_gone kept
  nothing_left
}

configure() {
  lines
  cat >/etc/systemd/system/lab-kept.service <<'UNIT'
[Unit]
RequiresMountsFor=/mnt/kept
[Service]
ExecStart=/bin/bash -c "cd /mnt/kept; exec sleep infinity"
[Install]
WantedBy=multi-user.target
UNIT
  systemctl enable rbdmap.service lab-kept.service
}

booted() {
  local before
  before=$(as_it_is)
  systemctl restart rbdmap.service
  same "$before" "$(as_it_is)" "the application and its mount after a restart of rbdmap.service"
  systemctl daemon-reload
  systemctl daemon-reexec
  same "$before" "$(as_it_is)" "the application and its mount after daemon-reexec"
  ends 1 rbdmap unmap "$POOL/kept"
  says "left mapped: lab-kept.service would be stopped with it"
  same "$before" "$(as_it_is)" "the application and its mount after an unmap that was refused"
}

is_gone() { ! mapped "$1"; }

as_it_is() {
  systemctl show -p MainPID -p ActiveState lab-kept.service
  findmnt -n -o SOURCE,TARGET,ID /mnt/kept
  devices_of kept
}

powered_off() {
  [ "$BOOT" -gt 1 ] || return 0
  in_order "Stopped lab-kept\.service" "Unmounted mnt-kept\.mount" "kept: unmapped /dev/rbd" "Stopping lab-network\.service"
}
