# names: every image name that Ceph allows is mapped, listed, linked as udev links it, and unmapped: namespace, snapshot, clone, second pool
# shellcheck shell=bash

# An image name, and the name that udev gives its link.
odd_names() {
  cat <<'NAMES'
a-b a-b
-c -c
d.e d.e
f_g f_g
h+i h+i
j:k j:k
l=m l=m
n$o n_o
p%q p_q
r,s r_s
t* t_
u'v u_v
[w] _w_
x~y x_y
größe größe
NAMES
}

images() {
  local names
  mapfile -t names < <(odd_names | cut -d ' ' -f 1)
  images_of 8 "${names[@]}" snapped
  cluster rbd snap create "$POOL/snapped@monday"
  cluster rbd snap protect "$POOL/snapped@monday"
  cluster rbd clone "$POOL/snapped@monday" "$POOL/cloned"
  # The same name in a namespace of the pool and in another pool is another image.
  cluster rbd namespace create "$POOL/space"
  image space/snapped 8M
  pool_create "$POOL-2"
  cluster rbd create "$POOL-2/snapped" --size 8M
}

# A line `SPEC LINK` for each image of the table.
list_of_images() {
  local name link
  while read -r name link; do echo "$POOL/$name $POOL/$link"; done < <(odd_names)
  for name in "$POOL"/{snapped,snapped@monday,cloned,space/snapped} "$POOL-2/snapped"; do echo "$name $name"; done
}

by_hand() {
  local spec link specs
  while read -r spec link; do echo "$spec id=boot,keyring=$KEYRING"; done < <(list_of_images) >>/etc/ceph/rbdmap
  # A second line for an image that the table has already.
  table cloned
  list_of_images >wanted
  rbdmap map --direct --no-mount
  are_mapped
  local before
  before=$(state)
  rbdmap map --direct --no-mount
  same "$before" "$(state)" "the mappings after a second map"
  same_list
  cat /sys/bus/rbd/devices/*/parent | expect "snap_name monday" >/dev/null
  rbdmap unmap --direct
  nothing_left

  # Through units: the images whose names need escaping in a unit name.
  list_of_images | grep -E '[-$%*@ß]|/space/' >wanted
  mapfile -t specs < <(cut -d ' ' -f 1 wanted)
  rbdmap map --no-mount "${specs[@]}"
  are_mapped
  rbdmap unmap
  nothing_left

  read_only_beside_writable
}

# Each line of the file `wanted` is mapped once, with the default features of an image; snapshots are read-only; there is no other link.
are_mapped() {
  { local -; set +x; } 2>/dev/null
  local spec link device mode
  local -A links=()
  udevadm settle
  same "$(cut -d ' ' -f 1 wanted | sort)" "$(mappings | cut -d ' ' -f 1 | sort)" "what is mapped"
  same "$(cut -d ' ' -f 2 wanted | sort)" "$(find /dev/rbd -type l -printf '%P\n' | sort)" "the links"
  while read -r spec link; do links[$spec]=$link; done <wanted
  while read -r spec device mode; do
    link=${links[$spec]}
    [ "/dev/rbd/$link" -ef "/dev/$device" ] || fail "/dev/rbd/$link does not lead to $device, which is $spec"
    if [[ $spec = *@* ]]; then same ro "$mode" "mode of $spec"; else same rw "$mode" "mode of $spec"; fi
  done < <(mappings)
  same 0x000000000000003d "$(sort -u /sys/bus/rbd/devices/*/features)" "features"
}

same_list() {
  local spec device mode
  if has_ceph; then
    diff <(rbd --id boot device list) <(rbdmap list) || fail "not what rbd device list prints"
  fi
  { local -; set +x; } 2>/dev/null
  local list line words
  local -A lines=()
  list=$(rbdmap list)
  while read -r line; do
    read -ra words <<<"$line"
    lines[${words[-1]}]=$line
  done <<<"$list"
  while read -r spec device mode; do
    spec=${spec#*/}
    spec=${spec%@*}
    [[ ${lines[/dev/$device]} == *" ${spec#space/} "* ]] || fail "rbdmap list has no $spec at /dev/$device: $list"
  done < <(mappings)
}

# Two mappings of one image are unmapped separately.
read_only_beside_writable() {
  rbdmap map --no-mount "$POOL/cloned"
  rbdmap map --no-mount --id boot --read-only "$POOL/cloned"
  same "ro rw" "$(mappings | cut -d ' ' -f 3 | sort | paste -sd ' ')" "the mappings of one image"
  rbdmap map --no-mount --id boot --read-only "$POOL/cloned"
  same 2 "$(mappings | wc -l)" "mappings after the third map"
  rbdmap unmap
  same "$POOL/cloned ro" "$(mappings | cut -d ' ' -f 1,3)" "what is left when the table's is gone"
  rbdmap unmap "$POOL/cloned"
  nothing_left
}

powered_off() { same "" "$(pool_holders "$POOL-2")" "holders in the second pool"; }
