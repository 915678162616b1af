# reboots: rescue and back, soft-reboot, and a reboot by kexec.target: all images return; what no unit stops is removed by force in the end
# kexec.target without a loaded kernel reboots: everything before the last step of a kexec is the same.
# shellcheck shell=bash

REBOOTED=(reboot-outer reboot-inner)
FORCED=forced

images() { images_of 32 "${REBOOTED[@]}" $FORCED; }

arrange() {
  fresh reboot-outer ext4 mkdir -p /mnt/inside
  fresh reboot-inner ext4
  fresh $FORCED ext4
  mkdir -p /mnt/reboot /mnt/$FORCED
  table reboot-outer
  table reboot-inner
  table $FORCED
  fstab "/dev/rbd/$POOL/reboot-outer /mnt/reboot ext4 noauto 0 0"
  fstab "/dev/rbd/$POOL/reboot-inner /mnt/reboot/inside ext4 noauto 0 0"
  fstab "/dev/rbd/$POOL/$FORCED /mnt/$FORCED ext4 noauto,_netdev 0 0"
  cat >/etc/systemd/system/lab-app-reboot.service <<'UNIT'
[Unit]
RequiresMountsFor=/mnt/reboot/inside
[Service]
ExecStart=/bin/bash -c "cd /mnt/reboot/inside; exec sleep infinity"
[Install]
WantedBy=multi-user.target
UNIT
  # The rescue shell would end at once, because the console has no input, and rescue.target with it.
  mkdir -p /etc/systemd/system/rescue.service.d
  printf '[Service]\nExecStart=\nExecStart=/bin/sleep infinity\n' >/etc/systemd/system/rescue.service.d/lab.conf
  systemctl enable rbdmap.service lab-app-reboot.service
}

all_is_there() {
  findmnt /mnt/reboot/inside
  findmnt /mnt/$FORCED
  same active "$(systemctl is-active lab-app-reboot.service)" "the application on the inner mount"
  same active "$(systemctl is-active rbdmap.service)" rbdmap.service
  local image
  for image in "${REBOOTED[@]}" $FORCED; do is_mapped_once "$image"; done
}

arranged() {
  all_is_there
  systemctl --no-block isolate rescue.target
  wait_for 60 is_state rescue.target active
  wait_for 60 nothing_is_mapped
  # No unit requires the network any more; it stops after the images.
  wait_for 30 is_state lab-network.service inactive
  nothing_left
  systemctl --no-block isolate multi-user.target
  wait_for 60 is_state lab-app-reboot.service active
  wait_for 60 is_state rbdmap.service active
  all_is_there
  date >/mnt/reboot/inside/arranged
}
is_state() { [ "$(systemctl is-active "$1")" = "$2" ]; }
nothing_is_mapped() { [ -z "$(mappings)" ]; }

soft_rebooted() {
  all_is_there
  ls /mnt/reboot/inside/arranged
}

# A process that left its unit stays in the mount, because no unit stops it. Only this scenario allows force.
rebooted() {
  all_is_there
  ls /mnt/reboot/inside/arranged
  (cd /mnt/$FORCED && exec setsid sleep infinity) </dev/null >/dev/null 2>&1 &
  echo 'shutdown_force = true' >/etc/rbdmap.toml
}

powered_off() {
  [ "$BOOT" = 5 ] || return 0
  in_order "Stopped lab-app-reboot\.service" "Unmounted mnt-reboot-inside\.mount" "reboot.*inner: unmapped /dev/rbd" \
    "Stopping lab-network\.service"
  in_order "$FORCED: waiting: /mnt/$FORCED is in use by pid [0-9]+ .sleep, user root, lab-agent\.service: /mnt/$FORCED" \
    "$FORCED: it stays mapped as /dev/rbd[0-9]+: /mnt/$FORCED is in use by pid" \
    "$FORCED: removed /dev/rbd[0-9]+ by force" "Stopping lab-network\.service"
  off_within 90
}
