# hooks: the hook of an image runs after map and mount and before unmount and unmap, without standard input, and only if nobody but root can write it
# shellcheck shell=bash

images() {
  image hooked 32M
  image unhooked 32M
  image open 32M
}

HOOKS=/etc/ceph/rbd.d

by_hand() {
  trap 'rm -rf $HOOKS' EXIT
  fresh hooked ext4
  mkdir -p /mnt/hooked "$HOOKS/$POOL"
  hook hooked 755
  hook open 757
  table hooked
  table unhooked
  table open
  fstab "/dev/rbd/$POOL/hooked /mnt/hooked ext4 noauto 0 0"

  # A hook that others can write is not run, which is reported as a failure; the images are mapped all the same.
  ends 1 rbdmap map --direct "$POOL/open"
  says "$POOL/open: hook $HOOKS/$POOL/open is not run: $HOOKS/$POOL/open: writable by other users, who could run programs as root"
  is_mapped_once open
  rm "$HOOKS/$POOL/open"

  : >called
  ends 0 rbdmap map --direct <<<"not for hooks"
  same "map /dev/rbd/$POOL/hooked: mapped, mounted, nothing to read" "$(cat called)" "what the hook of map saw"
  says "$POOL/hooked: hook: said by the hook"
  is_mapped_once unhooked

  # The image is mapped already: the hook does not run.
  : >called
  rbdmap map --direct
  same "" "$(cat called)" "what the hook of a second map saw"

  ends 0 rbdmap unmap --direct <<<"not for hooks"
  same "unmap /dev/rbd/$POOL/hooked: mapped, mounted, nothing to read" "$(cat called)" "what the hook of unmap saw"
  nothing_left

  # A hook that fails is reported, and stops nothing.
  echo "exit 3" >>"$HOOKS/$POOL/hooked"
  ends 1 rbdmap map --direct
  says "hook $HOOKS/$POOL/hooked map failed: "
  findmnt /mnt/hooked
  ends 1 rbdmap unmap --direct
  nothing_left
}

# hook IMAGE MODE
hook() {
  cat >"$HOOKS/$POOL/$1" <<HOOK
#!/bin/bash
[ -b "\$2" ] && mapped=mapped || mapped="not mapped"
mountpoint -q /mnt/hooked && mounted=mounted || mounted="not mounted"
read -r -t 1 read && read="'\$read' to read" || read="nothing to read"
echo "\$*: \$mapped, \$mounted, \$read" >>$PWD/called
echo "said by the hook"
HOOK
  chmod "$2" "$HOOKS/$POOL/$1"
}
