#!/bin/bash
# inside.sh rbd|ours DIRECTORY: runs one side of one row in its own namespaces, on a machine with the row's /etc/ceph.
# Owns the machine that both sides see. The result is DIRECTORY/SIDE.line, the line that the side wrote to the bus.
# The bus is a directory: a side that writes a line to it waits for a device that never appears, so it is killed then. The
# machine also lacks libceph, which accepts keys: strace reports success to our program, and its log contains the key.
set -euo pipefail

SIDE=$1
DIRECTORY=$2
BUS=/sys/bus/rbd

machine() {
  hostname node1.example.org
  mount -t tmpfs tmpfs /sys/bus
  mkdir -p $BUS/devices
  touch $BUS/add $BUS/add_single_major $BUS/remove $BUS/remove_single_major
  # Without udev and systemd, and with locks that no other row sees.
  mount -t tmpfs tmpfs /run
  mount --bind "$DIRECTORY/etc" /etc/ceph
  mount --bind "$DIRECTORY/hosts" /etc/hosts
  # The mounts and settings of this machine do not belong to the row.
  local file
  : >"$DIRECTORY/empty"
  for file in /etc/fstab /etc/rbdmap.toml; do [ ! -e $file ] || mount --bind "$DIRECTORY/empty" $file; done
  cd "$DIRECTORY/home"
}

# The table's line goes to Ceph's script or to our program; arguments go to `rbd device map` or to our program.
command_of_side() {
  local words=()
  if [ -s "$DIRECTORY/args" ]; then
    eval "words=($(cat "$DIRECTORY/args"))"
    case $SIDE in
      rbd) COMMAND=(rbd device map "${words[@]}") ;;
      ours) COMMAND=("$PROGRAM" map --direct --no-mount --timeout 10 "${words[@]}") ;;
    esac
  else
    case $SIDE in
      rbd) COMMAND=(bash -x /usr/bin/rbdmap map) ;;
      ours) COMMAND=("$PROGRAM" map --direct --no-mount --timeout 10) ;;
    esac
  fi
  # shellcheck disable=SC2054 # commas within a word
  [ "$SIDE" = rbd ] || COMMAND=(
    strace -f -qq -xx -s 400 -o "$DIRECTORY/ours.keys" -e trace=add_key,keyctl
    -e inject=add_key:retval=1 -e inject=keyctl:retval=0 "${COMMAND[@]}"
  )
}

# Runs the side until it has written its line or has ended without one.
run() {
  local variables=() end=$((SECONDS + 30)) leader
  mapfile -t variables <"$DIRECTORY/env"
  setsid env -i PATH="$PATH" HOME="$DIRECTORY/home" "${variables[@]}" "${COMMAND[@]}" >"$DIRECTORY/$SIDE.output" 2>&1 </dev/null &
  leader=$!
  until [ -s $BUS/add_single_major ] || ! kill -0 $leader 2>/dev/null; do
    [ "$SECONDS" -lt "$end" ] || { echo "no line and no end within 30 s" >>"$DIRECTORY/$SIDE.output"; break; }
    sleep 0.05
  done
  # Our program ends by itself; strace has written the key by then.
  [ "$SIDE" = rbd ] || wait $leader || true
  kill -KILL -- -$leader 2>/dev/null || true
  cat $BUS/add_single_major >"$DIRECTORY/$SIDE.line"
}

machine
command_of_side
run
