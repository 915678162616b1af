# guest.sh: the disk images of the guests: Debian's packages, the kernel's modules, and /lab/init.
# The program and the lab's files are not in an image: boot.sh copies them at boot, so that an image is built once and kept until its own
# inputs change.
# An image has a machine-id: without one systemd treats a boot as the first, and presets all units, also those of Ceph.
# shellcheck shell=bash

GUEST_PACKAGES=(
  systemd systemd-sysv dbus       # systemd, and the bus that the program uses
  udev kmod mount e2fsprogs xfsprogs libmount1   # devices, modules, file systems
  iproute2 procps                 # the network unit, and commands for a shell
  time                            # peak memory, for the comparison
  strace                          # scenarios that search for the key, or kill in a system call
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
  # Before Debian 13 it is part of the package systemd.
  [ "$(guest_suite "$1")" = bookworm ] || echo systemd-cryptsetup
}

# The name of an image is the hash of its inputs. Comments are no inputs.
guest_image() {
  local inputs
  inputs=$({ guest_packages "$1"; ls /usr/lib/uml/modules; declare -f guest_build guest_finish; grep -v '^#' "$LAB/guest/lab/init"; } | sha256sum)
  echo "$LAB_DIR/guests/$(guest_base "$1")/${inputs:0:12}.img"
}

# Builds the image unless it exists, and removes those of other inputs.
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

# mmdebstrap mounts /proc and others in the new root, and makes a process group of its own. In namespaces of its own, its mounts and its
# processes end with it, however it ends.
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
  # LVM scans every new device with several processes: only the scenario that needs LVM enables that.
  ln -s /dev/null "$root/etc/udev/rules.d/69-lvm.rules"
  chroot "$root" systemctl -q mask lvm2-monitor.service blk-availability.service
  # No caches to rebuild at the first boot.
  touch "$root/etc/.updated" "$root/var/.updated"
  chroot "$root" passwd -qd root
  # The package enables it; the scenarios enable it when an administrator would.
  ! guest_has_ceph "$guest" || chroot "$root" systemctl -q disable rbdmap.service
}
