# cluster-lost: masked, rbdmap.service does nothing; disabled, an automount still maps; poweroff completes without the cluster, and without its OSDs
# soak: the cluster is lost in the other way: each guest as the other one in lab run
# Each such poweroff takes minutes, so each guest loses the cluster in one way: in Debian 12 the guest's interface goes down, in Debian 13
# monitor and OSD are killed; in a soak the other way round. In both there are dirty pages to write back.
# shellcheck shell=bash

LOST=(lost on-demand)

images() { images_of 64 "${LOST[@]}"; }

arrange() {
  fresh lost ext4
  fresh on-demand ext4 touch /mnt/there
  mkdir -p /mnt/{lost,on-demand}
  # systemd waits twice for this time for processes in uninterruptible sleep, other than ours. The default is 90 s.
  mkdir -p /etc/systemd/system.conf.d
  printf '[Manager]\nDefaultTimeoutStopSec=15s\n' >/etc/systemd/system.conf.d/lab.conf
  table lost
  table on-demand
  fstab "/dev/rbd/$POOL/lost /mnt/lost ext4 noauto,_netdev,x-systemd.mount-timeout=10 0 0"
  fstab "/dev/rbd/$POOL/on-demand /mnt/on-demand ext4 noauto,x-systemd.automount,x-systemd.mount-timeout=10 0 0"
}

# At the end of boot 5, while images are mapped: masked for the next boot, without an ordering cycle at this poweroff. The files are edited
# after the mask, because systemctl mask reloads systemd, and the new lines are for the next boot only.
rebooted() {
  findmnt /mnt/lost || rbdmap map
  systemctl disable rbdmap.service
  systemctl mask rbdmap.service
  systemctl disable lab-app-reboot.service || true
  sed -i '/on-demand\|lost/!d' /etc/ceph/rbdmap /etc/fstab
}

cut_off() {
  rm -f /etc/rbdmap.toml
  same "" "$(mappings)" "mappings of a boot with rbdmap.service masked"
  same "" "$(find /run/systemd/generator* -path '*rbdmap*')" "what the generator wrote"
  systemctl unmask rbdmap.service
  systemctl daemon-reload
  systemctl restart remote-fs.target
  systemctl start mnt-on\\x2ddemand.automount
  same inactive "$(systemctl is-active rbdmap.service)" "rbdmap.service, which is disabled"
  ls /mnt/on-demand/there
  is_mapped_once on-demand
  is_not_mapped lost
  systemctl start mnt-lost.mount
  third
  touch /lab/log/without-cluster
  dd if=/dev/urandom of=/mnt/lost/dirty bs=1M count=4
  date >/mnt/on-demand/dirty
  touch /lab/log/kill-cluster
  case $GUEST-$(longer every-day soak) in
    bookworm*-every-day | trixie*-soak) ip link set vec0 down ;;
    # The lab kills the cluster when no machine needs it any longer, which may take an hour in a soak.
    *) wait_for "$(longer 140 5000)" test -e /lab/log/cluster-killed ;;
  esac
}

# An image of another cluster, whose OSD is killed while its monitor still answers.
third() {
  frail_up
  frail_image lost-osd 32M
  frail_table lost-osd
  mkdir -p /mnt/lost-osd
  fstab "/dev/rbd/$POOL/lost-osd /mnt/lost-osd ext4 noauto,_netdev,x-systemd.mount-timeout=10 0 0"
  rbdmap map --direct --no-mount "$POOL/lost-osd"
  mkfs.ext4 -q "/dev/rbd/$POOL/lost-osd"
  rbdmap map "$POOL/lost-osd"
  findmnt /mnt/lost-osd
  dd if=/dev/urandom of=/mnt/lost-osd/dirty bs=1M count=4
  on_host frail osd kill
}

powered_off() {
  [ "$BOOT" = 6 ] || return 0
  ended_as_stated
  local image
  for image in lost lost-osd; do
    in_order "$POOL/$image: it stays mapped as /dev/rbd[0-9]+: .*cluster.*reachable"
    grep -q "^still mapped: $POOL/$image as" "$BOOT_DIRECTORY/network-stopped" || fail "$image was not mapped any more: was it dirty at all?"
  done
}
