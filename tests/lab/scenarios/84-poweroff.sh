# poweroff: processes in a mount are waited for or killed, mounts and mappings made by hand go too, all before the network goes down
# shellcheck shell=bash

SAT=(sat-in stubborn bound by-hand logged-in contained)

images() { images_of 32 "${SAT[@]}"; }

configure() {
  local image
  for image in "${SAT[@]}"; do fresh "$image" ext4; done
  mkdir -p /mnt/{sat-in,stubborn,bound,by-hand,elsewhere,bind-of-bound,logged-in,contained}
  for image in sat-in stubborn bound logged-in contained; do
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto,_netdev 0 0"
  done
  # Neither declares the mount that it uses; one needs 3 s to stop, the other ignores SIGTERM.
  application sat-in "trap 'sleep 3; exit' TERM"
  application stubborn "trap '' TERM"
  # A map during shutdown is refused with the reason.
  printf '[Service]\nExecStopPost=-/usr/bin/env rbdmap map\n' | install -D /dev/stdin /etc/systemd/system/lab-sat-in.service.d/ask.conf
  systemctl enable rbdmap.service
}

# application MOUNT TRAP
application() {
  cat >"/etc/systemd/system/lab-$1.service" <<UNIT
[Unit]
After=rbdmap.service
[Service]
TimeoutStopSec=6
ExecStart=/bin/bash -c "$2; cd /mnt/$1; while :; do sleep 1; done"
[Install]
WantedBy=multi-user.target
UNIT
  systemctl enable "lab-$1.service"
}

booted() {
  same active "$(systemctl is-active lab-sat-in.service)" "one application"
  same active "$(systemctl is-active lab-stubborn.service)" "the other"
  # Made by an administrator: a mount without _netdev, before a daemon-reload; a bind mount; an image that no file names.
  mount "/dev/rbd/$POOL/bound" /mnt/elsewhere
  mount --bind /mnt/bound /mnt/bind-of-bound
  systemctl daemon-reload
  rbdmap map "$POOL/by-hand" --id boot
  mount "/dev/rbd/$POOL/by-hand" /mnt/by-hand
  # A session scope as logind makes it, which ignores SIGTERM; and a container with the mount in its own mount namespace.
  scope user-0.slice session-9 -p SendSIGHUP=yes -p TimeoutStopSec=40 bash -c "trap '' TERM HUP; cd /mnt/logged-in; while :; do sleep 1; done"
  scope machine.slice lab-container -p TimeoutStopSec=40 unshare --mount --propagation private bash -c "trap '' TERM; while :; do sleep 1; done"
  wait_for 20 systemctl is-active session-9.scope lab-container.scope
  sleep 1
}

# scope SLICE NAME COMMAND…: in the background.
scope() { systemd-run --quiet --scope --slice="$1" --unit="$2" "${@:3}" </dev/null >/dev/null 2>&1 & }

powered_off() {
  [ "$BOOT" = 2 ] || return 0
  in_order "Stopped lab-sat-in\.service" "sat.*in: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order "rbdmap\[[0-9]+\]: the system is shutting down: systemd accepts no new jobs, and unmaps all images as part of the shutdown"
  in_order "lab-stubborn\.service: Killing process|lab-stubborn\.service: Main process exited, code=killed" \
    "stubborn: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order "bound: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order "session-9\.scope: Killing process" "logged.*in: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order "lab-container\.scope: Killing process" "contained: unmapped /dev/rbd" "Stopping lab-network\.service"
}
