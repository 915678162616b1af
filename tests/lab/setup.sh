# setup.sh: the Debian packages that the lab itself needs on this machine, and nothing else.
# What the program needs to be built is the Makefile's business, what is in a guest is guest.sh's.
# The surprise: apt-get may complain about third-party lists that it cannot reach. That is no reason to stop, a missing package is.
# shellcheck shell=bash

HOST_PACKAGES=(
  ceph-mon            # the cluster: its monitor
  ceph-osd            # the cluster: its one disk
  ceph-common         # ceph and rbd, to create images and to ask who still watches them
  python3-rbd         # a client of another kind, which holds an image's lock
  user-mode-linux     # the guest's kernel as a process, with rbd.ko as a module
  mmdebstrap          # the guest's root
  e2fsprogs           # the guest's root as a disk image (mkfs.ext4 -d)
  kmod                # depmod for the guest's modules
  iproute2            # the network namespace, its bridge, the guests' taps
  procps              # ps: which processes of the namespace belong to which guest
  systemd             # systemctl --root: enable and mask units in a guest before it boots
  make                # make install: the program as a user gets it
  squashfs-tools      # what a scenario mounts read-only
)

# With MACHINE=qemu.
QEMU_PACKAGES=(
  qemu-system-x86     # the guest's PC
  qemu-utils          # its disk: what is written, over the guest's image
  busybox-static      # its initramfs
  xz-utils            # whose modules are compressed in Debian 13
)

setup_host() {
  local package missing=() packages=("${HOST_PACKAGES[@]}")
  ! is_qemu || packages+=("${QEMU_PACKAGES[@]}")
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  progress "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2 || progress "apt-get update failed; going on with the lists that are there"
  apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2
}
