# list: rbdmap list prints byte for byte what rbd device list prints, plain and JSON, with and without mappings
# shellcheck shell=bash

images() {
  image list 128M
  image a-rather-long-name 128M
  cluster rbd snap create "$POOL/list@monday"
}

by_hand() {
  modprobe rbd
  same_lists empty
  map_by_hand list
  map_by_hand a-rather-long-name
  map_by_hand list monday
  same_lists three
  unmap_by_hand list
  unmap_by_hand a-rather-long-name
  nothing_left
}

same_lists() {
  local format
  for format in plain json; do
    if has_ceph; then
      rbd --id boot device list --format "$format" >wanted
    else
      "wanted_$1_$format" >wanted
    fi
    rbdmap list --format "$format" >ours
    cat -A wanted ours
    cmp wanted ours || fail "$1, $format: not the same"
  done
  rbdmap list | cmp - <(rbdmap list --format plain) || fail "plain is the default"
}

# What `rbd device list` of Ceph 16 and 18 prints, for guests that do not have it.
wanted_empty_plain() { :; }
wanted_empty_json() { echo "[]"; }
wanted_three_plain() {
  local row="%-2s  %-${#POOL}s  %-9s  %-18s  %-6s  %-9s\n"
  # shellcheck disable=SC2059
  printf "$row" id pool namespace image snap device 0 "$POOL" "" list - /dev/rbd0 \
    1 "$POOL" "" a-rather-long-name - /dev/rbd1 2 "$POOL" "" list monday /dev/rbd2
}
wanted_three_json() {
  printf '[{"id":"0","pool":"%s","namespace":"","name":"list","snap":"-","device":"/dev/rbd0"},' "$POOL"
  printf '{"id":"1","pool":"%s","namespace":"","name":"a-rather-long-name","snap":"-","device":"/dev/rbd1"},' "$POOL"
  printf '{"id":"2","pool":"%s","namespace":"","name":"list","snap":"monday","device":"/dev/rbd2"}]\n' "$POOL"
}
