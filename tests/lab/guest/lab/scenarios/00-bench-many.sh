# bench-many: 1 to 500 images, mapped and unmapped in eight ways, with and without a slow network; for `lab bench many`.
# Each way is a step, named NETWORK-NUMBER-WAY, with figures `NETWORK-NUMBER-WAY-map` and `-unmap`.
# The floor, parallel writes from a shell and udevadm settle, is a lower limit for every program.
# shellcheck shell=bash

# For timed, figure and rules.
# shellcheck source=SCRIPTDIR/00-bench.sh
. /lab/scenarios/00-bench.sh

TABLE=/etc/ceph/rbdmap

for step in {plain,slow}-{1,16,64,200,500}-{race,systemd,units,idle,look,script,loop,parallel}; do
  eval "$step() { measure ${step//-/ }; }"
done

# measure NETWORK NUMBER WAY: nothing is mapped before and after. The ways of `race` take turns, so that other load on the host affects both;
# so do those of `systemd`. systemd has the units of the images only during those: it starts an image's unit when the device appears.
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
# rounds NUMBER WAY: as many as the time limit of a step allows.
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

# idle NAME: the time of systemd itself: the same units start without work, and stop without work while their images are mapped.
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
# only [LINE…]: replaces commands of the units of images.
only() {
  local directory=/run/systemd/system/rbdmap@.service.d line
  rm -rf $directory
  mkdir -p $directory
  for line; do printf '[Service]\n%s=\n%s\n' "${line%%=*}" "$line" >"$directory/${line%%=*}.conf"; done
  systemctl daemon-reload
}

# The commands that list, with all images mapped: ours and rbd.
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

# The same units, by systemctl only.
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
