# through-systemd: nested mounts, an automount, two commands at once, users of an image, --no-block, an interrupt; without dbus-daemon, without the private socket
# shellcheck shell=bash

images() { images_of 32 asked asked-inner; }

by_hand() {
  fresh asked ext4
  mkdir -p /mnt/asked
  table asked
  fstab "/dev/rbd/$POOL/asked /mnt/asked ext4 noauto,_netdev 0 0"
  nested
  other_needs
  users
  not_waiting
  interrupted
  stopped_meanwhile
  other_ways
  nothing_left
}

# All images, one image, and two commands at the same time.
nested() {
  fresh asked-inner ext4 touch /mnt/there
  rbdmap map
  mkdir -p /mnt/asked/inner
  table asked-inner
  fstab "/dev/rbd/$POOL/asked-inner /mnt/asked/inner ext4 noauto,_netdev,x-systemd.automount 0 0"
  rbdmap map
  is_mapped_once asked-inner
  ls /mnt/asked/inner/there
  rbdmap unmap "$POOL/asked-inner"
  is_not_mapped asked-inner
  is_mapped_once asked
  local first
  rbdmap map >first 2>&1 &
  first=$!
  rbdmap map
  wait "$first"
  cat first
  is_mapped_once asked
  is_mapped_once asked-inner
  ls /mnt/asked/inner/there
  rbdmap unmap
  nothing_left
  sed -i /asked-inner/d /etc/ceph/rbdmap /etc/fstab
  systemctl daemon-reload
}

# The image is mapped, but another requirement of its mount fails.
other_needs() {
  mkdir -p /run/systemd/system/mnt-asked.mount.d
  printf '[Unit]\nRequires=lab-fails.service\nAfter=lab-fails.service\n' >/run/systemd/system/mnt-asked.mount.d/lab.conf
  printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' >/run/systemd/system/lab-fails.service
  systemctl daemon-reload
  ends 1 rbdmap map
  says "$POOL/asked: not mounted on /mnt/asked: something that it needs has failed; \`systemctl --failed\` shows what"
  is_mapped_once asked
  rbdmap unmap
  rm -r /run/systemd/system/mnt-asked.mount.d /run/systemd/system/lab-fails.service
  systemctl daemon-reload
  systemctl reset-failed
}

users() {
  printf '[Unit]\nRequiresMountsFor=/mnt/asked\n[Service]\nExecStart=/bin/sleep infinity\n' >/run/systemd/system/lab-database.service
  systemctl daemon-reload
  rbdmap map
  systemctl start lab-database.service
  ends 1 rbdmap unmap "$POOL/asked"
  says "$POOL/asked: left mapped: lab-database.service would be stopped with it; \`systemctl stop lab-database.service\` first, or use --stop-users"
  same active "$(systemctl is-active lab-database.service)" "who needs it, after a refusal"
  ends 0 rbdmap unmap --stop-users "$POOL/asked"
  says "stopping lab-database.service; \`systemctl start lab-database.service\` starts them again"
  is_not_mapped asked
  systemctl start lab-database.service
  findmnt /mnt/asked
  systemctl stop lab-database.service
  ends 1 setpriv --reuid=65534 --regid=65534 --clear-groups rbdmap unmap
  says "permission denied; run this as root"
  is_mapped_once asked
  rbdmap unmap
}

not_waiting() {
  ends 0 rbdmap map --no-block
  says "$POOL/asked: systemd is mapping it"
  wait_for 20 findmnt /mnt/asked
  ends 0 rbdmap unmap --no-block
  says "$POOL/asked: systemd is unmapping it"
  wait_for 20 is_gone
  ends 2 rbdmap map --no-block --direct
}
is_gone() { ! mapped asked; }

# No monitor answers: the command runs until it is interrupted, and systemd's job continues.
interrupted() {
  : >/etc/ceph/rbdmap
  table asked mon_host=10.77.0.99:3300
  local status=0
  timeout -s INT 12 rbdmap map >said 2>&1 || status=$?
  cat said
  same 124 "$status" "what timeout says when it had to interrupt"
  expect "ended by SIGINT; systemd and the kernel finish what they were asked to do" <said
  same activating "$(systemctl is-active "$(instance asked)")" "the unit, which goes on"
  ends 1 rbdmap status
  says "waiting for a monitor"
  ends 0 rbdmap unmap "$POOL/asked"
  same inactive "$(systemctl is-active "$(instance asked)")" "the unit, which has not failed but was stopped"
  : >/etc/ceph/rbdmap
  table asked
}

# Stopped while the kernel maps it: the mapping is removed again. When the device appears, systemd starts the units that it requires, which
# replaces a stop job that was just queued: that job is reported as canceled, and the caller must stop the unit again.
stopped_meanwhile() {
  local delay
  for delay in 0.2 0.5 0.8; do
    systemctl start --no-block "$(instance asked)"
    sleep "$delay"
    systemctl stop "$(instance asked)" || systemctl stop "$(instance asked)"
    sleep 2
    is_not_mapped asked
  done
}

device_unit_is_down() { ! systemctl is-active --quiet "$(systemd-escape --path --suffix=device "/dev/rbd/$POOL/asked")"; }

other_ways() {
  systemctl stop dbus.socket dbus.service
  rbdmap map
  findmnt /mnt/asked
  rbdmap unmap
  systemctl start dbus.socket
  mount --bind /dev/null /run/systemd/private
  rbdmap map
  findmnt /mnt/asked
  rbdmap unmap
  umount /run/systemd/private
  # Until systemd has noticed that the device is gone, it takes the device of the next mapping for the old one, and nothing can
  # tell whether it still has to notice the new one.
  wait_for 10 device_unit_is_down
  # Without systemd, as in this namespace, that is reported once, and the process itself does the work.
  ends 0 unshare --mount --propagation slave sh -c "mount -t tmpfs none /run/systemd && rbdmap map --no-mount"
  says "systemd is not running: this process does the work"
  is_mapped_once asked
  rbdmap unmap --direct "$POOL/asked"
}
