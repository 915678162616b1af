# qemu.sh: another machine for a guest (MACHINE=qemu): Debian's own kernel in an emulated PC, instead of User Mode Linux.
# For measurements that depend on the cost of kernel operations: in User Mode Linux each page of a process that forks or ends is a system
# call of the host, here it is instructions, as on a server. Owns that kernel, its initramfs and the QEMU process; the guest's disk image is
# the same (guest.sh). There is no KVM: the processor is emulated too, and a guest about as fast as one of User Mode Linux.
# shellcheck shell=bash

# For the guest's root and the lab's directories.
QEMU_MODULES=(virtio_pci virtio_blk virtio_net virtio_rng crc32c_generic ext4 9p 9pnet_virtio)

is_qemu() { [ "${MACHINE:-}" = qemu ]; }

qemu_kernel() { echo "$LAB_DIR/kernels/$(guest_suite "$1")"; }

# Debian's kernel of the guest's suite, fetched once. The file vmlinuz is moved to its place last, so that it marks the fetch as complete.
qemu_kernel_ready() { [ -e "$(qemu_kernel "$1")/vmlinuz" ] || qemu_fetch "$1"; }
qemu_fetch() {
  local directory version modules
  directory=$(qemu_kernel "$1")
  progress "fetching Debian's own kernel for $1"
  rm -rf --one-file-system "$directory"
  mkdir -p "$directory/lib/modules" "$LOGS/$1"
  logged "$LOGS/$1/kernel" unshare --pid --mount-proc --fork --kill-child mmdebstrap --variant=extract \
    --include=linux-image-amd64 "$(guest_suite "$1")" "$directory/root"
  version=$(basename "$directory"/root/boot/vmlinuz-*)
  version=${version#vmlinuz-}
  # Below /lib in Debian 12's package, below /usr/lib in 13's.
  for modules in "$directory"/root/{,usr/}lib/modules/"$version"; do [ ! -d "$modules" ] || mv "$modules" "$directory/lib/modules/"; done
  depmod -b "$directory" "$version"
  mv "$directory/root/boot/vmlinuz-$version" "$directory/vmlinuz"
  rm -rf --one-file-system "$directory/root"
}

# Busybox, the modules in the order of their dependencies, and qemu/init.
qemu_initramfs() {
  local kernel tree module path
  kernel=$(qemu_kernel "$1")
  tree=$(guest_directory "$1")/initramfs.tree
  rm -rf "$tree"
  mkdir -p "$tree"/{bin,modules,root,proc,sys,dev}
  cp /usr/bin/busybox "$tree/bin/"
  install "$LAB/qemu/init" "$tree/init"
  for module in "${QEMU_MODULES[@]}"; do
    modprobe -d "$kernel" -S "$(ls "$kernel/lib/modules")" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    module=$(basename "$path")
    cp "$path" "$tree/modules/$module"
    case $module in *.xz) unxz "$tree/modules/$module"; module=${module%.xz} ;; esac
    echo "$module" >>"$tree/modules/order"
  done
  (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$(guest_directory "$1")/initramfs"
}

# qemu_start GUEST BOOT WORD…: becomes the guest's first process.
qemu_start() {
  local guest=$1 boot=$2 directory kernel
  shift 2
  directory=$(guest_directory "$guest")
  kernel=$(qemu_kernel "$guest")
  # A sparse copy, without qemu-img: an installed qemu-utils of another version than QEMU's conflicts with QEMU.
  [ -e "$directory/disk" ] || cp --reflink=auto --sparse=always "$(guest_image "$guest")" "$directory/disk"
  guest_exec "$guest" qemu-system-x86_64 -accel tcg -cpu max -m "$GUEST_MEMORY" -no-reboot \
    -display none -monitor none -serial stdio -kernel "$kernel/vmlinuz" -initrd "$directory/initramfs" \
    -append "console=ttyS0 quiet loglevel=4 net.ifnames=0 rw $*" -drive file="$directory/disk",format=raw,if=virtio,cache=unsafe \
    -netdev tap,id=lab,ifname="$(guest_tap "$guest")",script=no,downscript=no -device "virtio-net-pci,netdev=lab,mac=$(guest_mac "$guest")" \
    -virtfs local,path="$directory/overlay",mount_tag=lab_in,security_model=none,multidevs=remap \
    -virtfs local,path="$(boot_directory "$guest" "$boot")",mount_tag=lab_log,security_model=none \
    -virtfs local,path="$kernel/lib/modules",mount_tag=modules,security_model=none,readonly=on -device virtio-rng-pci
}
