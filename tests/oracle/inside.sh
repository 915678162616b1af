#!/bin/bash
# inside.sh rbd|ours FOLDER: one row by one side, in namespaces of its own, on a machine that has the row's /etc/ceph.
# Owns the machine that both sides see, and nothing of what is made of it: FOLDER/SIDE.line is what was written to the bus.
# The surprise: the bus is a folder. Whoever writes a line to it waits for a device that never comes, so it is ended then. Nor
# has such a machine libceph, which takes keys: ours is told by strace that its key was taken, and the key is read there.
set -euo pipefail

SIDE=$1
FOLDER=$2
BUS=/sys/bus/rbd

machine() {
  hostname node1.example.org
  mount -t tmpfs tmpfs /sys/bus
  mkdir -p $BUS/devices
  touch $BUS/add $BUS/add_single_major $BUS/remove $BUS/remove_single_major
  # No udev, no systemd, and locks that no other row sees.
  mount -t tmpfs tmpfs /run
  mount --bind "$FOLDER/etc" /etc/ceph
  mount --bind "$FOLDER/hosts" /etc/hosts
  # What this machine itself has to map is nobody's business here.
  local file
  : >"$FOLDER/nothing"
  for file in /etc/fstab /etc/rbdmap.toml; do [ ! -e $file ] || mount --bind "$FOLDER/nothing" $file; done
  cd "$FOLDER/home"
}

# The same line by Ceph's script or by us; the same arguments to `rbd device map` or to us.
command_of_side() {
  local words=()
  if [ -s "$FOLDER/args" ]; then
    eval "words=($(cat "$FOLDER/args"))"
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
    strace -f -qq -xx -s 400 -o "$FOLDER/ours.keys" -e trace=add_key,keyctl
    -e inject=add_key:retval=1 -e inject=keyctl:retval=0 "${COMMAND[@]}"
  )
}

# Until it has written its line, or has ended without one.
run() {
  local variables=() end=$((SECONDS + 30)) leader
  mapfile -t variables <"$FOLDER/env"
  setsid env -i PATH="$PATH" HOME="$FOLDER/home" "${variables[@]}" "${COMMAND[@]}" >"$FOLDER/$SIDE.said" 2>&1 </dev/null &
  leader=$!
  until [ -s $BUS/add_single_major ] || ! kill -0 $leader 2>/dev/null; do
    [ "$SECONDS" -lt "$end" ] || { echo "neither wrote nor ended in 30 s" >>"$FOLDER/$SIDE.said"; break; }
    sleep 0.05
  done
  # Ours ends by itself, and strace then has the key.
  [ "$SIDE" = rbd ] || wait $leader || true
  kill -KILL -- -$leader 2>/dev/null || true
  cat $BUS/add_single_major >"$FOLDER/$SIDE.line"
}

machine
command_of_side
run
