# idempotent: a second map changes nothing; mappings of others are adopted, survive an unmap of everything, and are unmapped when named by device
# shellcheck shell=bash

images() {
  image idempotent 128M
  image foreign 128M
}

by_hand() {
  table idempotent
  rbdmap map --no-mount
  is_mapped_once idempotent
  local before
  before=$(state)
  expect "rbdmap:" <<<"$before"
  rbdmap map --no-mount
  strace -f -o trace rbdmap map --direct --no-mount
  same "$before" "$(state)" "the mappings after a second and a third map"
  # It may read other files of the bus; this one is opened only to map.
  expect_not "$ADD" <trace >/dev/null
  expect "exited with 0" <trace >/dev/null

  table foreign
  if has_ceph; then rbd --id boot map "$POOL/foreign"; else map_by_hand foreign; fi
  before=$(state)
  rbdmap map --no-mount
  rbdmap map --direct --no-mount
  same "$before" "$(state)" "the mappings after a foreign one was adopted"
  rbdmap unmap
  is_not_mapped idempotent
  is_mapped_once foreign
  rbdmap unmap "$(devices_of foreign)"
  nothing_left
}
