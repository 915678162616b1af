# demo: the commands that `lab demo` shows. Written like a scenario, but not one.
# shellcheck shell=bash

# typed COMMAND…: appends the command and its output to the file that demo.sh shows.
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
