# volumes: LVM and LUKS on images, by systemd, LVM and x-rbdmap.image= in fstab: started in order, stopped in the reverse order
# LVM activates a volume group from a udev rule, in a transient service: nothing has to be enabled.
# shellcheck shell=bash

images() { images_of 64 volumes sealed; }

arrange() {
  rm -f /etc/udev/rules.d/69-lvm.rules
  systemctl unmask lvm2-monitor.service blk-availability.service
  systemctl enable lvm2-monitor.service blk-availability.service
  table volumes
  table sealed
  mkdir -p /mnt/{volumes,sealed}
  make_volume
  make_sealed
  fstab "/dev/lab/data /mnt/volumes ext4 noauto,_netdev,x-rbdmap.image=$POOL/volumes 0 0"
  fstab "/dev/mapper/sealed /mnt/sealed ext4 noauto,_netdev,x-rbdmap.image=$POOL/sealed,x-systemd.requires=systemd-cryptsetup@sealed.service 0 0"
  echo "sealed /dev/rbd/$POOL/sealed /etc/lab.key noauto,_netdev" >/etc/crypttab
  systemctl enable rbdmap.service
}

make_volume() {
  map_by_hand volumes
  pvcreate -q "$(devices_of volumes)"
  vgcreate -q lab "$(devices_of volumes)"
  lvcreate -q -y -n data -L 32M lab
  mkfs.ext4 -q /dev/lab/data
  vgchange -q -an lab
  unmap_by_hand volumes
}

# Few PBKDF2 iterations: the guest has one slow processor.
make_sealed() {
  (umask 077 && head -c 32 /dev/urandom >/etc/lab.key)
  map_by_hand sealed
  cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$(devices_of sealed)" /etc/lab.key
  cryptsetup open --key-file /etc/lab.key "$(devices_of sealed)" sealed
  mkfs.ext4 -q /dev/mapper/sealed
  cryptsetup close sealed
  unmap_by_hand sealed
}

alone() {
  wait_for 60 findmnt /mnt/sealed
  wait_for 60 findmnt /mnt/volumes
  date >/mnt/volumes/date
  date >/mnt/sealed/date
  # For the boots after this one. The units that systemd has loaded stay as they are until then.
  sed -i '/volumes\|sealed/d' /etc/ceph/rbdmap /etc/fstab /etc/crypttab
  ln -s /dev/null /etc/udev/rules.d/69-lvm.rules
  systemctl disable lvm2-monitor.service blk-availability.service
}

powered_off() {
  [ "$BOOT" = 4 ] || return 0
  in_order "Unmounted mnt-volumes\.mount" "volumes: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order "Unmounted mnt-sealed\.mount" "Stopped systemd-cryptsetup@sealed\.service|deactivating crypt device sealed" "sealed: unmapped /dev/rbd" \
    "Stopping lab-network\.service"
}
