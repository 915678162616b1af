# many: 64 images: mapped by one command, listed, left alone by the second, and unmapped
# shellcheck shell=bash

MANY=64

# In a namespace, so that who asks the pool for its watchers after each boot does not ask 64 times.
images() {
  local number
  cluster rbd namespace create "$POOL/many"
  for number in $(seq $MANY); do
    image "many/$number" 8M &
    [ $((number % 8)) != 0 ] || wait
  done
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
  ends 0 rbdmap unmap --direct
  echo "unmapped in $TOOK ms"
  within 30000
  nothing_left
}
