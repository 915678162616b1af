# poweroff: who sits in a mount is waited for or killed, what was mounted and mapped by hand goes too, all before the network
# shellcheck shell=bash

SAT=(sat-in stubborn bound by-hand logged-in contained)

images() {
  local image
  for image in "${SAT[@]}"; do image "$image" 32M; done
}

configure() {
  local image
  for image in "${SAT[@]}"; do fresh "$image" ext4; done
  mkdir -p /mnt/{sat-in,stubborn,bound,by-hand,elsewhere,bind-of-bound,logged-in,contained}
  for image in sat-in stubborn bound logged-in contained; do
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto,_netdev 0 0"
  done
  # Neither says which mount it needs; one takes its time to end, the other does not listen.
  application sat-in "trap 'sleep 3; exit' TERM"
  application stubborn "trap '' TERM"
  # What somebody asks for meanwhile is refused, with the reason.
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
  # An administrator's own: without _netdev, seen anew by systemd; a bind; an image that is in no file.
  mount "/dev/rbd/$POOL/bound" /mnt/elsewhere
  mount --bind /mnt/bound /mnt/bind-of-bound
  systemctl daemon-reload
  rbdmap map "$POOL/by-hand" --id boot
  mount "/dev/rbd/$POOL/by-hand" /mnt/by-hand
  # A shell as logind has it, deaf until it is killed; and a container, which has the mount in a namespace of its own.
  scope user-0.slice session-9 -p SendSIGHUP=yes -p TimeoutStopSec=40 bash -c "trap '' TERM HUP; cd /mnt/logged-in; while :; do sleep 1; done"
  scope machine.slice lab-container -p TimeoutStopSec=40 unshare --mount --propagation private bash -c "trap '' TERM; while :; do sleep 1; done"
  wait_for 20 systemctl is-active session-9.scope lab-container.scope
  sleep 1
}

# scope SLICE NAME COMMAND…: in the background, as long as it lives.
scope() { systemd-run --quiet --scope --slice="$1" --unit="$2" "${@:3}" </dev/null >/dev/null 2>&1 & }

powered_off() {
  [ "$BOOT" = 2 ] || return 0
  in_order "Stopped lab-sat-in\.service" "sat.*in: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order "rbdmap\[[0-9]+\]: the system is shutting down: systemd takes no new work, and unmaps all images by itself"
  in_order "lab-stubborn\.service: Killing process|lab-stubborn\.service: Main process exited, code=killed" \
    "stubborn: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order "bound: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order "session-9\.scope: Killing process" "logged.*in: unmapped /dev/rbd" "Stopping lab-network\.service"
  in_order "lab-container\.scope: Killing process" "contained: unmapped /dev/rbd" "Stopping lab-network\.service"
}
