# killed-many: three images with mounts, map and unmap killed at each call that changes something: the next run leaves what is wanted
# Left out: openat and close of the bus's files, which change nothing that 60-killed-map does not look at.
# shellcheck shell=bash

KILLED=(killed-a killed-b killed-c)

images() {
  local image
  for image in "${KILLED[@]}"; do image "$image" 32M; done
}

by_hand() {
  local image
  for image in "${KILLED[@]}"; do
    fresh "$image" ext4
    mkdir -p "/mnt/$image"
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto 0 0"
  done
  kill_map add_key
  kill_map write -P "$ADD"
  kill_map mount,move_mount
  kill_unmap umount2
  kill_unmap write -P "$REMOVE"
  rbdmap unmap --direct
  nothing_left
}

# At the first such call, then at the second, until it ends unharmed.
kill_map() {
  local number=0
  while rbdmap unmap --direct >/dev/null && killed $((number + 1)) map "$@"; do
    number=$((number + 1))
    rbdmap map --direct
    all_stand
  done
  [ "$number" -gt 0 ] || fail "map makes no call of $1"
  all_stand
}
kill_unmap() {
  local number=0
  while rbdmap map --direct >/dev/null && all_stand && killed $((number + 1)) unmap "$@"; do
    number=$((number + 1))
    rbdmap unmap --direct
    nothing_left
  done
  [ "$number" -gt 0 ] || fail "unmap makes no call of $1"
  nothing_left
}

# killed NUMBER VERB CALLS [FILTER…]: whether the program, or a child of it, was killed, into that call.
killed() {
  local number=$1 verb=$2 calls=$3
  shift 3
  timeout -k 5 40 strace -f -qq -o trace -e "trace=$calls" -e "inject=$calls:signal=KILL:when=$number" "$@" rbdmap "$verb" --direct || true
  cat trace
  grep -q "killed by SIGKILL" trace
}

all_stand() {
  local image
  same 3 "$(mappings | wc -l)" mappings
  for image in "${KILLED[@]}"; do
    same "$(devices_of "$image")" "$(findmnt -n -o SOURCE "/mnt/$image")" "what is mounted on /mnt/$image"
  done
}
