# nofail: boot does not wait for an image with nofail; when its cause is gone, it is mapped and mounted, and its hook runs
# Two images, declared in rbdmap.toml with their mounts: one lacks its keyring at first, the monitor of the other does not exist. A
# service makes the boot long.
# shellcheck shell=bash

images() { image late 32M; }

LATE=/etc/ceph/late.keyring

configure() {
  fresh late ext4
  mkdir -p /mnt/late /mnt/never "/etc/ceph/rbd.d/$POOL"
  cat >/etc/rbdmap.toml <<TOML
[[image]]
spec = "$POOL/late"
user = "boot"
keyring = "$LATE"
nofail = true
hook = "/usr/local/sbin/late-hook"

[[image.mount]]
where = "/mnt/late"

[[image]]
spec = "$POOL/never"
user = "boot"
monitors = ["10.77.0.99:3300"]
nofail = true

[[image.mount]]
where = "/mnt/never"
TOML
  # shellcheck disable=SC2016 # the hook expands it
  printf '#!/bin/sh\necho "$1, $(findmnt -n -o TARGET /mnt/late)"\n' >/usr/local/sbin/late-hook
  chmod 755 /usr/local/sbin/late-hook
  cat >/etc/systemd/system/lab-late.service <<'UNIT'
[Unit]
RequiresMountsFor=/mnt/late
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
UNIT
  cat >/etc/systemd/system/lab-long.service <<'UNIT'
[Unit]
After=network-online.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'sleep 15; rbdmap status >/run/lab-long.said; true'
[Install]
WantedBy=multi-user.target
UNIT
  systemctl enable rbdmap.service lab-late.service lab-long.service
}

booted() {
  grep -P "^$POOL/never\twaiting\t.*\trbdmap-nofail.service starts it when a monitor answers" /run/lab-long.said
  is_not_mapped late
  same inactive "$(systemctl is-active lab-late.service)" "who needs what is late"
  same active "$(systemctl is-active rbdmap.service)" rbdmap.service
  systemctl show -p StatusText rbdmap.service | expect "$POOL/never"
  wait_for 10 is_trying late
  # At the beginning of an attempt there is no reason yet.
  wait_for 15 says_why
  [ "$BOOT" != 2 ] || says_it_once
  cp "$KEYRING" $LATE
  wait_for 30 findmnt /mnt/late
  wait_for 20 hook_was_called
  wait_for 10 systemctl is-active lab-late.service
  rm $LATE
  wait_for 10 is_trying never
  wait_for 10 shows_that_it_waits
}
shows_that_it_waits() { grep -P "^$POOL/never\twaiting\t.*10\.77\.0\.99:3300" <<<"$(rbdmap status)"; }

# Between two attempts it is deactivating for a moment.
is_trying() { [ "$(systemctl is-active "$(instance "$1")")" = activating ]; }

# The unit retries, and logs the reason when it changes, not for each attempt.
says_it_once() {
  local before
  sleep 12
  before=$(times_told)
  [ "$before" -gt 0 ] || fail "the journal does not say why it is not there"
  sleep 25
  same "$before" "$(times_told)" "how often the journal says why"
  wait_for 10 says_why
  # A map by hand reports the reason at once.
  ends 1 rbdmap map "$POOL/late"
  within 10000
  says "keyring $LATE does not exist"
  wait_for 20 is_trying late
}
times_told() { journalctl -b -o cat -u "$(instance late)" | grep -c "keyring $LATE does not exist"; }

says_why() { systemctl show -p StatusText "$(instance late)" | grep -qF "keyring $LATE does not exist"; }
hook_was_called() { grep -qF "hook: map, /mnt/late" <<<"$(journalctl -b -o cat -t rbdmap)"; }

powered_off() {
  # At the end of boot 3 the lab unmaps everything itself (`forget`).
  [ "$BOOT" = 2 ] || return 0
  # A boot is not finished while a start job runs.
  in_order "Finished lab-long\.service" "Startup finished in" "Starting rbdmap@.*never"
  in_order "hook: unmap, /mnt/late" "Unmounted mnt-late\.mount" "late: unmapped /dev/rbd" "Stopping lab-network\.service"
}
