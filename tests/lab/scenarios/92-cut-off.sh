# cut-off: with rbdmap.service disabled an automount still maps its image; and the interface gone before poweroff does not keep the machine up
# shellcheck shell=bash


images() { image cut-off 64M; image on-demand 64M; }

arrange() {
  fresh cut-off ext4
  fresh on-demand ext4 touch /mnt/there
  mkdir -p /mnt/{cut-off,on-demand}
  # systemd waits so long, twice, for processes that the kernel does not give back, ours aside: its default is 90 s.
  mkdir -p /etc/systemd/system.conf.d
  printf '[Manager]\nDefaultTimeoutStopSec=15s\n' >/etc/systemd/system.conf.d/lab.conf
  table cut-off
  table on-demand
  fstab "/dev/rbd/$POOL/cut-off /mnt/cut-off ext4 noauto,_netdev,x-systemd.mount-timeout=10 0 0"
  fstab "/dev/rbd/$POOL/on-demand /mnt/on-demand ext4 noauto,x-systemd.automount,x-systemd.mount-timeout=10 0 0"
}

# After whatever scenarios before this one have enabled; the application of one would pull in its own image.
# What they have in their files is for the boot that this one ends.
rebooted() {
  systemctl disable rbdmap.service
  systemctl disable lab-app-reboot.service || true
  sed -i '/cut-off\|on-demand\|lost/!d' /etc/ceph/rbdmap /etc/fstab
  rm -f /etc/crypttab
}

# Automounts are enabled by themselves (systemd.automount(5)), and what they need they pull in.
cut_off() {
  rm -f /etc/rbdmap.toml
  same inactive "$(systemctl is-active rbdmap.service)" "rbdmap.service, which is disabled"
  is_not_mapped cut-off
  is_not_mapped on-demand
  ls /mnt/on-demand/there
  is_mapped_once on-demand
  systemctl start mnt-cut\\x2doff.mount
  touch /lab/log/without-cluster
  # Pages that have to go back over a network that is not there.
  dd if=/dev/urandom of=/mnt/cut-off/dirty bs=1M count=4
  date >/mnt/on-demand/dirty
  ip link set vec0 down
}

powered_off() {
  [ "$BOOT" = 6 ] || return 0
  ended_as_stated
  in_order "cut-off: it stays mapped as /dev/rbd[0-9]+: .*is the cluster there"
  grep -q "^still mapped: $POOL/cut-off" "$BOOT_FOLDER/network-stopped" || fail "it was not mapped any more: was it dirty at all?"
}
