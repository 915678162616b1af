# cluster-lost: a masked rbdmap.service keeps out of everything; and monitors and OSD killed before poweroff do not keep the machine up
# shellcheck shell=bash

images() { image lost 64M; }

arrange() {
  fresh lost ext4
  mkdir -p /mnt/lost
  table lost
  fstab "/dev/rbd/$POOL/lost /mnt/lost ext4 noauto,_netdev,x-systemd.mount-timeout=10 0 0"
}

cut_off() { systemctl mask rbdmap.service; }

cluster_lost() {
  same masked "$(systemctl is-enabled rbdmap.service || true)" rbdmap.service
  same "" "$(mappings)" mappings
  same "" "$(find /run/systemd/generator* -path '*rbdmap*')" "what the generator wrote"
  systemctl unmask rbdmap.service
  systemctl start rbdmap.service
  findmnt /mnt/lost
  touch /lab/log/without-cluster
  dd if=/dev/urandom of=/mnt/lost/dirty bs=1M count=4
  touch /lab/log/kill-cluster
  wait_for 120 test -e /lab/log/cluster-killed
}

powered_off() {
  [ "$BOOT" = 7 ] || return 0
  ended_as_stated
  in_order "lost: it stays mapped as /dev/rbd[0-9]+: .*is the cluster there"
}
