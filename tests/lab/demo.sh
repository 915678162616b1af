# demo.sh: a boot and a poweroff as an administrator sees them: commands in a guest, and their output.
# Owns what is shown, and in which order; the commands are in guest/lab/scenarios/00-demo.sh.
# shellcheck shell=bash

demo() {
  local GUEST=${CHOSEN_GUESTS[-1]} POOL
  POOL=$GUEST
  guest_prepare "$GUEST"
  pool_create "$POOL"
  cluster rbd create "$POOL/demo" --size 512M
  demo_boot 1 configure "An image of the cluster, a line in the table, a line in fstab."
  demo_boot 2 booted "Powered off, and on again."
  headline "Powered off: the end of the journal. Unmounted, unmapped, then the network."
  sed -nE 's/^\[ *([0-9.]+)\] systemd\[1\]: ((Unmounted mnt-demo|rbdmap-sweep|Stopped lab-network).*)/\1 s  \2/p
    /systemd\[1\]: Stopped target multi-user/,$s/^\[ *([0-9.]+)\] (rbdmap\[.*)/\1 s  \2/p' \
    "$(boot_directory "$GUEST" 2)/journal"
  headline "On the host: the watchers of the image."
  echo "# rbd status $POOL/demo"
  cluster rbd status "$POOL/demo"
  progress "the whole journal: $(boot_directory "$GUEST" 2)/journal"
}

# demo_boot BOOT PHASE HEADLINE
demo_boot() {
  local directory
  directory=$(boot_directory "$GUEST" "$1")
  progress "booting $GUEST"
  guest_boot "$GUEST" "$1" <<<"$2 demo"
  headline "$3"
  cat "$directory/screen"
  grep -qx 0 "$directory/demo.$2.status" || die "this step failed: $directory/demo.$2"
}

headline() { printf '\n== %s\n' "$*"; }
