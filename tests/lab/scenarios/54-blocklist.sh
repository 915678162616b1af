# blocklist: the client is put on the blocklist while images are mapped and written to: status reports it, unmap reports the loss, map recovers
# machine: faults
# shellcheck shell=bash

by_hand() {
  frail_up
  frail_image blocked 32M
  frail_image blocked-too 32M
  frail_table blocked
  frail_table blocked-too
  mkdir -p /mnt/blocked
  fstab "/dev/rbd/$POOL/blocked /mnt/blocked ext4 noauto,_netdev 0 0"
  rbdmap map --direct --no-mount "$POOL/blocked"
  mkfs.ext4 -q "/dev/rbd/$POOL/blocked"
  blocked_and_back --direct
  systemctl daemon-reload
  blocked_and_back
  # The message of the unit.
  journalctl -b -o cat --no-pager MESSAGE_ID=47f2f39bcc184d3f83283e71133d57ce ERRNO=108 RBD_IMAGE=blocked | expect "did not reach the cluster"
  nothing_left
}

# blocked_and_back [--direct]: with one engine or the other.
blocked_and_back() {
  rbdmap map "$@" "$POOL/blocked"
  date >/mnt/blocked/kept
  sync -f /mnt/blocked
  date >/mnt/blocked/lost
  ends 0 rbdmap status "$POOL/blocked"
  block_client
  ends 1 sync -f /mnt/blocked
  ends 1 rbdmap status "$POOL/blocked"
  says "$POOL/blocked: broken: writes do not reach the cluster: this host is on the cluster's blocklist"
  ends 0 rbdmap map "$@" "$POOL/blocked"
  says "$POOL/blocked: broken: writes do not reach the cluster"
  # Another image would use the same client.
  ends 1 rbdmap map --direct --no-mount "$POOL/blocked-too"
  echo "$TOOK ms: $SAID"
  within 5000
  says "this host is on the cluster's blocklist"
  ends 1 rbdmap unmap "$@" "$POOL/blocked"
  echo "$TOOK ms: $SAID"
  within 10000
  says "$POOL/blocked: unmapped /dev/rbd"
  says "did not reach the cluster: this host is on the cluster's blocklist"
  is_not_mapped blocked
  # The next map makes a new client.
  ends 0 rbdmap map "$@"
  is_mapped_once blocked-too
  cat /mnt/blocked/kept
  ends 0 rbdmap status "$POOL/blocked"
  ends 0 rbdmap unmap "$@"
}

# The client of the mapping, by its address and nonce, as `ceph osd blocklist` expects it.
block_client() {
  local device address
  device=$(devices_of blocked)
  read -r address <"/sys/bus/rbd/devices/${device#/dev/rbd}/client_addr"
  on_host frail ceph osd blocklist add "$address" 3600
}
