# concurrent: eight processes map, unmap, reload, start and stop the same images by both engines: no image is mapped twice, and no process hangs
# soak: eight processes for two minutes
# shellcheck shell=bash

SHARED=(concurrent-1 concurrent-2 concurrent-3 concurrent-4)

images() { images_of 32 "${SHARED[@]}"; }

by_hand() {
  local image number workers=() end
  for image in "${SHARED[@]}"; do
    fresh "$image" ext4
    mkdir -p "/mnt/$image"
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto 0 0"
  done
  systemctl daemon-reload
  end=$((SECONDS + $(longer 20 120)))
  for number in 1 2 3 4 5 6 7 8; do
    RANDOM=$((SEED + number))
    work "$end" >"worker-$number" 2>&1 &
    workers+=($!)
  done
  while [ $SECONDS -lt $end ]; do
    same "" "$(mappings | cut -d ' ' -f 1 | sort | uniq -d)" "images that are mapped twice"
    sleep 1
  done
  for number in "${workers[@]}"; do wait "$number" || fail "$(tail -n 3 worker-*)"; done
  grep -c . worker-* || true
  at_last
}

# Each command may fail because another was faster; but it ends, with an exit status of its own.
work() {
  set +x
  local end=$1 image status
  while [ $SECONDS -lt "$end" ]; do
    image=${SHARED[RANDOM % 4]}
    status=0
    case $((RANDOM % 8)) in
      0) one rbdmap map "$POOL/$image" ;;
      1) one rbdmap unmap "$POOL/$image" ;;
      2) one rbdmap map --direct "$POOL/$image" ;;
      3) one rbdmap unmap --direct --timeout 10 "$POOL/$image" ;;
      4) one rbdmap reload ;;
      5) one systemctl start "$(instance "$image")" ;;
      6) one systemctl stop "$(instance "$image")" ;;
      7) one rbdmap status ;;
    esac
  done
}
one() {
  local status=0
  timeout -k 5 100 "$@" || status=$?
  echo "$status: $*"
  [ "$status" -lt 124 ] || fail "it ended with $status: $*"
}

at_last() {
  local image
  rbdmap map || rbdmap map
  same 4 "$(mappings | wc -l)" mappings
  for image in "${SHARED[@]}"; do
    is_mapped_once "$image"
    same "$(devices_of "$image")" "$(findmnt -n -o SOURCE "/mnt/$image")" "what is mounted on /mnt/$image"
  done
  rbdmap unmap
  nothing_left
}
