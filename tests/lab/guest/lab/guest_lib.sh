# guest_lib.sh: functions for the steps of scenarios in the guest: the administrator's files, and the mappings as the kernel lists them.
# Nothing here calls the program under test; the scenarios do. What they call most starts few processes, which take this kernel 10 ms and
# more each, and is not traced.
# shellcheck shell=bash

KEYRING=/etc/ceph/ceph.client.boot.keyring
ADD=/sys/bus/rbd/add_single_major
REMOVE=/sys/bus/rbd/remove_single_major

# table IMAGE [OPTIONS], fstab FIELD…: a line in the administrator's files.
table() { echo "$POOL/$1 id=boot,keyring=$KEYRING${2:+,$2}" >>/etc/ceph/rbdmap; }
fstab() { echo "$*" >>/etc/fstab; }

instance() { systemd-escape --template=rbdmap@.service "$POOL/$1"; }

# Every mapping, a line `SPEC rbdN rw|ro` each, from sysfs.
mappings() {
  { local -; set +x; } 2>/dev/null
  local device pool_name namespace name snapshot ro
  for device in /sys/bus/rbd/devices/*; do
    { read -r pool_name <"$device/pool" && read -r namespace <"$device/pool_ns" && read -r name <"$device/name" &&
      read -r snapshot <"$device/current_snap" && read -r ro <"/sys/block/rbd${device##*/}/ro"; } 2>/dev/null || continue
    [ "$snapshot" != - ] || snapshot=
    if [ "$ro" = 1 ]; then ro=ro; else ro=rw; fi
    echo "$pool_name/${namespace:+$namespace/}$name${snapshot:+@$snapshot} rbd${device##*/} $ro"
  done
}

# The devices that an image is mapped as, a line each; from sysfs, because udev may be late.
devices_of() {
  { local -; set +x; } 2>/dev/null
  local device pool_name name
  for device in /sys/bus/rbd/devices/*; do
    { read -r pool_name <"$device/pool" && read -r name <"$device/name"; } 2>/dev/null || continue
    [ "$pool_name/$name" != "$POOL/$1" ] || echo "/dev/rbd${device##*/}"
  done
}
mapped() { [ -n "$(devices_of "$1")" ]; }

is_mapped_once() {
  local devices
  mapfile -t devices < <(devices_of "$1")
  same 1 ${#devices[@]} "mappings of $1"
}
is_not_mapped() { same "" "$(devices_of "$1")" "mappings of $1"; }
has_ceph() { command -v rbd >/dev/null; }

# What distinguishes two mappings of one image: device, client, and the line with our tag.
state() { grep -H . /sys/bus/rbd/devices/*/{client_id,config_info}; }

# ends STATUS COMMAND…: the command ends with that exit status. SAID is its output on both streams, TOOK its time in milliseconds.
# says TEXT: SAID contains it.  within MILLISECONDS: TOOK is no longer.
ends() {
  local wanted=$1 status=0 start=${EPOCHREALTIME/[.,]/}
  shift
  SAID=$("$@" 2>&1) || status=$?
  TOOK=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
  same "$wanted" "$status" "exit status of '$*', which said '$SAID'"
}
says() { [[ $SAID == *"$1"* ]] || fail "expected '$1' in: $SAID"; }
within() { [ "$TOOK" -le "$1" ] || fail "it took $TOOK ms, more than $1 ms"; }

# Maps an image without a program: writes the line, with the key in it.
map_by_hand() {
  modprobe rbd
  local secret
  secret=$(sed -n 's/^\tkey = //p' "$KEYRING")
  echo -n "10.77.0.1:6789 name=boot,secret=$secret $POOL $1 ${2:--}" >"$ADD"
  udevadm settle
}
unmap_by_hand() {
  udevadm settle
  local device
  for device in $(devices_of "$1"); do echo -n "${device#/dev/rbd}" >"$REMOVE"; done
}

# fresh NAME TYPE [COMMAND…]: makes a file system on the image, and runs the command, if any, with it mounted on /mnt.
fresh() {
  local image=$1 type=$2
  shift 2
  map_by_hand "$image"
  "mkfs.$type" -q "$(devices_of "$image")"
  if [ $# -gt 0 ]; then
    mount "$(devices_of "$image")" /mnt
    "$@"
    umount /mnt
  fi
  unmap_by_hand "$image"
}

# No link, device, mount or key of rbd.
nothing_left() {
  { local -; set +x; } 2>/dev/null
  local lines
  udevadm settle
  [ ! -d /dev/rbd ] || same "" "$(find /dev/rbd -type l 2>/dev/null)" "links in /dev/rbd"
  lines=(/sys/bus/rbd/devices/*)
  [ ! -e "${lines[0]}" ] || same "" "${lines[*]}" "devices"
  mapfile -t lines </proc/self/mountinfo
  [[ "${lines[*]}" != */dev/rbd* ]] || same "" "$(grep /dev/rbd /proc/self/mountinfo)" "mounts"
  mapfile -t lines </proc/keys
  [[ "${lines[*]}" != *" ceph "* ]] || same "" "$(awk '$8 == "ceph"' /proc/keys)" "keys"
}

# on_host WORD…: asks the lab to do this on the host (host_actions.sh), and prints the output.
on_host() {
  local status
  rm -f /lab/log/answer
  echo "$*" >/lab/log/ask.part
  mv /lab/log/ask.part /lab/log/ask
  { wait_for 60 test -e /lab/log/answer; } 2>/dev/null
  read -r status </lab/log/answer
  tail -n +2 /lab/log/answer
  [ "$status" = 0 ] || fail "on_host: '$*' ended with $status"
}

# A cluster of this machine's own, for failures. The first scenario that needs it starts it, and each repairs what it breaks.
# FRAIL is the address of its monitor. frail_table IMAGE [OPTIONS]: a line in the table for an image of it.
frail_up() {
  local said
  [ ! -e /etc/ceph/frail/keyring ] || return 0
  said=$(on_host frail up)
  mkdir -p /etc/ceph/frail
  printf '[global]\nfsid = %s\nmon_host = %s\n' "$(head -n 1 <<<"$said")" "$FRAIL" >/etc/ceph/frail/ceph.conf
  printf '[client.boot]\n\tkey = %s\n' "$(tail -n 1 <<<"$said")" >/etc/ceph/frail/keyring
  chmod 600 /etc/ceph/frail/keyring
}
frail_image() { on_host frail rbd create "$POOL/$1" --size "$2"; }
frail_table() { echo "$POOL/$1 id=boot,conf=/etc/ceph/frail/ceph.conf,keyring=/etc/ceph/frail/keyring${2:+,$2}" >>/etc/ceph/rbdmap; }
