# status: wanted and actual state side by side: problems first, with reasons; for a terminal, a pipe and a program; as root and not
# shellcheck shell=bash

images() { images_of 32 status-mounted status-bare status-hand status-foreign; }

by_hand() {
  fresh status-mounted ext4
  mkdir -p /mnt/status-mounted
  local image
  for image in status-mounted status-bare status-nope; do table "$image"; done
  fstab "/dev/rbd/$POOL/status-mounted /mnt/status-mounted ext4 noauto,_netdev 0 0"
  ends 1 rbdmap status
  same not-mapped "$(state_of status-bare)" "what nobody has asked for"
  rbdmap map || true
  rbdmap map "$POOL/status-hand" --id boot --read-only
  map_by_hand status-foreign
  rows
  one_image
  used
  for_programs
  without_root
  rbdmap unmap
  rbdmap unmap --direct "$POOL/status-hand"
  unmap_by_hand status-foreign
}

# state_of IMAGE: the second field of its line.
state_of() { rbdmap status | awk -F '\t' -v image="$POOL/$1" '$1 == image { print $2 }'; }

rows() {
  ends 1 rbdmap status
  same "$POOL/status-nope" "$(sed -n 2p <<<"$SAID" | cut -f 1)" "the first image, which is the problem"
  says "the pool, namespace, image or snapshot does not exist"
  same failed "$(state_of status-nope)" "an image that does not exist"
  same mounted "$(state_of status-mounted)" "one that is mounted"
  same mapped "$(state_of status-bare)" "one without a line in fstab"
  same by-hand "$(state_of status-hand)" "one mapped by hand"
  same foreign "$(state_of status-foreign)" "one that another program mapped"
  grep -qP "^$POOL/status-mounted\tmounted\t/dev/rbd[0-9]+\t33554432\trw\t/mnt/status-mounted\tactive\t$" <<<"$SAID" ||
    fail "its line: $(grep status-mounted <<<"$SAID")"
  # On a terminal of 80 columns, by script(1), which ends lines with carriage returns.
  script -qec "env COLUMNS=80 rbdmap status" /dev/null | tr -d '\r' >terminal || true
  cat terminal
  head -n 1 terminal | expect "IMAGE"
  ! grep -E '.{81}' terminal || fail "lines longer than the terminal"
}

one_image() {
  ends 0 rbdmap status "$POOL/status-mounted"
  says "$POOL/status-mounted: mounted"
  says "mapped by   rbdmap, from the table"
  says "monitors    10.77.0.1:"
  says "features    layering exclusive-lock object-map fast-diff deep-flatten"
  says "$(cat "/sys/bus/rbd/devices/$(devices_of status-mounted | tr -dc 0-9)/client_id")"
  says "unit        $(instance status-mounted) (active)"
  says "journal "
  ends 1 rbdmap status "$POOL/status-nope"
  says "$POOL/status-nope: failed: the pool"
  ends 1 rbdmap status "$POOL/never-heard-of"
  says "$POOL/never-heard-of: neither listed nor mapped"
}

# The processes that use an image are listed, in text and JSON, if the image is named on the command line.
used() {
  (cd /mnt/status-mounted && exec sleep 60) &
  local holder=$!
  # shellcheck disable=SC2064 # it is known now
  trap "kill $holder" EXIT
  wait_for 5 [ "/proc/$holder/cwd" -ef /mnt/status-mounted ]
  ends 0 rbdmap status "$POOL/status-mounted"
  says "used by     pid $holder (sleep, user root"
  ends 0 rbdmap status --json "$POOL/status-mounted"
  says "\"pid\":$holder,\"command\":\"sleep\",\"uid\":0,\"user\":\"root\""
  kill $holder
  trap - EXIT
  wait $holder || true
  ends 0 rbdmap status --json "$POOL/status-mounted"
  says '"holders":[]'
  ends 1 rbdmap status --json
  says '"holders":null'
}

# cargo test validates the schema; here: it is one object on one line with the same states.
for_programs() {
  ends 1 rbdmap status --json
  same 1 "$(wc -l <<<"$SAID")" "lines of JSON"
  says "\"image\":\"$POOL/status-nope\""
  says '"state":"failed","problem":true,"remark":"the pool'
  says '"origin":"hand"'
}

without_root() {
  ends 1 setpriv --reuid=65534 --regid=65534 --clear-groups rbdmap status
  says "run as root to see who mapped it"
  grep -qP "^$POOL/status-mounted\tmounted\t/dev/rbd" <<<"$SAID" || fail "what is mounted: $SAID"
}
