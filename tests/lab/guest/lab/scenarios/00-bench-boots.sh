# bench-boots: many images over whole boots, for `lab bench boots`. 00-bench.sh has figure and moment.
# shellcheck shell=bash

# shellcheck source=SCRIPTDIR/00-bench.sh
. /lab/scenarios/00-bench.sh

# files NUMBER: lines for as many images and their file systems, for the boots after this one.
files() {
  local number
  for number in $(seq "$1"); do
    mkdir -p "/mnt/bench-$number"
    table "bench-$number"
    fstab "/dev/rbd/$POOL/bench-$number /mnt/bench-$number ext4 noauto 0 0"
  done
  systemctl enable rbdmap.service
}

one() { files 1; }
sixteen() { files 16; }
sixty_four() { files 64; }
three_hundred() { files 300; }

one_and_dead() {
  files 1
  cat >/etc/rbdmap.toml <<TOML
[[image]]
spec = "$POOL/dead"
user = "boot"
monitors = ["10.77.0.99:3300"]
nofail = true
[[image.mount]]
where = "/mnt/dead"
TOML
}

mounted() {
  wait_for 300 all_mounted
  journalctl -b -o short-monotonic --no-hostname >journal
  figure online_to_last $(($(last_moment 'kernel: EXT4-fs (rbd.*mounted') - $(moment 'Reached target network-online.target')))
  figure boot "$(systemd-analyze time | sed -nE 's/.* = (.*s) *$/\1/p' | milliseconds)"
}
all_mounted() { [ "$(grep -c ' /mnt/bench-' /proc/self/mountinfo)" = "$(grep -c '^/dev/rbd.*/mnt/bench-' /etc/fstab)" ]; }
last_moment() { grep "$1" journal | tail -n 1 | sed -nE 's/^\[ *([0-9]+)\.([0-9]{3}).*/\1\2/p'; }

# The time in which a shell unmounts and unmaps all, in parallel.
bare() {
  wait_for 300 all_mounted
  timed bare take_down
  nothing_is_mapped
}
take_down() {
  local device
  for device in /sys/bus/rbd/devices/*; do
    { umount "/dev/rbd${device##*/}" && echo -n "${device##*/}" >"$REMOVE"; } &
  done
  wait
  udevadm settle
}
nothing_is_mapped() { same "" "$(ls /sys/bus/rbd/devices)" "devices"; }
