# bench: what `lab bench` measures in the guest. Written like a scenario, but not one.
# Each function appends lines "NAME VALUE" to /lab/log/figures: milliseconds, except *_kib.
# Processes and system calls are expensive in this kernel, so all figures are larger than on a server. Compare figures of one boot only.
# shellcheck shell=bash

ROUNDS=7

figure() { echo "$1 $2" >>/lab/log/figures; }

# timed NAME COMMAND…: the time until the command returns.
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

# A boot: from network-online.target to the mount of the file system, by the journal's clock.
booted() {
  wait_for 100 mountpoint -q /mnt/bench
  journalctl -b -o short-monotonic --no-hostname >journal
  local online mounted
  online=$(moment 'Reached target network-online.target')
  mounted=$(moment 'XFS (rbd0): Ending clean mount')
  figure online_to_mounted $((mounted - online))
  figure boot "$(systemd-analyze time | sed -nE 's/.* = (.*s) *$/\1/p' | milliseconds)"
}
# `1min 2.345s` in milliseconds.
milliseconds() { awk '{ for (i = 1; i <= NF; i++) sum += $i * ($i ~ /min/ ? 60000 : $i ~ /ms/ ? 1 : 1000); print int(sum) }'; }
moment() { grep -m 1 -F "$1" journal | sed -nE 's/^\[ *([0-9]+)\.([0-9]{3}).*/\1\2/p'; }

# One image, mapped in five ways, in turns. Nothing is mapped before, and the client of the cluster is new each time.
# Neither table nor fstab names it at first: systemd would start the instance when the device of the image appears.
by_hand() {
  rbdmap unmap
  rm -f /etc/ceph/rbdmap
  sed -i '/^[^#]/d' /etc/fstab
  systemctl daemon-reload
  modprobe rbd
  LINE="10.77.0.1:6789 name=boot,secret=$(sed -n 's/^\tkey = //p' "$KEYRING") $POOL bench -"
  for _ in $(seq $ROUNDS); do
    rules ours
    once floor_our_rule floor
    once ours rbdmap map --no-mount "$POOL/bench" --id boot
    rules ceph
    once floor floor
    once rbd rbd --id boot map "$POOL/bench"
  done
  rules ours
  peak ours rbdmap map --no-mount "$POOL/bench" --id boot
  peak rbd rbd --id boot map "$POOL/bench"
  table bench
  systemctl daemon-reload
  for _ in $(seq $ROUNDS); do
    timed ours_by_systemd rbdmap map
    timed unmap_by_systemd rbdmap unmap
  done
  figure binary_kib "$(du -k --apparent-size /usr/local/libexec/rbdmap/rbdmap | cut -f 1)"
  figure installed_ours_kib "$(du -kc --apparent-size /usr/local/{libexec,lib,share} | tail -n 1 | cut -f 1)"
  figure installed_stock_kib "$(installed_size)"
}

# The minimum in a shell: one write, and udevadm settle.
floor() {
  echo "$LINE" >"$ADD"
  udevadm settle
}

once() {
  timed "$@"
  udevadm settle
  unmap_by_hand bench
  udevadm settle
}

peak() {
  local name=$1
  shift
  /usr/bin/time -f %M -o peak "$@" >/dev/null
  figure "peak_${name}_kib" "$(tail -n 1 peak)"
  unmap_by_hand bench
}

# rules ours|ceph: whose udev rule makes the links. Ours, in /usr/local, shadows that of ceph-common.
rules() {
  local ours=/usr/local/lib/udev/rules.d/50-rbd.rules
  case $1 in
    ours) [ ! -e $ours.off ] || mv $ours.off $ours ;;
    ceph) mv $ours $ours.off ;;
  esac
  udevadm control --reload
}

# ceph-common and the packages that only it needs.
installed_size() {
  # shellcheck disable=SC2016 # dpkg-query expands it
  apt-get --simulate --quiet autoremove --purge ceph-common | sed -n 's/^Purg \([^ ]*\).*/\1/p' |
    xargs dpkg-query -W -f '${Installed-Size}\n' | awk '{ sum += $1 } END { print sum }'
}
