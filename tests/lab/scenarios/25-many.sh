# many: 64 images: mapped by one command, listed, left alone by a second command, and unmapped
# shellcheck shell=bash

MANY=64

# In a namespace, because pool_holders runs a command for each image of the pool itself.
images() {
  cluster rbd namespace create "$POOL/many"
  # shellcheck disable=SC2046 # a list
  images_of 8 $(seq -f "many/%.0f" $MANY)
}

by_hand() {
  local number before
  for number in $(seq $MANY); do table "many/$number"; done
  ends 0 rbdmap map --direct --no-mount
  echo "mapped in $TOOK ms"
  within 30000
  same $MANY "$(mappings | sort -u -k 1,1 | grep -c " rw$")" "images that are mapped"
  same $MANY "$(mappings | wc -l)" mappings
  same $((MANY + 1)) "$(rbdmap list | wc -l)" "lines of the list, one of them its head"
  before=$(state)
  ends 0 rbdmap map --direct --no-mount
  echo "found mapped in $TOOK ms"
  same "$before" "$(state)" "the mappings after a second map"
  opens_no_fstab
  ends 0 rbdmap unmap --direct
  echo "unmapped in $TOOK ms"
  within 30000
  nothing_left
}

# As the unit of one image runs it.
opens_no_fstab() {
  strace -f -o trace -e trace=openat rbdmap map --direct --no-mount "$POOL/many/1"
  same 0 "$(grep -c '/etc/fstab' trace)" "times that fstab is opened"
  same 1 "$(mappings | grep -c "^$POOL/many/1 ")" "mappings of many/1"
}
