# guest.sh: the disk images of the guests: Debian's packages, the kernel's modules, and /lab/init.
# The program and all that the lab puts beside it are not in here: they are copied in at boot (boot.sh), so that an image
# is built once and kept until its own inputs change.
# The surprise: machine-id. Without one systemd takes a boot for the very first and presets all units, Ceph's among them.
# shellcheck shell=bash

GUEST_PACKAGES=(
  systemd systemd-sysv dbus       # what boots, and what the program talks to
  udev kmod mount e2fsprogs xfsprogs libmount1   # devices, modules, file systems
  iproute2 procps                 # the network unit, and what a person types in a shell
  time                            # peak memory, for the comparison
  strace                          # scenarios that look for the key, or kill at a system call
  fdisk                           # a scenario that partitions an image
  lvm2 cryptsetup-bin             # one that has volumes and encryption on images
)

guest_suite() { echo "${1%%-*}"; }
# The guest whose image a machine boots.
guest_base() { sed -E 's/-(hand|faults|cuts)$//' <<<"$1"; }
guest_has_ceph() { case $(guest_base "$1") in bookworm | trixie-ceph) true ;; *) false ;; esac; }

guest_packages() {
  printf '%s\n' "${GUEST_PACKAGES[@]}"
  ! guest_has_ceph "$1" || echo ceph-common
  # Part of the package systemd before Debian 13.
  [ "$(guest_suite "$1")" = bookworm ] || echo systemd-cryptsetup
}

# The image for today's inputs: its name is their hash. Comments are no inputs.
guest_image() {
  local inputs
  inputs=$({ guest_packages "$1"; ls /usr/lib/uml/modules; declare -f guest_build guest_finish; grep -v '^#' "$LAB/guest/lab/init"; } | sha256sum)
  echo "$LAB_DIR/guests/$(guest_base "$1")/${inputs:0:12}.img"
}

# Builds it if there is none; those for other inputs go.
guest_ready() {
  local image
  mkdir -p "$(guest_directory "$1")"
  image=$(guest_image "$1")
  [ ! -s "$image" ] || return 0
  progress "building the image of $1"
  rm -rf --one-file-system "$(dirname "$image")"
  mkdir -p "$(dirname "$image")" "$LOGS/$1"
  logged "$LOGS/$1/image" guest_build "$1" "${image%.img}.root" "$image"
}

# mmdebstrap mounts /proc and the like in the root that it makes, and has a process group of its own: in namespaces of its
# own its mounts and its processes end with it, however it ends.
guest_build() {
  local guest=$1 root=$2 image=$3
  unshare --pid --mount-proc --fork --kill-child mmdebstrap --variant=minbase --include="$(guest_packages "$guest" | paste -sd ,)" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    "$(guest_suite "$guest")" "$root"
  guest_finish "$guest" "$root"
  mkfs.ext4 -q -F -J size=16 -d "$root" "$image.part" 3G
  mv "$image.part" "$image"
  rm -rf "$root"
}

guest_finish() {
  local guest=$1 root=$2 version
  version=$(ls /usr/lib/uml/modules)
  mkdir -p "$root/lib/modules" "$root"/lab/{in,log} "$root/etc/ceph" "$root/var/log/journal"
  cp -a "/usr/lib/uml/modules/$version" "$root/lib/modules/"
  depmod -b "$root" "$version"
  install "$LAB/guest/lab/init" "$root/lab/init"
  echo "$guest" >"$root/etc/hostname"
  md5sum <<<"$guest" | cut -c 1-32 >"$root/etc/machine-id"
  : >"$root/etc/fstab"
  # LVM looks at every device that appears, with several processes each: the scenario that needs it lets it.
  ln -s /dev/null "$root/etc/udev/rules.d/69-lvm.rules"
  chroot "$root" systemctl -q mask lvm2-monitor.service blk-availability.service
  # Nothing has changed since Debian's packages were configured: no caches to rebuild at the first boot.
  touch "$root/etc/.updated" "$root/var/.updated"
  chroot "$root" passwd -qd root
  # Debian enables it with the package; the scenarios enable it when an administrator would.
  ! guest_has_ceph "$guest" || chroot "$root" systemctl -q disable rbdmap.service
}
