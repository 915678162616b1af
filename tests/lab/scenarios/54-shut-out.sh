# shut-out: this host on the cluster's blocklist while images are mapped and written to: told by status, by unmap what is lost, and map brings all back
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
  shut_out_and_back --direct
  systemctl daemon-reload
  shut_out_and_back
  # What its unit has said.
  journalctl -b -o cat --no-pager MESSAGE_ID=47f2f39bcc184d3f83283e71133d57ce ERRNO=108 RBD_IMAGE=shut-out | expect "has arrived"
  nothing_left
}

# shut_out_and_back [--direct]: by one engine or the other.
shut_out_and_back() {
  rbdmap map "$@" "$POOL/shut-out"
  date >/mnt/shut-out/kept
  sync -f /mnt/shut-out
  date >/mnt/shut-out/lost
  ends 0 rbdmap status "$POOL/shut-out"
  shut_out
  ends 1 sync -f /mnt/shut-out
  ends 1 rbdmap status "$POOL/shut-out"
  says "$POOL/shut-out: broken: nothing that is written arrives: this host is on the cluster's blocklist"
  ends 0 rbdmap map "$@" "$POOL/shut-out"
  says "$POOL/shut-out: broken: nothing that is written arrives"
  # Another image would go through the same client.
  ends 1 rbdmap map --direct --no-mount "$POOL/shut-in"
  echo "$TOOK ms: $SAID"
  within 5000
  says "this host is on the cluster's blocklist"
  ends 1 rbdmap unmap "$@" "$POOL/shut-out"
  echo "$TOOK ms: $SAID"
  within 10000
  says "$POOL/shut-out: unmapped /dev/rbd"
  says "has arrived: this host is on the cluster's blocklist"
  is_not_mapped shut-out
  # The client after it is another.
  ends 0 rbdmap map "$@"
  is_mapped_once shut-in
  cat /mnt/shut-out/kept
  ends 0 rbdmap status "$POOL/shut-out"
  ends 0 rbdmap unmap "$@"
}

# The client of the mapping, by its address and nonce, as `ceph osd blocklist` wants it.
shut_out() {
  local device address
  device=$(devices_of shut-out)
  read -r address <"/sys/bus/rbd/devices/${device#/dev/rbd}/client_addr"
  outside frail ceph osd blocklist add "$address" 3600
}
