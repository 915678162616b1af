# power-cut: what a guest does until the power cut, and what the next boot must find; for `lab cuts`.
# The watches and locks of a client that was cut off stay for 30 s, so that the next boot meets them.
# shellcheck shell=bash

CUT=(cut-1 cut-2 cut-3 cut-4)
RECORDS=/mnt/cut-1/records

configure() {
  local image
  for image in "${CUT[@]}"; do
    fresh "$image" ext4
    mkdir -p "/mnt/$image"
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto 0 0"
  done
  late_monitor
  systemctl enable rbdmap.service
}

# An image of another cluster, whose monitor starts when the next boot has waited for it for about 40 s: only its own mount waits.
late_monitor() {
  frail_up
  frail_image cut-late 32M
  frail_table cut-late
  mkdir -p /mnt/cut-late
  fstab "/dev/rbd/$POOL/cut-late /mnt/cut-late ext4 noauto 0 0"
  rbdmap map --direct --no-mount "$POOL/cut-late"
  mkfs.ext4 -q "/dev/rbd/$POOL/cut-late"
  rbdmap unmap --direct
  on_host frail mon stop
  on_host frail later 60 mon start
}

map() {
  all_is_there
  rbdmap unmap
  cut_soon
  rbdmap map
  not_cut
}

write() {
  all_is_there
  cut_soon
  local number
  number=$(tail -n 1 /lab/log/confirmed)
  # shellcheck disable=SC2064 # it is known now
  while true; do
    number=$((number + 1))
    dd of=$RECORDS oflag=append,dsync conv=notrunc status=none <<<"$number"
    # On the host, and only after the write to the image has returned.
    dd of=/lab/log/confirmed oflag=append,sync conv=notrunc status=none <<<"$number"
  done
}

unmap() {
  all_is_there
  # Dirty pages to write back are part of the unmap.
  dd if=/dev/zero of=/mnt/cut-2/dirty bs=1M count=8 status=none
  cut_soon
  rbdmap unmap
  not_cut
}

# The monitor of the other cluster does not start.
last() {
  all_but_the_late_are_there
  local name given_up
  name=$(instance cut-late)
  same "$name" "$(systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1)" "failed units"
  same active "$(systemctl is-active rbdmap.service)" rbdmap.service
  systemctl show -P StatusText rbdmap.service | expect "$POOL/cut-late"
  systemctl show -P StatusText "$name" | expect "no monitor answered within 80 s"
  given_up=$(($(systemctl show -P ActiveEnterTimestampMonotonic rbdmap.service) / 1000000))
  echo "$given_up" >/lab/log/late-took
  [ "$given_up" -le 110 ] || fail "boot went on $given_up s after the start"
}

cut_soon() { on_host cut-power "$(cat /lab/log/cut-after)"; }
not_cut() {
  sleep 60
  fail "the power was not cut within 60 s"
}

# Every image is mapped once and mounted within 90 s of the kernel's start, with every confirmed write.
all_is_there() {
  same "" "$(systemctl list-units --failed --plain --no-legend)" "failed units"
  all_but_the_late_are_there
  is_mapped_once cut-late
  findmnt /mnt/cut-late
  since_start cut-late >/lab/log/late-took
}

all_but_the_late_are_there() {
  local image when last=0 there confirmed
  for image in "${CUT[@]}"; do
    is_mapped_once "$image"
    findmnt "/mnt/$image"
    when=$(since_start "$image")
    [ "$when" -le "$last" ] || last=$when
  done
  echo "$last" >/lab/log/took
  [ "$last" -le 90 ] || fail "the last was mounted $last s after the start"
  touch $RECORDS
  there=$(tail -n 1 $RECORDS)
  confirmed=$(tail -n 1 /lab/log/confirmed)
  [ "${there:-0}" -ge "$confirmed" ] || fail "confirmed: $confirmed, on the image: ${there:-none}"
  date >/mnt/cut-3/date
  sync -f /mnt/cut-3
}

# since_start IMAGE: seconds from the start of the kernel until it was mounted.
since_start() {
  echo $(($(systemctl show --value -p ActiveEnterTimestampMonotonic "mnt-${1/-/\\x2d}.mount") / 1000000))
}
