# five-hundred: hundreds of images mapped and unmapped repeatedly by both engines: no key, kernel memory, unit or descriptor leaks
# soak: 500 images, by both engines
# 500 in a soak, else 100. `lab bench many plain-{16,500}-{race,units}` compares the time for each image with that of 16.
# shellcheck shell=bash

number_of_images() { longer 100 500; }

images() {
  cluster rbd namespace create "$POOL/hundreds"
  # shellcheck disable=SC2046 # a list
  images_of 8 $(seq -f "hundreds/%.0f" "$(number_of_images)")
}

by_hand() {
  local number before after descriptors
  for number in $(seq "$(number_of_images)"); do table "hundreds/$number"; done
  up_and_down --direct
  before=$(slab)
  up_and_down --direct
  up_and_down --direct
  after=$(slab)
  echo "the kernel's memory that cannot be reclaimed: $before KiB before two rounds, $after KiB after them"
  [ $((after - before)) -le 4096 ] || fail "it has grown from $before to $after KiB"
  if [ -n "$SOAK" ]; then
    systemctl daemon-reload
    up_and_down --timeout 600
    descriptors=$(descriptors)
    up_and_down --timeout 600
    echo "descriptors of systemd and udevd: $descriptors before the last round, $(descriptors) after it"
    [ "$(descriptors)" -le $((descriptors + 8)) ] || fail "systemd and udevd have $(descriptors) descriptors, and had $descriptors"
    same "" "$(systemctl list-units --all --plain --no-legend 'rbdmap@*' | grep -v inactive)" "units that are left"
  fi
}

up_and_down() {
  ends 0 rbdmap map --no-mount "$@"
  echo "$*: up in $TOOK ms"
  same "$(number_of_images)" "$(mappings | sort -u -k 1,1 | wc -l)" "images that are mapped"
  ends 0 rbdmap unmap "$@"
  echo "$*: down in $TOOK ms"
  nothing_left
}
descriptors() { udevadm settle; find /proc/1/fd "/proc/$(systemctl show -P MainPID systemd-udevd)/fd" -type l | wc -l; }
slab() { sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1; awk '$1 == "SUnreclaim:" { print $2 }' /proc/meminfo; }
