# killed-map: killed in each system call of the sequence add_key, open, write, close: the next map leaves exactly one mapping
# shellcheck shell=bash

images() { image killed 128M; }

by_hand() {
  table killed
  modprobe rbd
  # Killed on entry, so that the call has no effect. At close the write is done: the image is mapped.
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

# killed_at SYSCALL [FILTER…]: in the first such call, whichever process of the program makes it.
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
