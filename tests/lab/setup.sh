# setup.sh: the Debian packages that the lab needs on this machine, and a check that they are there.
# What the program needs to be built is listed in packaging, what a guest contains in guest.sh.
# apt-get may complain about third-party lists that it cannot reach. That does not matter here: a missing package does.
# shellcheck shell=bash

# PACKAGE, or PACKAGE:COMMAND if the lab runs that command of it.
HOST_PACKAGES=(
  ceph-mon:ceph-mon           # the cluster: its monitor
  ceph-osd:ceph-osd           # the cluster: its one disk
  ceph-common:rbd             # ceph and rbd, to create images and to ask who still watches them
  python3-rbd                 # another client, which holds an image's lock
  user-mode-linux:linux.uml   # the guest's kernel as a process, with rbd.ko as a module
  mmdebstrap:mmdebstrap       # the guest's root
  e2fsprogs:mkfs.ext4         # the guest's root as a disk image (mkfs.ext4 -d)
  kmod:depmod                 # depmod for the guest's modules
  iproute2:ip                 # the network namespace, its bridge, the guests' taps
  procps:ps                   # which processes of the namespace belong to which guest
  systemd:systemctl           # systemctl --root: enable and mask units in a guest before it boots
  make:make                   # make install: the program as a user gets it
  squashfs-tools:mksquashfs   # what a scenario mounts read-only
)

# With MACHINE=qemu.
QEMU_PACKAGES=(
  qemu-system-x86:qemu-system-x86_64   # the guest's PC
  busybox-static:busybox               # its initramfs
  xz-utils:unxz                        # whose modules are compressed in Debian 13
)

setup_host() {
  local entry removed missing=() packages=("${HOST_PACKAGES[@]}")
  [ "${MACHINE:-}" != qemu ] || packages+=("${QEMU_PACKAGES[@]}")
  for entry in "${packages[@]}"; do has_package "$entry" || missing+=("${entry%%:*}"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  progress "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2 || progress "apt-get update failed; using the package lists that are there"
  removed=$(apt-get install -s --no-install-recommends "${missing[@]}" | sed -n 's/^Remv \([^ ]*\).*/\1/p' | paste -sd ' ')
  [ -z "$removed" ] || progress "apt-get removes for that: $removed"
  apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2 || die "apt-get install failed for: ${missing[*]}"
  # apt-get may have removed one package to install another.
  for entry in "${packages[@]}"; do
    has_package "$entry" || die "the package ${entry%%:*} is not installed, or has no command '${entry#*:}'; check \`apt-get install ${entry%%:*}\`"
  done
}
has_package() {
  dpkg-query -W -f '${db:Status-Status}\n' "${1%%:*}" 2>/dev/null | grep -qx installed || return 1
  [[ $1 != *:* ]] || command -v "${1#*:}" >/dev/null
}
