# bench-many: 1, 16 and 64 images, mapped and unmapped in six ways, with and without a slow network; for `lab bench many`.
# Each way is a step of its own, named NETWORK-NUMBER-WAY, for which it appends `NETWORK-NUMBER-WAY-map MILLISECONDS` and the like.
# The surprise: the parallel floor is a race that no program can win: a shell's bare writes, all at once, and udev's work.
# shellcheck shell=bash

# What timed and figure are, and whose udev rule makes the links.
# shellcheck source=SCRIPTDIR/00-bench.sh
. /lab/scenarios/00-bench.sh

TABLE=/etc/ceph/rbdmap

for step in {plain,slow}-{1,16,64}-{ours,units,systemctl,script,loop,parallel,floor}; do
  eval "$step() { measure ${step//-/ }; }"
done

# measure NETWORK NUMBER WAY: nothing is mapped before, and nothing after.
measure() {
  local name=$1-$2-$3 number=$2 way=$3
  modprobe rbd
  network "$1"
  : >$TABLE
  for image in $(seq "$number"); do table "bench-$image"; done
  case $way in script | loop | parallel) rules ceph ;; *) rules ours ;; esac
  case $way in units | systemctl) systemctl daemon-reload ;; esac
  for _ in $(seq "$(rounds "$number" "$way")"); do
    timed "$name-map" "map_by_$way"
    is_mapped "$number"
    if [ "$way" = ours ]; then timed "$name-again" map_by_ours && timed "$name-list" rbdmap list; fi
    timed "$name-unmap" "unmap_by_$way"
    is_mapped 0
  done
  if [ "$name" = plain-64-ours ]; then
    /usr/bin/time -f %M -o peak rbdmap map --direct --no-mount
    figure "$name-peak_kib" "$(tail -n 1 peak)"
    timed "$name-status" rbdmap status
    timed "$name-rbd_list" rbd device list
    rbdmap unmap --direct
  fi
  rules ours
  network plain
  : >$TABLE
}
# As many as a step has time for: it may take 150 s.
rounds() { case $1-$2 in 64-script | 64-loop) echo 1 ;; 64-*) echo 3 ;; *) echo 5 ;; esac; }

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
