# host_lib.sh: what scenarios use outside the guest: before its first boot, and after each poweroff.
# They see GUEST, POOL, BOOT, and that boot's BOOT_DIRECTORY, JOURNAL and CONSOLE (run.sh).
# shellcheck shell=bash

# image NAME SIZE [OPTION…]: with the features that `rbd create` gives an image when nothing is said.
image() { cluster rbd create "$POOL/$1" --size "$2" "${@:3}"; }

# user NAME MON-CAPABILITY OSD-CAPABILITY: a user of the cluster, whose keyring the guest gets as administrators name it.
user() {
  local keyring
  keyring=$(guest_directory "$GUEST")/overlay/etc/ceph/ceph.client.$1.keyring
  cluster ceph auth get-or-create "client.$1" mon "$2" osd "$3" -o "$keyring"
  chmod 600 "$keyring"
}

# in_order PATTERN…: extended regular expressions; each is in the journal, and after the one before it.
in_order() {
  local pattern at=0 line
  for pattern; do
    line=$(awk -v at="$at" -v pattern="${pattern//\\/\\\\}" 'NR > at && $0 ~ pattern { print NR; exit }' "$JOURNAL")
    [ -n "$line" ] || fail "not in $JOURNAL after line $at: $pattern"
    at=$line
  done
}

# off_within SECONDS: from the wish to power off to the end of the guest.
off_within() {
  local took=$(($(cat "$BOOT_DIRECTORY/ended") - $(cat "$BOOT_DIRECTORY/poweroff-asked")))
  echo "powered off within $took s"
  [ "$took" -le "$1" ] || fail "it took $took s to power off, more than $1 s"
}

# rbdmap(8), "When the cluster is gone": three times ten seconds for the mounts, 20 for the images, 20 for the sweep, and no less
# than 100 for the devices; then the network goes. systemd then takes its 15 s twice, and twice what its sync(2) takes to
# see that nothing moves; and there is what a shutdown takes anyhow.
ended_as_stated() {
  local asked down
  asked=$(cat "$BOOT_DIRECTORY/poweroff-asked")
  down=$(stat -c %Y "$BOOT_DIRECTORY/network-stopped")
  echo "the network went after $((down - asked)) s"
  [ $((down - asked)) -le 130 ] || fail "the network went after $((down - asked)) s"
  off_within 480
}

# Everything that kept this boot from ending as it must; a line each, nothing if all is well.
boot_complaints() {
  local end=$((SECONDS + 10)) holders
  cat "$BOOT_DIRECTORY/complaints"
  [ -s "$BOOT_DIRECTORY/network-stopped" ] || echo "the network was not stopped in order"
  grep -his 'ordering cycle\|deleted to break' "$JOURNAL" "$JOURNAL-before" "$CONSOLE" || true
  # Where a step has taken the cluster away, what is left is what the journal must tell, and the scenario looks there.
  [ ! -e "$BOOT_DIRECTORY/without-cluster" ] || return 0
  grep '^still' "$BOOT_DIRECTORY/network-stopped" || true
  grep -his 'failed to unmount\|not unmounted' "$JOURNAL" "$JOURNAL-before" "$CONSOLE" || true
  # A client that did not say goodbye is remembered for 30 s; one that did, is gone at once.
  until holders=$(pool_holders "$POOL" "$(guest_address "$GUEST")") && [ -z "$holders" ]; do
    [ "$SECONDS" -lt "$end" ] || break
    sleep 1
  done
  echo -n "${holders:+$holders$'\n'}"
  # The kernel has a client shut out whose lock it takes for a dead one's, and may take its own.
  blocklisted "$(guest_address "$GUEST")" | sed "s|^|on the blocklist: |"
}
