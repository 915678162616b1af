# messengers: msgr1, msgr2 and encrypted msgr2; two users of one cluster at once; by hand without any Ceph file
# shellcheck shell=bash

images() {
  image spoken 32M
  image others 32M
  user other 'profile rbd' 'profile rbd'
}

CONF=/etc/ceph/ceph.conf

by_hand() {
  cp $CONF kept
  trap put_back EXIT
  # From the line, with both kinds of address in ceph.conf.
  speaks "options='ms_mode=legacy'" 10.77.0.1:6789 ms_mode=legacy
  speaks "options='ms_mode=crc'" 10.77.0.1:3300 ms_mode=crc
  speaks "options='ms_mode=secure'" 10.77.0.1:3300 ms_mode=secure
  speaks "options='queue_depth=8'" 10.77.0.1:3300 ms_mode=prefer-crc
  # From ceph.conf.
  monitors 'v1:10.77.0.1:6789'
  speaks "" 10.77.0.1:6789 ""
  monitors 'v2:10.77.0.1:3300'
  speaks "" 10.77.0.1:3300 ms_mode=prefer-crc
  cp kept $CONF

  two_users
  without_files
}

monitors() { sed "s/^mon_host .*/mon_host = $1/" kept >$CONF; }

# speaks OPTIONS ADDRESS MODE: a line with these options is mapped through that address in that mode, by the kernel log.
speaks() {
  : >/etc/ceph/rbdmap
  table spoken "$1"
  dmesg --clear
  rbdmap map --direct --no-mount
  # ADDRESS name=boot,key=client.boot,OPTION,… POOL IMAGE …
  grep "^$2 name=boot,key=client.boot[, ]" /sys/bus/rbd/devices/*/config_info
  same "$3" "$(grep -o 'ms_mode=[a-z-]*' /sys/bus/rbd/devices/*/config_info)" "the mode of '$1'"
  dmesg | expect "$2 session established" >/dev/null
  dd if="$(devices_of spoken)" of=/dev/null bs=4K count=1 status=none
  rbdmap unmap --direct
  nothing_left
}

two_users() {
  : >/etc/ceph/rbdmap
  table spoken
  echo "$POOL/others id=other" >>/etc/ceph/rbdmap
  rbdmap map --direct --no-mount
  config_of spoken | expect "name=boot,key=client.boot" >/dev/null
  config_of others | expect "name=other,key=client.other" >/dev/null
  rbdmap unmap --direct
  nothing_left
  rbdmap map --no-mount
  config_of spoken | expect "name=boot,key=client.boot" >/dev/null
  config_of others | expect "name=other,key=client.other" >/dev/null
  rbdmap unmap
  nothing_left
}
config_of() {
  local device
  device=$(devices_of "$1")
  cat "/sys/bus/rbd/devices/${device#/dev/rbd}/config_info"
}

# An address, a user and a key are sufficient.
without_files() {
  sed -n 's/^\tkey = //p' "$KEYRING" >keyfile
  mkdir away
  mv /etc/ceph/* away
  rbdmap map "$POOL/spoken" --monitor 10.77.0.1 --id boot --keyfile keyfile --read-only
  same "$POOL/spoken ro" "$(mappings | cut -d ' ' -f 1,3)" "what is mapped"
  test -b "/dev/rbd/$POOL/spoken"
  rbdmap unmap "$POOL/spoken"
  nothing_left
  rbdmap map "$POOL/others" --monitor 10.77.0.1:6789 --name client.boot --keyring away/ceph.client.boot.keyring
  same "$POOL/others rw" "$(mappings | cut -d ' ' -f 1,3)" "what is mapped"
  rbdmap unmap "/dev/rbd/$POOL/others"
  nothing_left
}
put_back() {
  [ ! -d away ] || mv away/* /etc/ceph
  cp kept $CONF
}

# Images that were mapped by hand and not unmapped are unmapped before the network goes down, which is checked after every boot.
booted() {
  rbdmap map "$POOL/spoken" --id boot
  rbdmap map "$POOL/others" --id boot --read-only
  same 2 "$(mappings | grep -c "$POOL/\(spoken\|others\) ")" "mappings by hand"
}

powered_off() {
  # At the end of boot 3 the lab unmaps everything itself (`forget`).
  [ "$BOOT" = 2 ] || return 0
  in_order "rbdmap.*$POOL/spoken: unmapped" "Stopping lab-network\.service"
  in_order "rbdmap.*$POOL/others: unmapped" "Stopping lab-network\.service"
}
