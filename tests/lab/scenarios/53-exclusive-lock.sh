# exclusive-lock: of a client that died it is waited for and broken, and told; of one that lives it is not, and the remedy is named
# shellcheck shell=bash

images() { image crashed 32M; image held 32M; }

by_hand() {
  table crashed
  table held exclusive
  died
  lives
  nothing_left
}

died() {
  outside hold-lock "0:$POOL/crashed"
  rbdmap map --direct >said 2>&1 "$POOL/crashed" &
  local map=$!
  wait $map || fail "it said '$(cat said)'"
  cat said
  expect "waiting for the exclusive lock of a client that is gone" <said
  is_mapped_once crashed
  rbdmap unmap --direct "$POOL/crashed"
}

lives() {
  outside hold-lock "40:$POOL/held"
  ends 1 rbdmap map --direct "$POOL/held"
  echo "$TOOK ms: $SAID"
  within 20000
  says "another client has the exclusive lock and does not give it up"
  says "rbd lock ls $POOL/held"
  says "peer will not release lock"
  outside drop-lock "$POOL/held"
  # Its watch ends after half a minute.
  ends 0 rbdmap map --direct --timeout 60 "$POOL/held"
  rbdmap unmap --direct
}
