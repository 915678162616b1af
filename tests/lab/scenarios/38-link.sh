# link: the network link down during a map, 20 % packet loss, 300 ms delay, a clock off by a year: images are mapped and unmapped all the same
# machine: faults
# shellcheck shell=bash

images() { image linked 32M; }

by_hand() {
  trap 'repair_link' EXIT
  table linked
  down_and_up
  bad_link "loss 20%" 60000
  bad_link "delay 300ms" 30000
  wrong_clock
  trap - EXIT
  nothing_left
}

repair_link() {
  ip link set vec0 up
  tc qdisc del dev vec0 root || true
}

# The link goes down before the map and returns during it: the map then completes.
down_and_up() {
  ip link set vec0 down
  rbdmap map --direct >said 2>&1 &
  local map=$!
  sleep 5
  is_not_mapped linked
  ip link set vec0 up
  wait $map || fail "it said '$(cat said)'"
  cat said
  is_mapped_once linked
  # The client's keepalive gets no answer, and requests wait.
  ip link set vec0 down
  (sleep 4; ip link set vec0 up) &
  ends 0 rbdmap unmap --direct
  wait
  echo "unmapped in $TOOK ms"
  nothing_left
}

bad_link() {
  # shellcheck disable=SC2086 # words
  tc qdisc replace dev vec0 root netem $1
  ends 0 rbdmap map --direct
  echo "$1: mapped in $TOOK ms"
  within "$2"
  dd if="/dev/rbd/$POOL/linked" of=/dev/null bs=64k count=4 iflag=direct
  ends 0 rbdmap unmap --direct --timeout 60
  echo "$1: unmapped in $TOOK ms"
  within "$2"
  tc qdisc del dev vec0 root
}

# The kernel compares the expiry of tickets with the clock, which is a year ahead of the cluster's, then a year behind.
wrong_clock() {
  date -s '+1 year'
  rbdmap map --direct || { date -s '-1 year'; fail "not with a clock that is fast"; }
  date -s '-2 years'
  { rbdmap unmap --direct && rbdmap map --direct && rbdmap unmap --direct; } || { date -s '+1 year'; fail "not with a clock that is slow"; }
  date -s '+1 year'
}
