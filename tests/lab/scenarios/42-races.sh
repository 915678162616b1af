# races: two commands at once never map twice, map against unmap leaves all or nothing, and an image in use is named and stays usable
# soak: twice to four times as many rounds of each race
# shellcheck shell=bash

images() {
  image race-a 32M
  image race-b 32M
}

by_hand() {
  fresh race-a ext4
  fresh race-b ext4
  mkdir -p /mnt/race-a /mnt/race-b
  table race-a
  table race-b
  fstab "/dev/rbd/$POOL/race-a /mnt/race-a ext4 noauto 0 0"
  fstab "/dev/rbd/$POOL/race-b /mnt/race-b ext4 noauto 0 0"
  map_against_map
  map_against_unmap
  busy
  behind_systemd
  start_in_the_middle
  nothing_left
}

# systemd starts the unit of an image when its device appears; when that unit runs, the image has been unmapped already.
behind_systemd() {
  systemctl daemon-reload
  for _ in $(seq "$(longer 2 5)"); do
    rbdmap map --direct
    rbdmap unmap --direct
    sleep 1
    nothing_left
  done
  systemd_hears_late
}

# udev announces a device to systemd after the programs of its rules have ended; it makes the links before that.
systemd_hears_late() {
  local engine
  echo 'ACTION=="add", KERNEL=="rbd*", RUN+="/bin/sleep 2"' >/etc/udev/rules.d/99-lab.rules
  udevadm control --reload
  for engine in --direct ""; do
    rbdmap map --direct
    # shellcheck disable=SC2086 # none is no word
    rbdmap unmap $engine
    sleep 3
    nothing_left
  done
  rm /etc/udev/rules.d/99-lab.rules
  udevadm control --reload
}

is_gone() { ! mapped "$1"; }

# The image is unmapped while its unit has a write to the kernel in progress: the device of that write appears later.
start_in_the_middle() {
  local unit unmap user
  unit=rbdmap@$(systemd-escape "$POOL/race-b").service
  mkdir "/run/systemd/system/$unit.d"
  cat >"/run/systemd/system/$unit.d/lab.conf" <<EOF
[Service]
SystemCallFilter=
SystemCallArchitectures=
ExecStart=
ExecStart=sh -c 'rm slow || exec rbdmap map --direct --no-mount "\$0"; exec strace -D -f -o /dev/null -P $ADD -e trace=write -e inject=write:delay_enter=1500000 rbdmap map --direct --no-mount "\$0"' %I
WorkingDirectory=$PWD
EOF
  systemctl daemon-reload
  rbdmap map
  echo 'ACTION=="add", KERNEL=="rbd*", RUN+="/bin/sleep 2"' >/etc/udev/rules.d/99-lab.rules
  udevadm control --reload
  # race-a stays in use, so that the unmap lasts until the unit of race-b is in its write.
  sleep 60 3<"/dev/rbd/$POOL/race-a" &
  user=$!
  rbdmap unmap --direct >unmap.said 2>&1 &
  unmap=$!
  wait_for 5 is_gone race-b
  touch slow
  systemctl restart --no-block "$unit"
  wait_for 5 [ ! -e slow ]
  sleep 0.5
  kill $user
  wait $user || true
  wait $unmap || fail "unmap ended with $?: $(cat unmap.said)"
  sleep 3
  nothing_left
  touch slow
  systemctl start --no-block "$unit"
  wait_for 5 [ ! -e slow ]
  sleep 0.5
  rbdmap unmap
  sleep 3
  nothing_left
  rm -r /etc/udev/rules.d/99-lab.rules "/run/systemd/system/$unit.d"
  udevadm control --reload
  systemctl daemon-reload
}

map_against_map() {
  local first second
  for _ in $(seq "$(longer 2 5)"); do
    timeout 30 rbdmap map --direct &
    first=$!
    timeout 30 rbdmap map --direct &
    second=$!
    wait $first || fail "the first of two ended with $?"
    wait $second || fail "the second of two ended with $?"
    stands race-a
    stands race-b
    same 2 "$(mappings | wc -l)" mappings
    same 2 "$(grep -c ' /mnt/race-' /proc/self/mountinfo)" mounts
    rbdmap unmap --direct
    nothing_left
  done
}

# Either command may win and the other may fail; but both end, and each image is either mapped and mounted, or neither.
map_against_unmap() {
  local map unmap image round
  for round in $(seq "$(longer 5 20)"); do
    timeout 30 rbdmap map --direct >map.said 2>&1 &
    map=$!
    timeout 30 rbdmap unmap --direct >unmap.said 2>&1 &
    unmap=$!
    ended $map "map of round $round"
    ended $unmap "unmap of round $round"
    for image in race-a race-b; do
      if mapped $image; then stands $image; else stands_not $image; fi
    done
  done
  rbdmap map --direct
  stands race-a
  stands race-b
  rbdmap unmap --direct
  nothing_left
}

ended() {
  local status=0
  wait "$1" || status=$?
  [ "$status" -le 1 ] || fail "$2 ended with $status (124: not at all); map said '$(cat map.said)', unmap '$(cat unmap.said)'"
}

stands() {
  is_mapped_once "$1"
  same "$(devices_of "$1")" "$(findmnt -n -o SOURCE "/mnt/$1")" "what is mounted on /mnt/$1"
}
stands_not() {
  is_not_mapped "$1"
  same "" "$(grep " /mnt/$1 " /proc/self/mountinfo)" "mounts of $1, which is not mapped"
}

busy() {
  rbdmap map --direct
  (cd /mnt/race-a && exec sleep 60) &
  local holder=$!
  # shellcheck disable=SC2064 # it is known now
  trap "kill $holder" EXIT
  wait_for 5 [ "/proc/$holder/cwd" -ef /mnt/race-a ]
  ends 1 rbdmap unmap --direct --timeout 3
  within 6500
  says "/mnt/race-a is in use by pid $holder (sleep, user root"
  says "$POOL/race-a: "
  stands race-a
  stands_not race-b
  echo "still usable" >/mnt/race-a/data
  sync -f /mnt/race-a/data
  expect "still usable" </mnt/race-a/data
  kill $holder
  trap - EXIT
  wait $holder || true
  rbdmap unmap --direct
}
