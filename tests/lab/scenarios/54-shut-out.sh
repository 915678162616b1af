# shut-out: this host on the cluster's blocklist while images are mapped and written to: status says so, unmap ends, and map brings all back
# shellcheck shell=bash

by_hand() {
  frail_up
  frail_image shut-out 32M
  frail_image shut-in 32M
  frail_table shut-out
  frail_table shut-in
  mkdir -p /mnt/shut-out
  fstab "/dev/rbd/$POOL/shut-out /mnt/shut-out ext4 noauto,_netdev 0 0"
  rbdmap map --direct --no-mount "$POOL/shut-out"
  mkfs.ext4 -q "/dev/rbd/$POOL/shut-out"
  rbdmap map --direct "$POOL/shut-out"
  date >/mnt/shut-out/kept
  sync -f /mnt/shut-out
  date >/mnt/shut-out/lost
  shut_out
  ends 1 sync -f /mnt/shut-out
  rbdmap status || true
  journalctl -k -b -o cat | tail -n 30
  ends 1 rbdmap map --direct --no-mount "$POOL/shut-in"
  echo "$TOOK ms: $SAID"
  rbdmap status || true
  ends 0 rbdmap unmap --direct
  echo "$TOOK ms: $SAID"
  ends 0 rbdmap map --direct
  echo "$TOOK ms: $SAID"
  cat /mnt/shut-out/kept
  ends 0 rbdmap unmap --direct
  nothing_left
}

# The client of the mapping, by its address and nonce, as `ceph osd blocklist` wants it.
shut_out() {
  local device address
  device=$(devices_of shut-out)
  read -r address <"/sys/bus/rbd/devices/${device#/dev/rbd}/client_addr"
  outside frail ceph osd blocklist add "$address" 3600
}
