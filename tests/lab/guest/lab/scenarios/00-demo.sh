# demo: what is typed in the guest while `lab demo` shows it. The same means as a scenario, but it is not one.
# shellcheck shell=bash

# Types a command: it and its output go to the screen that demo.sh shows.
typed() {
  echo "# $*" >>/lab/log/screen
  bash -c "$*" >>/lab/log/screen 2>&1
}

configure() {
  fresh demo xfs sh -c 'echo "Hello from a block device in a Ceph cluster." >/mnt/hello'
  mkdir -p /mnt/demo
  table demo
  fstab "/dev/rbd/$POOL/demo /mnt/demo xfs noauto 0 0"
  typed grep -v ^# /etc/ceph/rbdmap
  typed cat /etc/fstab
  typed rbdmap map
  typed df -h /mnt/demo
  typed cat /mnt/demo/hello
  typed rbdmap unmap
  typed systemctl enable rbdmap.service
}

booted() {
  typed systemctl list-units --plain --no-legend "'rbdmap*'" mnt-demo.mount
  typed findmnt /mnt/demo
  typed cat /mnt/demo/hello
}
