# killed-many: three images with mounts, map and unmap killed in each call that changes something: the next run completes the work
# soak: eight images; 200 kills at random moments; a kill at every seventh system call
# The scenario killed-map covers openat and close of the files of the bus.
# strace counts the calls of each thread separately, and each image has a thread. So the "second call" is the first call of a run that
# found one image done.
# shellcheck shell=bash

read -ra KILLED <<<"$(longer "killed-a killed-b killed-c" "$(echo killed-{a,b,c,d,e,f,g,h})")"

images() { images_of 32 "${KILLED[@]}"; }

by_hand() {
  local image done_before
  for image in "${KILLED[@]}"; do
    fresh "$image" ext4
    mkdir -p "/mnt/$image"
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto 0 0"
  done
  # Each round maps all images, and unmaps all.
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

# In the Nth call of the first thread that reaches it, for every seventh N, until the program ends before that call. SEED selects the
# offset: soaks with seven consecutive seeds cover every call.
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

# At whatever moment the program is killed, another run completes the work.
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

# The program is killed, and its requests to the kernel continue: one image is in use, the others are being mapped. An interrupted
# write leaves a lock, which the next mapping breaks with the client of the image in use.
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

# killed NUMBER VERB CALLS [FILTER…]: with NUMBER images done, the program or a child of it is killed on entry to such a call; then it is
# run again.
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
