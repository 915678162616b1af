# bad-input: an error in a line, a file, a user or an image is reported in a whole sentence, and stops nothing else
# shellcheck shell=bash

images() {
  image good 32M
  image best 32M
  image journaled 32M --image-feature exclusive-lock,journaling
  cluster rbd namespace create "$POOL/there"
  user reader 'profile rbd-read-only' 'profile rbd-read-only'
}

TABLE=/etc/ceph/rbdmap

by_hand() {
  GOOD=id=boot,keyring=$KEYRING
  modprobe rbd
  lines
  lines_that_are_served
  keyrings
  names_of_the_cluster
  names_that_are_none
  tables
  command_lines
  # A good line after all bad lines.
  { cat lines; echo "$POOL/best $GOOD"; } >$TABLE
  ends 1 rbdmap map --direct --no-mount
  is_mapped_once best
  rbdmap unmap --direct
  nothing_left
  by_hand_wrongly
  a_long_name
  secrets_are_not_repeated
}

# bad LINE SENTENCE: what map reports about a table of this line only.
bad() {
  echo "$1" | tee -a lines >$TABLE
  ends 1 rbdmap map --direct --no-mount
  same "rbdmap: $2" "$SAID" "what map says of '$1'"
}

lines() {
  bad "$POOL/good id=boot,keyrng=/k" "$TABLE:1:$((${#POOL} + 15)): unknown option \"keyrng\"; did you mean \"keyring\"?"
  bad "$POOL/good id,keyring=/k" "$TABLE:1:$((${#POOL} + 7)): option id needs a value, expected id=VALUE"
  bad "$POOL/good id=boot,options='queue_dept=3'" \
    "$TABLE:1:$((${#POOL} + 15)): unknown map option \"queue_dept\"; did you mean \"queue_depth\"?"
  bad "$POOL/good id=boot,options='queue_depth=few'" \
    "$TABLE:1:$((${#POOL} + 15)): map option queue_depth cannot be \"few\", expected a number of at least 1"
  bad "$POOL/good id=boot,device-type=nbd" \
    "$TABLE:1:$((${#POOL} + 15)): device-type \"nbd\" is not supported, only the kernel's driver (krbd); for others see rbd-nbd(8)"
}

# Lines that Ceph's script accepts are accepted with a warning.
lines_that_are_served() {
  echo "$POOL/best $GOOD,options='ro" >$TABLE
  ends 0 rbdmap map --direct --no-mount
  says "rbdmap: $TABLE:1:$((${#POOL} + ${#GOOD} + 16)): this quote is not closed; it is read as if it were closed at the end of the line"
  same "$POOL/best rbd0 ro" "$(mappings)" mappings
  rbdmap unmap --direct
  install -m 644 "$KEYRING" open
  echo "$POOL/best id=boot,keyring=$PWD/open" >$TABLE
  ends 0 rbdmap map --direct --no-mount
  says "rbdmap: $PWD/open contains a key and is readable by all users (mode 0644); run chmod 600 $PWD/open"
  rbdmap unmap --direct
  echo 'parallel = 1' >/etc/rbdmap.toml
  chmod 666 /etc/rbdmap.toml
  ends 1 rbdmap map --direct --no-mount
  says "/etc/rbdmap.toml: "
  is_mapped_once best
  rbdmap unmap --direct || true
  rm /etc/rbdmap.toml
}

keyrings() {
  umask 077
  printf '\177ELF\002\001\377\376garbage\n' >binary
  mkdir directory
  sed 's/client.boot/client.stranger/' "$KEYRING" >stranger
  sed 's/client.boot/client.nobody/' "$KEYRING" >nobody
  sed 's|key = .*|key = AQCvWKVlAAAAABAAxjSMvNLkZy0nqVkhxMmgEA==|' "$KEYRING" >wrong
  sed 's|key = .*|key = AQCvWKVl|' "$KEYRING" >short
  bad "$POOL/good id=boot,keyring=/nowhere" "$POOL/good: keyring /nowhere does not exist"
  bad "$POOL/good id=boot,keyring=$PWD/directory" "$POOL/good: reading $PWD/directory: Is a directory (os error 21)"
  bad "$POOL/good id=boot,keyring=$PWD/binary" "$POOL/good: $PWD/binary:1: a line without \`=\`, expected: key = value"
  bad "$POOL/good id=boot,keyring=$PWD/stranger" "$POOL/good: keyring $PWD/stranger has no key of client.boot"
  bad "$POOL/good id=boot,keyring=$PWD/short" "$POOL/good: $PWD/short: [client.boot]: the key is too short to be a Ceph key"
  bad "$POOL/good id=boot,keyring=$PWD/wrong" "$POOL/good: $(refused boot)"
  bad "$POOL/good id=nobody,keyring=$PWD/nobody" "$POOL/good: $(refused nobody)"
  bad "$POOL/good id=nobody" "$POOL/good: client.nobody has no key: none of the keyrings$(
    printf ',%s' /etc/ceph/{ceph.client.nobody.keyring,ceph.keyring,keyring,keyring.bin} | sed 's/,/ /'
  ) exists (the kernel also logged: libceph: auth protocol 'none' not allowed)"
  # A user who can only read the image.
  bad "$POOL/good id=reader" "$POOL/good: not permitted; run rbdmap as root on the host, and give client.reader the OSD capability \`profile rbd\`"
}
refused() {
  echo "the cluster refuses client.$1: wrong key, unknown user or missing capabilities;" \
    "compare with \`ceph auth get client.$1\` (the kernel also logged: libceph: auth protocol 'cephx' msgr authentication failed: -13)"
}

names_of_the_cluster() {
  bad "nowhere/good $GOOD" "nowhere/good: $(absent pool nowhere)"
  bad "$POOL/nowhere/good $GOOD" "$POOL/nowhere/good: $(absent image "$POOL/nowhere/good")"
  bad "$POOL/there/good $GOOD" "$POOL/there/good: $(absent image "$POOL/there/good")"
  bad "$POOL/nothing $GOOD" "$POOL/nothing: $(absent image "$POOL/nothing")"
  bad "$POOL/good@never $GOOD" "$POOL/good@never: $(absent snap "$POOL/good@never")"
  bad "$POOL/journaled $GOOD" "$POOL/journaled: this kernel lacks features of the image; turn them off with \`rbd feature disable $POOL/journaled journaling\` (the kernel: rbd: image journaled: image uses unsupported features: 0x40)"
}
absent() {
  echo "the pool, namespace, image or snapshot does not exist; compare with \`rbd ls\` (the kernel: rbd: $1 $2 does not exist)"
}

names_that_are_none() {
  bad "$POOL/.. $GOOD" "$TABLE:1:1: image \"..\" is not a name that can be linked below /dev/rbd"
  bad "$POOL/good@- $GOOD" "$TABLE:1:1: snapshot $POOL/good@- cannot be mapped: to the kernel \`-\` means no snapshot"
  bad "$POOL/a/b/c $GOOD" "$TABLE:1:1: image \"$POOL/a/b/c\" has more than two slashes, expected pool/namespace/image"
  printf '%s/a\0b %s\n' "$POOL" "$GOOD" | tee -a lines >$TABLE
  ends 1 rbdmap map --direct --no-mount
  says "$TABLE:1:1: image \"a\\0b\" contains a blank or control character, which the kernel cannot take"
}

# A name longer than any path or unit name can be is shortened in the message.
a_long_name() {
  printf '%s/%05000d %s\n' "$POOL" 0 "$GOOD" >$TABLE
  ends 1 rbdmap map --direct --no-mount
  [ ${#SAID} -lt 500 ] || fail "a name of 5,000 characters is reported in a message of ${#SAID}"
  says "$TABLE:1:1: "
}

tables() {
  RBDMAPFILE=$PWD/directory ends 1 rbdmap map --direct
  same "rbdmap: $PWD/directory: Is a directory (os error 21)" "$SAID" "what map says of a table that is a directory"
  RBDMAPFILE=$PWD/binary ends 1 rbdmap map --direct
  RBDMAPFILE=/nowhere ends 0 rbdmap map --direct
  seq -f "$POOL/image%.0f id=boot" 10000 | sed '7777s/id=/ib=/' >long
  RBDMAPFILE=$PWD/long ends 1 rbdmap map --dry-run
  within 40000
  says "$PWD/long:7777:$((${#POOL} + 12)): unknown option \"ib\"; did you mean \"id\"?"
  same 9999 "$(grep -c "^would map $POOL/image" <<<"$SAID")" "images that would be mapped"
}

command_lines() {
  : >$TABLE
  wrong_usage "unexpected argument '--nonsense'" map --nonsense
  wrong_usage "unrecognized subcommand 'nonsense'" nonsense
  wrong_usage "a value is required for '--id <ID>'" map "$POOL/good" --id
  wrong_usage "expected a number of seconds, at least 1" map --timeout 0
  wrong_usage "image \"..\" is not a name" map "$POOL/.." --id boot
  ends 1 rbdmap map "$POOL/good"
  same "rbdmap: $POOL/good: not in $TABLE; add a line such as \`$POOL/good id=USER\`, or use --id USER" "$SAID" "what map says"
  echo "$POOL/good ib=boot" >$TABLE
  ends 1 rbdmap map "$POOL/good"
  says "$TABLE:1:$((${#POOL} + 7)): unknown option \"ib\"; did you mean \"id\"?"
  says "$POOL/good: not found in $TABLE, which has invalid lines (see above); fix them, or use --id USER"
  : >$TABLE
  ends 1 rbdmap map "$POOL/good" --id boot --conf /nowhere
  same "rbdmap: ceph.conf /nowhere does not exist; check conf=, --conf and CEPH_CONF" "$SAID" "what map says of ceph.conf"
  ends 0 rbdmap unmap "$POOL/good"
  same "$POOL/good: not mapped" "$SAID" "what unmap says"
  ends 1 rbdmap unmap /dev/null
  same "rbdmap: /dev/null: not a block device" "$SAID" "what unmap says of what is no device"
}

# On the command line: no image, an invalid user, an unknown option.
by_hand_wrongly() {
  ends 2 rbdmap map --id boot
  says "<SPEC>"
  ends 2 rbdmap map "$POOL/good" --name boot
  says "user \"boot\" is not of the form client.ID; only such users can map images"
  ends 2 rbdmap map "$POOL/good" --id boot -o nonsense
  says "unknown map option \"nonsense\""
}
wrong_usage() {
  ends 2 rbdmap "${@:2}"
  says "$1"
}

# Refused with the safe alternative. The secret is not printed, because logs would keep it.
secrets_are_not_repeated() {
  local option
  for option in --key --secret; do
    wrong_usage "every user on this host can read a secret on the command line; write it to a file with mode 0600 and use --keyfile FILE" \
      map "$POOL/good" --id boot $option AQCvWKVlAAAAABAAxjSMvNLkZy0nqVkhxMmgEA==
    expect_not AQCvWKVl <<<"$SAID" >/dev/null
  done
}
