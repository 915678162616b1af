# dead-monitors: four lines whose monitors do not answer, each for another reason: the good line is mapped at once, and the four are named
# machine: faults
# shellcheck shell=bash

images() { image alive 32M; }

# No host has the address; the port refuses; packets are dropped; a process accepts the connection and sends nothing.
DEAD=(10.77.0.99:3300 10.77.0.1:9 10.98.0.1:3300 127.0.0.1:7777)

by_hand() {
  trap revive EXIT
  # The host drops what it does not forward.
  ip route add 10.98.0.0/24 via 10.77.0.1
  systemd-run --quiet --unit=lab-silent --socket-property=ListenStream=127.0.0.1:7777 sleep 1000
  local number
  for number in "${!DEAD[@]}"; do table "dead$number" "mon_host=${DEAD[number]}"; done
  table alive

  maps_the_living --direct
  wait_for_the_end
  rbdmap unmap --direct
  nothing_left

  # The time that systemd takes to load the new units once is not part of what is measured.
  systemctl daemon-reload
  maps_the_living
  kill "$RBDMAP"
  wait "$RBDMAP" || true
  systemctl stop 'rbdmap@*.service'
  nothing_left
}

# In the background, because it continues with the dead monitors. RBDMAP is its pid, BEGUN the time of its start.
maps_the_living() {
  BEGUN=$EPOCHREALTIME
  rbdmap map --no-mount --timeout 8 "$@" >said 2>&1 &
  RBDMAP=$!
  until mapped alive; do
    [ "$(since_begin)" -lt 5000 ] || fail "after $(since_begin) ms the good line is not mapped; it said '$(cat said)'"
    # The guest has one processor: frequent polling would slow down what is measured.
    sleep 0.3
  done
  echo "the good line was mapped after $(since_begin) ms"
}
since_begin() { echo $(((${EPOCHREALTIME/[.,]/} - ${BEGUN/[.,]/}) / 1000)); }

wait_for_the_end() {
  local status=0 number
  wait "$RBDMAP" || status=$?
  echo "it ended after $(since_begin) ms"
  [ "$(since_begin)" -lt 12000 ] || fail "with --timeout 8 it ended after $(since_begin) ms"
  cat said
  same 1 "$status" "exit status"
  for number in "${!DEAD[@]}"; do grep "$POOL/dead$number: " said | expect "${DEAD[number]}"; done
  expect_not "$POOL/alive: no" <said
  is_mapped_once alive
}

revive() {
  systemctl stop lab-silent.socket lab-silent.service
  ip route del 10.98.0.0/24
}
