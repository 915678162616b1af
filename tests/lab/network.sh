# network.sh: the lab's own network: a namespace with a bridge (the cluster's address) and a tap for each machine.
# Processes in it cannot reach the host's network, and others cannot reach it.
# The namespace also registers what the lab has started: the next lab finds and ends the processes of one that was killed.
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

# The guest's index in GUEST_NAMES determines its tap and its addresses.
guest_number() {
  local number
  for number in "${!GUEST_NAMES[@]}"; do
    [ "${GUEST_NAMES[number]}" != "$1" ] || { echo "$number"; return; }
  done
  die "no guest is named '$1'; there are: ${GUESTS[*]}"
}
guest_tap() { echo "tap$(guest_number "$1")"; }
# Without one, User Mode Linux draws the same address in several machines, and QEMU has a fixed one.
guest_mac() { printf '02:00:0a:4d:00:%02x\n' "$((10 + $(guest_number "$1")))"; }
guest_address() { echo "10.77.0.$((10 + $(guest_number "$1")))"; }
# The address of the machine's own cluster for failures.
frail_address() { echo "10.77.0.$((40 + $(guest_number "$1")))"; }

network_pids() { ip netns pids "$NAMESPACE" 2>/dev/null || true; }

# Ends every process of the lab by its pid (SIGKILL after five seconds), and removes the namespace and the data of the clusters. Their
# logs stay.
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
