# boot.sh: one boot of a guest, from its first process to the end of the last, and what the guest contains besides Debian.
# Owns the User Mode Linux process (qemu.sh has the other machine), the disk (a copy-on-write file over the image) and the directory of
# logs of each boot.
# A guest is several processes, of which only the first is our child; they share its session. The disk must not be on a tmpfs, which
# cannot fallocate(2) zeros: the guest's kernel logs failed WRITE_ZEROES, and inodes had invalid checksums at the next boot (Linux 6.1).
# shellcheck shell=bash

GUEST_MEMORY=1024M
# Seconds for a boot and its poweroff, and for each step in between. A guest that hangs at shutdown would run for ever.
BOOT_LIMIT=600
STEP_LIMIT=40
# A process takes this kernel 10 ms and more, so a boot is shorter without these.
MASKED_UNITS=(
  ceph.target                                             # of ceph-common: the program must work without it
  getty.target console-getty.service getty@tty1.service   # nobody logs in
  systemd-logind.service systemd-user-sessions.service systemd-ask-password-{console,wall}.path
  {apt-daily,apt-daily-upgrade,dpkg-db-backup,fstrim,e2scrub_all,xfs_scrub_all,systemd-tmpfiles-clean}.timer e2scrub_reap.service
  systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-random-seed.service
  modprobe@{configfs,drm,efi_pstore,fuse}.service         # this kernel has no such devices and file systems
  {dev-hugepages,dev-mqueue,sys-kernel-config,sys-kernel-debug,sys-kernel-tracing,sys-fs-fuse-connections}.mount
  proc-sys-fs-binfmt_misc.automount systemd-binfmt.service
  kmod-static-nodes.service systemd-udev-load-credentials.service systemd-remount-fs.service
  systemd-tmpfiles-setup-dev.service systemd-tmpfiles-setup-dev-early.service
)
MASKED_GENERATORS=(systemd-{gpt-auto,hibernate-resume,bless-boot,getty,rc-local,run,system-update,sysv,veritysetup,integritysetup,tpm2,ssh,factory-reset}-generator)

guest_directory() { echo "$LAB_DIR/guests/$1"; }
boot_directory() { echo "$LOGS/$1/boot-$2"; }

# Once before the first boot: an empty disk, and the overlay that is copied over the guest's root at every boot: the program as
# `make install` installs it, the lab's units, the scenarios, and Ceph's files as an administrator receives them.
guest_prepare() {
  local guest=$1 overlay prefix=/usr
  overlay=$(guest_directory "$guest")/overlay
  guest_ready "$guest"
  ! is_qemu || { qemu_kernel_ready "$guest"; qemu_initramfs "$guest"; }
  rm -rf "$overlay" "$LOGS/$guest"/boot-*
  [ -n "${KEEP:-}" ] || rm -f "$(guest_directory "$guest")/disk"
  install -d -m 755 "$overlay" "$overlay/etc/ceph"
  mkdir -p "$LOGS/$guest"
  cp -a "$LAB/guest/." "$overlay"
  cp -a "$LAB/assert.sh" "$LAB/scenarios" "$overlay/lab"
  systemctl --root="$overlay" --quiet enable lab-network.service lab-journal.service
  systemctl --root="$overlay" --quiet mask "${MASKED_UNITS[@]}" 2>/dev/null
  guest_mask_generators "$overlay/etc/systemd/system-generators"
  install -m 600 "$CLUSTER/boot.keyring" "$overlay/etc/ceph/ceph.client.boot.keyring"
  { echo '[global]'; grep -E '^(fsid|mon_host) ' "$CLUSTER/ceph.conf"; } >"$overlay/etc/ceph/ceph.conf"
  # /usr/local precedes the command, unit and rule of ceph-common in each search path.
  ! guest_has_ceph "$guest" || prefix=/usr/local
  # shellcheck disable=SC2086 # a command with its arguments
  logged "$LOGS/$guest/install" ${LAB_INSTALL:-make -s -C "$REPO" install} DESTDIR="$overlay" PREFIX=$prefix
}

guest_mask_generators() {
  local name
  mkdir "$1"
  for name in "${MASKED_GENERATORS[@]}"; do ln -s /dev/null "$1/$name"; done
}

# guest_start GUEST BOOT UNIT: becomes the guest's first process. UNIT is the unit of the lab that this boot starts. The guest's clock is
# off by CLOCK seconds.
guest_start() {
  local guest=$1 boot=$2 unit=$3 directory
  directory=$(guest_directory "$guest")
  printf '%s\n' "GUEST=$guest" "POOL=$guest" "ADDRESS=$(guest_address "$guest")" "FRAIL=$(frail_address "$guest")" "BOOT=$boot" "NETWORK_DELAY=${NETWORK_DELAY:-}" \
    "STEP_SECONDS=${STEP_SECONDS:-240}" "SOAK=${SOAK:-}" "SEED=${SEED:-1}" >"$directory/overlay/lab/guest.env"
  set -- systemd.show_status=0 systemd.wants="$unit" lab_clock="${CLOCK:-0}"
  ! is_qemu || qemu_start "$guest" "$boot" "$@"
  # The guest's memory is a file in TMPDIR, mapped executable: on a disk the guest would be very slow.
  TMPDIR=/dev/shm guest_exec "$guest" linux.uml mem=$GUEST_MEMORY umid="$guest" uml_dir="$directory" \
    ubd0="$directory/disk,$(guest_image "$guest")" root=/dev/ubda rw init=/lab/init con0=fd:0,fd:1 con=null console=tty0 \
    vec0:transport=tap,ifname="$(guest_tap "$guest")",mac="$(guest_mac "$guest")",depth=128,gro=1 \
    "$@" lab_in="$directory/overlay" lab_log="$(boot_directory "$guest" "$boot")"
}

# guest_exec GUEST COMMAND…: becomes the command, in a session of its own and the lab's network. Machines whose scenarios wait for time
# limits use little of the processors, and have priority.
guest_exec() {
  local priority=0 pin=()
  case $1 in *-faults) priority=-20 ;; *-cuts) priority=-15 ;; esac
  is_qemu || pin=(taskset -c "$(guest_processor "$1")")
  exec setsid --wait "$LAB/with-priority" "$priority" "${pin[@]}" ip netns exec "$NAMESPACE" "${@:2}"
}

# User Mode Linux switches between its kernel's process and that of the guest's program at each system call. On one processor that is
# several times faster, and on a busy machine ten times, than across two. So each machine has one, in turns.
guest_processor() {
  local processors number=0 index
  mapfile -t processors < <(processors_allowed)
  for index in "${!MACHINES[@]}"; do
    [ "${MACHINES[index]}" != "$1" ] || number=$index
  done
  echo "${processors[number % ${#processors[@]}]}"
}
# A line for each: the list is like 0-3,8.
processors_allowed() {
  local range
  for range in $(sed -n 's/^Cpus_allowed_list:\s*//p' /proc/self/status | tr , ' '); do seq "${range%-*}" "${range#*-}"; done
}

# guest_boot GUEST BOOT: boots, runs the steps on standard input, and returns when the guest has powered itself off.
# Problems of the boot itself are in the file `complaints` of its directory.
guest_boot() {
  local guest=$1 boot=$2 directory limit
  directory=$(boot_directory "$guest" "$boot")
  mkdir -p "$directory"
  cat >"$directory/steps"
  limit=$((BOOT_LIMIT + STEP_LIMIT * $(wc -l <"$directory/steps")))
  : >"$directory/complaints"
  date +%s >"$directory/started"
  guest_start "$guest" "$boot" lab-agent.service </dev/null >"$directory/console" 2>&1 {LOCK}>&- &
  # Not a job of this shell, which would report its end.
  disown $!
  echo $! >"$directory/machine"
  if ! wait_until "$limit" has_ended_or_asks $! "$directory"; then
    echo "the guest still ran after $limit s" >>"$directory/complaints"
    guest_kill $!
  fi
  date +%s >"$directory/ended"
  [ ! -e "$directory/power-cut" ] || return 0
  grep -q 'reboot: Power down\|reboot: System halted' "$directory/console" || echo "the guest did not power off" >>"$directory/complaints"
}
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# A step in the guest may ask for an action on the host (host_actions.sh). The cluster is killed when no machine needs it any longer.
has_ended_or_asks() {
  if [ -e "$2/kill-cluster" ] && [ ! -e "$2/cluster-killed" ]; then
    touch "$LOGS/without-cluster-$(basename "$(dirname "$2")")"
    if nobody_needs_the_cluster; then
      cluster_kill
      touch "$2/cluster-killed"
    fi
  fi
  answer "$2"
  has_ended "$1"
}
nobody_needs_the_cluster() {
  local machine
  for machine in "${MACHINES[@]}"; do [ -e "$LOGS/without-cluster-$machine" ] || return 1; done
}

# guest_kill PID: ends one guest, by the session of its processes.  guests_kill: all guests, by the namespace.
guest_kill() {
  local pids
  mapfile -t pids < <(ps -o pid= --sid "$1" | tr -d ' ')
  kill -KILL "$1" "${pids[@]}" 2>/dev/null || true
}
guests_kill() {
  local pid
  for pid in $(network_pids); do
    [[ "$(cat "/proc/$pid/comm")" == ceph-* ]] || kill -KILL "$pid" 2>/dev/null || true
  done
}

# On this terminal, with the cluster and a pool with one image.
boot_shell() {
  local guest=$1 terminal
  [ -t 0 ] || die "a shell needs a terminal"
  guest_prepare "$guest"
  [ -n "${KEEP:-}" ] || { pool_create "$guest"; cluster rbd create "$guest/image" --size 256M; }
  mkdir -p "$(boot_directory "$guest" 1)"
  progress "the image is $guest/image, its user is client.boot; 'exit' powers the guest off"
  terminal=$(stty -g)
  (guest_start "$guest" 1 lab-shell.service {LOCK}>&-) || true
  stty "$terminal"
}
