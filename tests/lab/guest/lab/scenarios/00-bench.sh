# bench: what is measured in the guest while `lab bench` runs. The same means as a scenario, but it is not one.
# Each function appends lines "NAME VALUE" to /lab/log/figures: milliseconds, but for *_kib and *_kb.
# The surprise: this kernel pays dearly for each process and each system call, so that all figures are larger than on a
# server; what counts is their ratio in one boot.
# shellcheck shell=bash

ROUNDS=7

figure() { echo "$1 $2" >>/lab/log/figures; }

# timed NAME COMMAND…: how long it takes, until it has returned.
timed() {
  local name=$1 start=${EPOCHREALTIME/[.,]/}
  shift
  "$@" >/dev/null
  figure "$name" $(((${EPOCHREALTIME/[.,]/} - start) / 1000))
}

configure() {
  fresh bench xfs
  mkdir -p /mnt/bench
  table bench
  fstab "/dev/rbd/$POOL/bench /mnt/bench xfs noauto 0 0"
  systemctl enable rbdmap.service
}

# A boot: from the moment the network is up to that at which the file system is mounted, by the journal's clock.
booted() {
  wait_for 100 mountpoint -q /mnt/bench
  journalctl -b -o short-monotonic --no-hostname >journal
  local online mounted
  online=$(moment 'Reached target network-online.target')
  mounted=$(moment 'XFS (rbd0): Ending clean mount')
  figure online_to_mounted $((mounted - online))
  figure boot "$(systemd-analyze time | sed -nE 's/.* = (([0-9]+)min )?([0-9.]+)s *$/\2 \3/p' | awk '{ print int(($1 * 60 + $NF) * 1000) }')"
}
moment() { grep -m 1 -F "$1" journal | sed -nE 's/^\[ *([0-9]+)\.([0-9]{3}).*/\1\2/p'; }

# One image, mapped in five ways, in turn: nothing is mapped before, and the client of the cluster is new each time.
by_hand() {
  modprobe rbd
  table bench
  for _ in $(seq $ROUNDS); do
    rules ours
    once floor_our_rule floor
    once ours rbdmap map --direct --no-mount
    once ours_by_systemd rbdmap map --no-mount
    rules ceph
    once floor floor
    once rbd rbd --id boot map "$POOL/bench"
  done
  rules ours
  peak ours rbdmap map --direct --no-mount
  peak rbd rbd --id boot map "$POOL/bench"
  figure binary_kib "$(du -k --apparent-size /usr/local/libexec/rbdmap/rbdmap | cut -f 1)"
  figure installed_ours_kib "$(du -kc --apparent-size /usr/local/{libexec,lib,share} | tail -n 1 | cut -f 1)"
  figure installed_stock_kib "$(installed_size)"
}

# The least that a shell can do: one write, and udev has done its work.
floor() { map_by_hand bench; }

once() {
  timed "$@"
  rbdmap unmap --direct
  unmap_by_hand bench
  systemctl stop 'rbdmap@*.service'
  udevadm settle
}

peak() {
  local name=$1
  shift
  /usr/bin/time -f %M -o peak "$@" >/dev/null
  figure "peak_${name}_kib" "$(tail -n 1 peak)"
  unmap_by_hand bench
}

# Whose udev rule makes the links: ours shadows ceph-common's by its place.
rules() {
  local ours=/usr/local/lib/udev/rules.d/50-rbd.rules
  case $1 in
    ours) [ -e $ours ] || mv $ours.off $ours ;;
    ceph) mv $ours $ours.off ;;
  esac
  udevadm control --reload
}

# ceph-common and what was installed only for it.
installed_size() {
  apt-get --simulate --quiet autoremove --purge ceph-common | sed -n 's/^Purg \([^ ]*\).*/\1/p' |
    xargs dpkg-query -W -f '${Installed-Size}\n' | awk '{ sum += $1 } END { print sum }'
}
