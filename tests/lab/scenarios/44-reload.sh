# reload: the table edited in ten ways: new images are mapped and mounted, removed ones unmapped unless in use, all others untouched
# shellcheck shell=bash

RELOADED=(reload-a reload-b reload-c)
TABLE=/etc/ceph/rbdmap

images() { images_of 32 "${RELOADED[@]}" reload-hand reload-foreign; }

# lines IMAGE…: the table has these lines only.
lines() {
  : >$TABLE
  local image
  for image; do table "$image"; done
}

by_hand() {
  local image
  for image in "${RELOADED[@]}"; do
    fresh "$image" ext4
    mkdir -p "/mnt/$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto,_netdev 0 0"
  done
  map_by_hand reload-foreign
  rbdmap map "$POOL/reload-hand" --id boot
  lines reload-a
  rbdmap map
  systemctl start rbdmap.service
  edits
  systemctl stop rbdmap.service
  rbdmap unmap --direct "$POOL/reload-hand"
  unmap_by_hand reload-foreign
  nothing_left
}

edits() {
  local before
  # Added.
  lines reload-a reload-b
  before=$(client_of reload-a)
  ends 0 rbdmap reload --dry-run
  same "would map $POOL/reload-b" "$SAID" "the dry run"
  ends 0 rbdmap reload
  findmnt /mnt/reload-b
  # Moved lines, a duplicate line and a new comment change nothing.
  before=$(state)
  lines reload-b reload-a reload-a
  echo '# a comment' >>$TABLE
  ends 0 rbdmap reload
  same "$before" "$(state)" "everything after lines have moved"
  # Other options and another user are reported, and take effect later.
  : >$TABLE
  table reload-a "options='queue_depth=64'"
  echo "$POOL/reload-b id=admin,keyring=$KEYRING" >>$TABLE
  ends 0 rbdmap reload
  says "$POOL/reload-a: mapped with other options (+queue_depth=64); to apply the new ones, run \`rbdmap unmap $POOL/reload-a\`"
  same "$before" "$(state)" "everything after options have changed"
  # An invalid line may be that of any image: nothing is unmapped.
  lines reload-a
  echo "$POOL/reload-b id=boot,nonsense=1" >>$TABLE
  ends 1 rbdmap reload
  says "unknown option \"nonsense\""
  says "$POOL/reload-b: no longer listed; left mapped until the invalid lines are fixed"
  same "$before" "$(state)" "everything after a line was spoilt"
  gone
}

# client_of IMAGE: what would be different in another mapping of it.
client_of() { state | grep "/$(devices_of "$1" | tr -dc 0-9)/"; }

# Removed while in use, and then commented out; reloaded by systemctl; and the whole table removed.
gone() {
  lines reload-a
  (cd /mnt/reload-b && exec sleep 600) &
  ends 0 rbdmap reload
  says "$POOL/reload-b: no longer listed; left mapped: "
  says "(sleep"
  findmnt /mnt/reload-b
  kill $!
  wait $! || true
  sed -i "s|.*reload-b.*|#&|" $TABLE
  systemctl reload rbdmap.service
  is_not_mapped reload-b
  findmnt /mnt/reload-a
  lines reload-a reload-c
  systemctl reload rbdmap.service
  findmnt /mnt/reload-c
  systemctl show -p StatusText rbdmap.service | expect "2 of 2 images mapped, 2 of 2 file systems mounted"
  rm $TABLE
  ends 0 rbdmap reload
  is_not_mapped reload-a
  is_not_mapped reload-c
  is_mapped_once reload-hand
  is_mapped_once reload-foreign
}
