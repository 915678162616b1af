# network.sh: the lab's own network: a namespace with a bridge (the cluster's address) and a tap for each guest.
# Nothing in it can reach the machine's network, and nothing outside can reach it.
# The surprise: the namespace is also the register of what the lab started. A lab that was killed is found and ended through it.
# shellcheck shell=bash

in_network() { ip netns exec "$NAMESPACE" "$@"; }

network_up() {
  in_network true 2>/dev/null || network_create
}

network_create() {
  ip netns del "$NAMESPACE" 2>/dev/null || rm -f "/run/netns/$NAMESPACE"
  ip netns add "$NAMESPACE"
  ip -n "$NAMESPACE" link set lo up
  ip -n "$NAMESPACE" link add br0 type bridge
  ip -n "$NAMESPACE" addr add "$CLUSTER_ADDRESS/24" dev br0
  ip -n "$NAMESPACE" link set br0 up
  local guest
  for guest in "${GUEST_NAMES[@]}"; do
    ip -n "$NAMESPACE" tuntap add dev "$(guest_tap "$guest")" mode tap
    ip -n "$NAMESPACE" link set "$(guest_tap "$guest")" master br0 up
  done
}

# The guest's place in GUEST_NAMES gives its tap and its address.
guest_number() {
  local number
  for number in "${!GUEST_NAMES[@]}"; do
    [ "${GUEST_NAMES[number]}" != "$1" ] || { echo "$number"; return; }
  done
  die "no guest is named '$1'; there are: ${GUESTS[*]}"
}
guest_tap() { echo "tap$(guest_number "$1")"; }
guest_address() { echo "10.77.0.$((10 + $(guest_number "$1")))"; }
# Of the cluster that the guest's scenarios may harm.
frail_address() { echo "10.77.0.$((40 + $(guest_number "$1")))"; }

network_pids() { ip netns pids "$NAMESPACE" 2>/dev/null || true; }

# Ends every process of the lab, by its id (five seconds, then SIGKILL), and the namespace; what the clusters stored goes with
# them, their logs stay.
network_down() {
  local pids
  mapfile -t pids < <(network_pids)
  if [ ${#pids[@]} -gt 0 ]; then
    kill "${pids[@]}" 2>/dev/null || true
    wait_until 5 network_is_empty || kill -KILL "${pids[@]}" 2>/dev/null || true
  fi
  ip netns del "$NAMESPACE" 2>/dev/null || true
  rm -rf "$LAB_MEMORY"/*/{mon,osd,quorumless}
}
network_is_empty() { [ -z "$(network_pids)" ]; }
