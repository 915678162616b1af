# killed-many: three images (eight in a soak) with mounts, map and unmap killed at each call that changes something: the next run leaves what is wanted
# Left out: openat and close of the bus's files, which change nothing that killed-map does not look at.
# The surprise: strace counts the calls of each thread by itself, and there is a thread for each. So the second call is the first
# of a run that has found one image done.
# shellcheck shell=bash

read -ra KILLED <<<"$(longer "killed-a killed-b killed-c" "$(echo killed-{a,b,c,d,e,f,g,h})")"

images() {
  local image
  for image in "${KILLED[@]}"; do image "$image" 32M; done
}

by_hand() {
  local image done_before
  for image in "${KILLED[@]}"; do
    fresh "$image" ext4
    mkdir -p "/mnt/$image"
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto 0 0"
  done
  # Each round goes from nothing to all, and back.
  for done_before in 0 1 2; do
    killed "$done_before" map add_key
    all_stand
    killed "$done_before" unmap umount2
    nothing_left
    killed "$done_before" map write -P "$ADD"
    all_stand
    killed "$done_before" unmap write -P "$REMOVE"
    nothing_left
    killed "$done_before" map mount,move_mount
    all_stand
    rbdmap unmap --direct
    nothing_left
  done
  killed_meanwhile
  killed_at_random "$(longer 4 200)"
  [ -z "$SOAK" ] || killed_at_every_call
}

# Into the Nth call of the first thread that comes so far, for every seventh N, until the program comes to its end before. Which of
# the seven, SEED says: soaks with seven seeds in a row go through all.
killed_at_every_call() {
  local verb number
  for verb in map unmap; do
    for number in $(seq $((SEED % 7 + 1)) 7 10000); do
      [ "$verb" = map ] || rbdmap map --direct
      timeout -k 5 90 strace -f -qq -o trace -e trace=all -e "inject=all:signal=KILL:when=$number" rbdmap "$verb" --direct || true
      grep -q "killed by SIGKILL" trace || break
      echo "$verb is killed at call $number"
      timeout -k 5 60 rbdmap "$verb" --direct
      if [ "$verb" = map ]; then all_stand; else nothing_left; fi
      timeout -k 5 60 rbdmap unmap --direct
      nothing_left
    done
  done
}

# At whatever moment the program dies, once more is enough.
killed_at_random() {
  local round verb program
  RANDOM=$SEED
  for round in $(seq "$1"); do
    verb=map
    [ $((RANDOM % 2)) = 0 ] || { verb=unmap; rbdmap map --direct; }
    rbdmap "$verb" --direct &
    program=$!
    sleep "0.$((RANDOM % 100 + 10))"
    echo "round $round: $verb is killed"
    kill -KILL "$program" || true
    wait "$program" || true
    timeout -k 5 60 rbdmap "$verb" --direct
    if [ "$verb" = map ]; then all_stand; else nothing_left; fi
    timeout -k 5 60 rbdmap unmap --direct
    nothing_left
  done
}

# The program is killed, and what it has asked of the kernel goes on: one image in use, the others being mapped. Where
# the write itself is interrupted, it leaves a lock, and the next mapping breaks it: with the client of the image in use.
killed_meanwhile() {
  local delay program
  for delay in 0.1 0.3 0.5 0.8; do
    rbdmap map --direct "$POOL/${KILLED[0]}"
    rbdmap map --direct &
    program=$!
    sleep "$delay"
    kill -KILL "$program" || true
    wait "$program" || true
    timeout -k 5 40 rbdmap map --direct
    all_stand
    date >"/mnt/${KILLED[0]}/date"
    sync -f "/mnt/${KILLED[0]}"
    timeout -k 5 40 rbdmap unmap --direct
    nothing_left
  done
}

# killed NUMBER VERB CALLS [FILTER…]: with so many images done, the program, or a child of it, is killed into such a call;
# then it is run again.
killed() {
  local verb=$2 calls=$3 already=("${KILLED[@]:0:$1}")
  [ "$1" = 0 ] || rbdmap "$verb" --direct "${already[@]/#/"$POOL/"}"
  shift 3
  timeout -k 5 40 strace -f -qq -o trace -e "trace=$calls" -e "inject=$calls:signal=KILL:when=1" "$@" rbdmap "$verb" --direct || true
  cat trace
  expect "killed by SIGKILL" <trace >/dev/null
  timeout -k 5 40 rbdmap "$verb" --direct
}

all_stand() {
  local image
  same ${#KILLED[@]} "$(mappings | wc -l)" mappings
  for image in "${KILLED[@]}"; do
    same "$(devices_of "$image")" "$(findmnt -n -o SOURCE "/mnt/$image")" "what is mounted on /mnt/$image"
  done
}
