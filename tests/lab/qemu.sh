# qemu.sh: another machine for a guest (MACHINE=qemu): Debian's own kernel in an emulated PC, in the place of User Mode Linux.
# For what depends on a kernel's own costs: to User Mode Linux a page of a process that forks or ends is a call to the machine that
# it runs on, here it is instructions, as on a server. Owns that kernel, its initramfs and the QEMU process; what is in the guest is
# the same (guest.sh). There is no KVM: the processor is emulated, too, and a guest about as fast as one of User Mode Linux.
# shellcheck shell=bash

# What mounts the guest's root and the lab's folders.
QEMU_MODULES=(virtio_pci virtio_blk virtio_net virtio_rng crc32c_generic ext4 9p 9pnet_virtio)

is_qemu() { [ "${MACHINE:-}" = qemu ]; }

qemu_kernel() { echo "$LAB_DIR/kernels/$(guest_suite "$1")"; }

# Debian's kernel of the guest's suite, unpacked, and an initramfs for it, if they are not there yet.
qemu_ready() {
  local folder version modules
  folder=$(qemu_kernel "$1")
  [ ! -e "$folder/ready" ] || return 0
  progress "fetching Debian's own kernel for $1"
  rm -rf --one-file-system "$folder"
  mkdir -p "$folder" "$LAB_DIR/logs/$1"
  logged "$LAB_DIR/logs/$1/kernel" unshare --pid --mount-proc --fork --kill-child mmdebstrap --variant=extract \
    --include=linux-image-amd64 "$(guest_suite "$1")" "$folder/root"
  version=$(basename "$folder"/root/boot/vmlinuz-*)
  version=${version#vmlinuz-}
  mv "$folder/root/boot/vmlinuz-$version" "$folder/vmlinuz"
  mkdir -p "$folder/lib/modules"
  # Below /lib in Debian 12's package, below /usr/lib in 13's.
  for modules in "$folder"/root/{,usr/}lib/modules/"$version"; do [ ! -d "$modules" ] || mv "$modules" "$folder/lib/modules/"; done
  rm -rf --one-file-system "$folder/root"
  depmod -b "$folder" "$version"
  qemu_initramfs "$folder" "$version"
  touch "$folder/ready"
}

# qemu_initramfs FOLDER VERSION: busybox, the modules in the order in which they need each other, and the program that uses both.
qemu_initramfs() {
  local tree=$1/initramfs.tree module path
  mkdir -p "$tree"/{bin,modules,root,proc,sys,dev}
  cp /usr/bin/busybox "$tree/bin/"
  install "$LAB/qemu/init" "$tree/init"
  for module in "${QEMU_MODULES[@]}"; do
    modprobe -d "$1" -S "$2" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$1/order"
  while read -r path; do
    module=$(basename "$path")
    cp "$path" "$tree/modules/$module"
    case $module in *.xz) unxz "$tree/modules/$module"; module=${module%.xz} ;; esac
    echo "$module" >>"$tree/modules/order"
  done <"$1/order"
  (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$1/initramfs"
}

# qemu_start GUEST BOOT WORD…: becomes the guest's first process.
qemu_start() {
  local guest=$1 boot=$2 folder kernel
  shift 2
  folder=$(guest_folder "$guest")
  kernel=$(qemu_kernel "$guest")
  [ -e "$folder/disk" ] || qemu-img create -q -f qcow2 -F raw -b "$(guest_image "$guest")" "$folder/disk"
  exec setsid --wait ip netns exec "$NAMESPACE" qemu-system-x86_64 -accel tcg -cpu max -m "$GUEST_MEMORY" -no-reboot \
    -display none -monitor none -serial stdio -kernel "$kernel/vmlinuz" -initrd "$kernel/initramfs" \
    -append "console=ttyS0 quiet loglevel=4 net.ifnames=0 rw $*" -drive file="$folder/disk",if=virtio,cache=unsafe \
    -netdev tap,id=lab,ifname="$(guest_tap "$guest")",script=no,downscript=no -device virtio-net-pci,netdev=lab \
    -virtfs local,path="$folder/overlay",mount_tag=lab_in,security_model=none,multidevs=remap \
    -virtfs local,path="$(boot_folder "$guest" "$boot")",mount_tag=lab_log,security_model=none \
    -virtfs local,path="$kernel/lib/modules",mount_tag=modules,security_model=none,readonly=on -device virtio-rng-pci
}
