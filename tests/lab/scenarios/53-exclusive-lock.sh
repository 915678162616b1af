# exclusive-lock: the lock of a dead client is waited for and broken, or the missing capability is named; the lock of a live client is left, and its owner named
# machine: faults
# shellcheck shell=bash

images() {
  image crashed 32M
  image crashed-too 32M
  image held 32M
  image no-object-map 32M --image-feature layering,exclusive-lock
  # The capabilities of users made before Ceph had the monitor capability `profile rbd`.
  user unlucky 'allow r' 'profile rbd'
}

by_hand() {
  table crashed
  table held exclusive
  died
  died_without_object_map
  lives
  nothing_left
}

# The other user may not put a dead client on the blocklist, which is part of breaking its lock.
died() {
  on_host hold-lock "0:$POOL/crashed"
  on_host hold-lock "0:$POOL/crashed-too"
  rbdmap map --direct >said 2>&1 "$POOL/crashed" &
  local map=$!
  ends 1 rbdmap map --direct "$POOL/crashed-too" --id unlucky
  echo "$TOOK ms: $SAID"
  within 60000
  says "client.unlucky is not permitted to break it; give client.unlucky the monitor capability \`profile rbd\`"
  wait $map || fail "it said '$(cat said)'"
  cat said
  expect "waiting for the exclusive lock of a client that does not answer" <said
  is_mapped_once crashed
  # A user with that capability breaks it at once now.
  ends 0 rbdmap map --direct "$POOL/crashed-too" --id boot
  rbdmap unmap --direct "$POOL/crashed" "$POOL/crashed-too"
}

# Without an object map, too, the mapping waits for the lock, and not mount(8), which has a shorter time limit. Through systemd.
died_without_object_map() {
  fresh no-object-map ext4
  mkdir -p /mnt/no-object-map
  table no-object-map
  fstab "/dev/rbd/$POOL/no-object-map /mnt/no-object-map ext4 noauto 0 0"
  systemctl daemon-reload
  on_host hold-lock "0:$POOL/no-object-map"
  ends 0 rbdmap map "$POOL/no-object-map"
  echo "mounted in $TOOK ms: $SAID"
  findmnt /mnt/no-object-map
  rbdmap unmap "$POOL/no-object-map"
  sed -i /no-object-map/d /etc/fstab
}

lives() {
  on_host hold-lock "40:$POOL/held"
  ends 1 rbdmap map --direct "$POOL/held"
  echo "$TOOK ms: $SAID"
  within 20000
  says "another client has the exclusive lock and does not release it"
  # Ceph's command names the owner; where it is not installed, the message names that command. The owner runs on the cluster's host.
  if [ -x /usr/bin/rbd ]; then says " (10.77.0.1:"; else says "rbd lock ls $POOL/held"; fi
  says "peer will not release lock"
  on_host drop-lock "$POOL/held"
  # The watch of the killed owner ends after 30 s.
  ends 0 rbdmap map --timeout 60 "$POOL/held"
  rbdmap unmap "$POOL/held"
}
