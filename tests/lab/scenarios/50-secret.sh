# secret: the key is in the keyring file and in the payload of add_key only: in no argument, no line to the kernel, no journal, no console
# shellcheck shell=bash

images() { image secret 128M; }

base64_key() { sed -n 's/^\tkey = //p' "$KEYRING"; }
# In the notation of strace -xx. The last 16 bytes of the decoded key are the secret; a type, a time and a length precede them.
hex_of_text() { base64_key | head -c -1 | hex; }
hex_of_bytes() { base64_key | base64 -d | tail -c 16 | hex; }
hex() { od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g'; }

by_hand() {
  table secret
  local trace
  trace=$(mktemp)
  strace -f -y -s 65535 -xx -o "$trace" rbdmap map --direct --no-mount "$POOL/secret"
  is_mapped_once secret
  key_is_only_where_it_must_be "$trace"
  key_is_not_in_the_system
  rbdmap unmap --direct "$POOL/secret"

  rbdmap map --no-mount
  key_is_not_in_the_system
  rbdmap unmap
  nothing_left
}

# With -y strace adds the path to each descriptor, which -xx writes in hexadecimal too.
key_is_only_where_it_must_be() {
  local keyring
  keyring=$(printf %s "$KEYRING" | hex)
  grep -qF "$(hex_of_bytes)" "$1" || fail "the key was not given to the kernel at all"
  grep -F "$(hex_of_bytes)" "$1" | grep -v '^[0-9]* *add_key(' && fail "bytes of the key in another system call than add_key"
  grep -F "$(hex_of_text)" "$1" | grep -vF "read(" && fail "the key's base64 in another system call than a read"
  grep -F "$(hex_of_text)" "$1" | grep -vF "<$keyring>" && fail "the key's base64 read from another file than the keyring"
  return 0
}

key_is_not_in_the_system() {
  local key
  key=$(base64_key)
  grep -laF -e "$key" /proc/[0-9]*/cmdline /proc/[0-9]*/environ /sys/bus/rbd/devices/*/config_info && fail "the key is in these files"
  journalctl --boot --all | grep -cF -e "$key" && fail "the key is in the journal"
  return 0
}

configure() { table secret; }

booted() { key_is_not_in_the_system; }

powered_off() {
  KEYRING=$CLUSTER/boot.keyring
  ! grep -F -e "$(base64_key)" "$JOURNAL" "$CONSOLE" || fail "the key is in the journal or on the console"
}
