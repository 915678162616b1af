# degraded-host: slow udev, links changed by hand, no module, read-only /sys, no capability, no keys, no journal, full disks: works, or reports the cause
# machine: faults
# soak: udev takes 30 s for a device
# The scenario no-udev runs without udevd.
# shellcheck shell=bash

images() { image degraded 32M; }

by_hand() {
  trap repair EXIT
  table degraded
  fresh degraded ext4
  mkdir -p /mnt/degraded
  fstab "/dev/rbd/$POOL/degraded /mnt/degraded ext4 noauto 0 0"
  slow_udev
  links_by_hand
  no_module
  not_the_host
  no_more_keys
  nowhere_to_write
  no_journal
  repair
  trap - EXIT
  nothing_left
}

repair() {
  rm -f /etc/modprobe.d/lab.conf /etc/udev/rules.d/10-lab.rules
  udevadm control --reload
  sysctl -q kernel.keys.root_maxkeys=1000000
  umount /run/rbdmap 2>/dev/null || true
  rm -f /filler /filler-2
  systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service
}

goes_up_and_down() {
  ends 0 rbdmap map --direct
  UP=$SAID
  echo "$1: mapped and mounted in $TOOK ms: $SAID"
  findmnt /mnt/degraded
  test -b "/dev/rbd/$POOL/degraded"
  ends 0 rbdmap unmap --direct
  echo "$1: down in $TOOK ms: $SAID"
}

slow_udev() {
  echo "ACTION==\"add\", KERNEL==\"rbd*\", PROGRAM=\"/bin/sleep $(longer 6 30)\"" >/etc/udev/rules.d/10-lab.rules
  udevadm control --reload
  goes_up_and_down "a rule that takes its time"
  expect "waiting for udev to create the link /dev/rbd/$POOL/degraded to /dev/rbd" <<<"$UP"
  rm /etc/udev/rules.d/10-lab.rules
  udevadm control --reload
}

# A link that was removed while the image is mapped is made again; directories made by an administrator do no harm; a file where the link
# should be is replaced or named.
links_by_hand() {
  rbdmap map --direct --no-mount
  rm "/dev/rbd/$POOL/degraded"
  ends 0 rbdmap map --direct
  test -b "/dev/rbd/$POOL/degraded"
  rm -r /dev/rbd
  ends 0 rbdmap unmap --direct
  mkdir -p "/dev/rbd/$POOL"
  goes_up_and_down "directories made by hand"
  mkdir -p "/dev/rbd/$POOL"
  echo "by hand" >"/dev/rbd/$POOL/degraded"
  rbdmap map --direct --no-mount --timeout 10 >said 2>&1 || expect "/dev/rbd/$POOL/degraded" <said
  cat said
  rbdmap unmap --direct
  rm -rf /dev/rbd
}

no_module() {
  modprobe -r rbd
  echo "install rbd /bin/false" >/etc/modprobe.d/lab.conf
  ends 1 rbdmap map --direct
  echo "$TOOK ms: $SAID"
  within 5000
  says "the kernel module rbd cannot be loaded"
  echo "install rbd /bin/sleep 1000" >/etc/modprobe.d/lab.conf
  ends 1 rbdmap map --direct --timeout 5
  echo "$TOOK ms: $SAID"
  within 9000
  says "the kernel module rbd cannot be loaded"
  rm /etc/modprobe.d/lab.conf
}

not_the_host() {
  modprobe rbd
  ends 1 unshare -m sh -c 'mount -o remount,bind,ro /sys && exec rbdmap map --direct --no-mount'
  echo "$SAID"
  says "/sys is read-only"
  ends 1 setpriv --bounding-set -sys_admin rbdmap map --direct --no-mount
  echo "$SAID"
  says "root on the host"
  ends 1 setpriv --reuid=65534 --regid=65534 --clear-groups rbdmap map --direct --no-mount
  echo "$SAID"
  says "root"
  # In a container with a user namespace, and in one without, which has a /dev of its own and a read-only /sys.
  ends 1 unshare --user --map-root-user --mount --net --pid --fork rbdmap map --direct --no-mount --timeout 10
  echo "$TOOK ms: $SAID"
  within 15000
  says "$POOL/degraded: "
  says "the host"
  ends 1 unshare --mount --net --pid --fork --mount-proc sh -c \
    'mount -t tmpfs none /dev && mount -t tmpfs none /run && mount -o remount,bind,ro /sys && exec rbdmap map --no-mount --timeout 10'
  echo "$TOOK ms: $SAID"
  within 15000
  says "$POOL/degraded: "
  says "the host"
  is_not_mapped degraded
}

no_more_keys() {
  sysctl -q kernel.keys.root_maxkeys=1
  ends 1 rbdmap map --direct
  echo "$SAID"
  says "quota"
  sysctl -q kernel.keys.root_maxkeys=1000000
}

# It creates locks in /run/rbdmap, which need no space; but a full tmpfs has no inode for them.
nowhere_to_write() {
  mkdir -p /run/rbdmap
  mount -t tmpfs -o size=4k,nr_inodes=2 full /run/rbdmap
  echo x >/run/rbdmap/filler
  ends 1 rbdmap map --direct
  echo "$SAID"
  says /run/rbdmap
  says "No space left"
  umount /run/rbdmap
  mount -t tmpfs -o ro nothing /run/rbdmap
  ends 1 rbdmap map --direct
  echo "$SAID"
  says "Read-only file system"
  umount /run/rbdmap
  # It writes nothing on /.
  fallocate -l "$(df --output=avail -B 1 / | tail -n 1)" /filler
  dd if=/dev/zero of=/filler-2 bs=1M status=none || true
  goes_up_and_down "no room on /"
  rm /filler /filler-2
}

no_journal() {
  systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service
  ends 0 rbdmap map
  echo "without a journal: $TOOK ms: $SAID"
  findmnt /mnt/degraded
  ends 0 rbdmap unmap
  echo "without a journal: $TOOK ms: $SAID"
  systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service
}
