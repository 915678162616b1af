# dead-monitors: four lines whose monitors do not answer, each in its way: the good line is mapped at once, and the dead ones are named
# shellcheck shell=bash

images() { image alive 32M; }

# Nobody has the address; the port refuses; nobody answers; somebody takes the connection and says nothing.
DEAD=(10.77.0.99:3300 10.77.0.1:9 10.98.0.1:3300 127.0.0.1:7777)

by_hand() {
  trap revive EXIT
  # What the machine outside does not forward, it drops.
  ip route add 10.98.0.0/24 via 10.77.0.1
  systemd-run --quiet --unit=lab-silent --socket-property=ListenStream=127.0.0.1:7777 sleep 1000
  local number
  for number in "${!DEAD[@]}"; do table "dead$number" "mon_host=${DEAD[number]}"; done
  table alive

  maps_the_living --direct
  wait_for_the_end
  rbdmap unmap --direct
  nothing_left

  # What is measured is not how long systemd takes to read all units again, which it must once.
  systemctl daemon-reload
  maps_the_living
  kill "$RBDMAP"
  wait "$RBDMAP" || true
  systemctl stop 'rbdmap@*.service'
  nothing_left
}

# In the background: it goes on with the dead ones. The pid is in RBDMAP, the time of its start in BEGUN.
maps_the_living() {
  BEGUN=$EPOCHREALTIME
  rbdmap map --no-mount --timeout 8 "$@" >said 2>&1 &
  RBDMAP=$!
  until mapped alive; do
    [ "$(since_begin)" -lt 5000 ] || fail "after $(since_begin) ms the good line is not mapped; it said '$(cat said)'"
    # Looking often would take the guest's only processor from those who work.
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
