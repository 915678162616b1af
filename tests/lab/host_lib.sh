# host_lib.sh: functions for the steps of scenarios on the host, before the first boot and after each poweroff.
# Those have the variables GUEST, POOL, BOOT, and that boot's BOOT_DIRECTORY, JOURNAL and CONSOLE (run.sh).
# shellcheck shell=bash

# image NAME SIZE [OPTION…]: with the default features of `rbd create`.
image() { cluster rbd create "$POOL/$1" --size "$2" "${@:3}"; }

# images_of MEBIBYTES NAME…: quicker than `image` for each.
images_of() { cluster /usr/bin/python3 "$LAB/images.py" create "$POOL" "$(($1 << 20))" "${@:2}"; }

# user NAME MON-CAPABILITY OSD-CAPABILITY: a user of the cluster. The guest has the keyring in the usual file.
user() {
  local keyring
  keyring=$(guest_directory "$GUEST")/overlay/etc/ceph/ceph.client.$1.keyring
  cluster ceph auth get-or-create "client.$1" mon "$2" osd "$3" -o "$keyring"
  chmod 600 "$keyring"
}

# in_order PATTERN…: extended regular expressions, each of which matches a line of the journal after the previous one's.
in_order() {
  local pattern at=0 line
  for pattern; do
    line=$(awk -v at="$at" -v pattern="${pattern//\\/\\\\}" 'NR > at && $0 ~ pattern { print NR; exit }' "$JOURNAL")
    [ -n "$line" ] || fail "not in $JOURNAL after line $at: $pattern"
    at=$line
  done
}

# off_within SECONDS: from the request to power off to the end of the guest.
off_within() {
  local took=$(($(cat "$BOOT_DIRECTORY/ended") - $(cat "$BOOT_DIRECTORY/poweroff-asked")))
  echo "powered off within $took s"
  [ "$took" -le "$1" ] || fail "it took $took s to power off, more than $1 s"
}

# rbdmap(8), "When the cluster is gone": three times ten seconds for the mounts, 20 for the images, 20 for the sweep, and at least 100 for
# the devices; then the network goes down. systemd then waits twice for its 15 s, and twice for its sync(2) to make no progress; the rest
# is what any shutdown takes.
ended_as_stated() {
  local asked down
  asked=$(cat "$BOOT_DIRECTORY/poweroff-asked")
  down=$(stat -c %Y "$BOOT_DIRECTORY/network-stopped")
  echo "the network went after $((down - asked)) s"
  [ $((down - asked)) -le 130 ] || fail "the network went after $((down - asked)) s"
  off_within 480
}

# Everything that this boot and its poweroff must not leave, a line each; nothing if all is well.
boot_complaints() {
  local end=$((SECONDS + 10)) holders
  cat "$BOOT_DIRECTORY/complaints"
  [ -s "$BOOT_DIRECTORY/network-stopped" ] || echo "the network was not stopped in order"
  grep -his 'ordering cycle\|deleted to break' "$JOURNAL" "$JOURNAL-before" "$CONSOLE" || true
  # Where a step has stopped the cluster, mounts and mappings may be left, and the scenario checks that the journal reports them.
  [ ! -e "$BOOT_DIRECTORY/without-cluster" ] || return 0
  grep '^still' "$BOOT_DIRECTORY/network-stopped" || true
  grep -his 'failed to unmount\|not unmounted' "$JOURNAL" "$JOURNAL-before" "$CONSOLE" || true
  # The watch of a client that did not close it ends after 30 s.
  until holders=$(pool_holders "$POOL" "$(guest_address "$GUEST")") && [ -z "$holders" ]; do
    [ "$SECONDS" -lt "$end" ] || break
    sleep 1
  done
  echo -n "${holders:+$holders$'\n'}"
  # The kernel client puts a client on the blocklist when it breaks its lock, and may do that to itself.
  blocklisted "$(guest_address "$GUEST")" | sed "s|^|on the blocklist: |"
}
