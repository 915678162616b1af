# bench-many: 1 to 500 images, mapped and unmapped in seven ways, with and without a slow network; for `lab bench many`.
# Each way is a step of its own, named NETWORK-NUMBER-WAY, for which it appends `NETWORK-NUMBER-WAY-map MILLISECONDS` and the like.
# The surprise: the parallel floor is a race that no program can win: a shell's bare writes, all at once, and udev's work.
# shellcheck shell=bash

# What timed and figure are, and whose udev rule makes the links.
# shellcheck source=SCRIPTDIR/00-bench.sh
. /lab/scenarios/00-bench.sh

TABLE=/etc/ceph/rbdmap

for step in {plain,slow}-{1,16,64,200,500}-{race,systemd,units,idle,look,script,loop,parallel}; do
  eval "$step() { measure ${step//-/ }; }"
done

# measure NETWORK NUMBER WAY: nothing is mapped before, and nothing after. The ways of a race take turns, so that what else this
# machine does is everybody's; so do those of systemd, which knows the images only for that long: where it does, it starts an
# image's unit when a device of that name appears.
measure() {
  local network=$1 number=$2 ways=("$3") rules=ceph is_known="" way
  case $3 in
    race) ways=(ours floor) rules=ours ;;
    systemd) ways=(units systemctl) rules=ours is_known=yes ;;
    units) rules=ours is_known=yes ;;
    idle) ways=(units idle) rules=ours is_known=yes ;;
    look) rules=ours ;;
  esac
  modprobe rbd
  network "$network"
  : >$TABLE
  for image in $(seq "$number"); do table "bench-$image"; done
  rules "$rules"
  [ -z "$is_known" ] || systemctl daemon-reload
  [ "$number-$3" != 64-race ] || look_at_many
  [ "$3" != look ] || { look_at_many; ways=(); }
  for _ in $(seq "$(rounds "$number" "$3")"); do
    for way in "${ways[@]}"; do once "$network-$number-$way" "$way"; done
  done
  rules ours
  network plain
  : >$TABLE
  [ -z "$is_known" ] || systemctl daemon-reload
}
# As many as a step has time for.
rounds() { case $1-$2 in 64-script | 64-loop | 200-* | 500-*) echo 1 ;; 64-parallel) echo 3 ;; *) echo 5 ;; esac; }

# once NETWORK-NUMBER-WAY WAY
once() {
  local number=${1#*-}
  number=${number%%-*}
  [ "$2" != idle ] || { idle "$1"; return; }
  timed "$1-map" "map_by_$2"
  is_mapped "$number"
  timed "$1-unmap" "unmap_by_$2"
  is_mapped 0
}

# idle NAME: what systemd takes by itself for the same units, which start and do nothing, and end, with their images mapped, and do
# nothing.
idle() {
  only ExecStart=/bin/true ExecStopPost=
  timed "$1-map" map_by_systemctl
  unmap_by_systemctl
  only
  map_by_units
  only ExecStopPost=/bin/true
  timed "$1-unmap" unmap_by_systemctl
  only
  rbdmap unmap --direct
  is_mapped 0
}
# only [LINE…]: what the units of images do instead, if anything.
only() {
  local folder=/run/systemd/system/rbdmap@.service.d line
  rm -rf $folder
  mkdir -p $folder
  for line; do printf '[Service]\n%s=\n%s\n' "${line%%=*}" "$line" >"$folder/${line%%=*}.conf"; done
  systemctl daemon-reload
}

# What there is to see when all are mapped, by us and by rbd.
look_at_many() {
  /usr/bin/time -f %M -o peak rbdmap map --direct --no-mount
  figure "$number-peak_kib" "$(tail -n 1 peak)"
  for _ in 1 2 3; do
    timed "$number-again" map_by_ours
    timed "$number-list" rbdmap list
    timed "$number-status" rbdmap status
    timed "$number-rbd_list" rbd device list
  done
  rbdmap unmap --direct
}

network() {
  case $1 in
    plain) tc qdisc del dev vec0 root 2>/dev/null || true ;;
    slow) tc qdisc replace dev vec0 root netem delay 20ms ;;
  esac
}
is_mapped() { same "$1" "$(find /sys/bus/rbd/devices -mindepth 1 -maxdepth 1 | wc -l)" "mapped images"; }

map_by_ours() { rbdmap map --direct --no-mount; }
unmap_by_ours() { rbdmap unmap --direct; }

map_by_units() { rbdmap map --no-mount; }
unmap_by_units() { rbdmap unmap; }

# The same units, by nothing but systemctl.
# shellcheck disable=SC2046 # a list
map_by_systemctl() { systemctl start $(instances); }
# shellcheck disable=SC2046
unmap_by_systemctl() { systemctl stop $(instances); }
instances() { for image in $(seq "$number"); do instance "bench-$image"; done; }

map_by_script() { /usr/bin/rbdmap map; }
unmap_by_script() { /usr/bin/rbdmap unmap; }

map_by_loop() { for image in $(seq "$number"); do rbd --id boot map "$POOL/bench-$image"; done; }
unmap_by_loop() { for image in $(seq "$number"); do rbd unmap "/dev/rbd/$POOL/bench-$image"; done; }

map_by_parallel() {
  for image in $(seq "$number"); do rbd --id boot map "$POOL/bench-$image" & done
  wait
}
unmap_by_parallel() {
  for image in $(seq "$number"); do rbd unmap "/dev/rbd/$POOL/bench-$image" & done
  wait
}

map_by_floor() {
  local secret
  secret=$(base64_key)
  for image in $(seq "$number"); do echo -n "10.77.0.1:6789 name=boot,secret=$secret $POOL bench-$image -" >"$ADD" & done
  wait
  udevadm settle
}
unmap_by_floor() {
  for device in /sys/bus/rbd/devices/*; do echo -n "${device##*/}" >"$REMOVE" & done
  wait
  udevadm settle
}
base64_key() { sed -n 's/^\tkey = //p' "$KEYRING"; }
