# killed-map: killed at any system call of the sequence add_key, open, write, close, the next map leaves exactly one mapping
# shellcheck shell=bash

images() { image killed 128M; }

by_hand() {
  table killed
  modprobe rbd
  # Into the call, so that it is not carried out; killed at close, the write has been: the image is mapped.
  killed_at add_key
  is_not_mapped killed
  again
  killed_at openat -P "$ADD"
  is_not_mapped killed
  again
  killed_at write -P "$ADD"
  is_not_mapped killed
  again
  killed_at close -P "$ADD"
  is_mapped_once killed
  again
}

# killed_at SYSCALL [FILTER…]: the first one of it; the program, and whatever process of it made the call.
killed_at() {
  local call=$1
  shift
  strace -f -o trace -e "trace=$call" -e "inject=$call:signal=KILL:when=1" "$@" rbdmap map --direct --no-mount "$POOL/killed" || true
  cat trace
  grep -q "$call(.*" trace || fail "no $call was made"
  expect "killed by SIGKILL" <trace >/dev/null
}

again() {
  rbdmap map --direct --no-mount "$POOL/killed"
  is_mapped_once killed
  test -b "/dev/rbd/$POOL/killed"
  rbdmap unmap --direct "$POOL/killed"
  nothing_left
}
