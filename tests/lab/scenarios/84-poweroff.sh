# poweroff: who sits in a mount is waited for or killed, what was mounted and mapped by hand goes too, all before the network
# shellcheck shell=bash

SAT=(sat-in stubborn bound by-hand)

images() {
  local image
  for image in "${SAT[@]}"; do image "$image" 32M; done
}

configure() {
  local image
  for image in "${SAT[@]}"; do fresh "$image" ext4; done
  mkdir -p /mnt/{sat-in,stubborn,bound,by-hand,elsewhere,bind-of-bound}
  for image in sat-in stubborn bound; do
    table "$image"
    fstab "/dev/rbd/$POOL/$image /mnt/$image ext4 noauto,_netdev 0 0"
  done
  # Neither says which mount it needs; one takes its time to end, the other does not listen.
  application sat-in "trap 'sleep 3; exit' TERM"
  application stubborn "trap '' TERM"
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
}

powered_off() {
  [ "$BOOT" -gt 1 ] || return 0
  in_order "Stopped lab-sat-in\.service" "Stopped rbdmap@.*sat.*in\.service" "Stopping lab-network\.service"
  in_order "lab-stubborn\.service: Killing process|lab-stubborn\.service: Main process exited, code=killed" \
    "Stopped rbdmap@.*stubborn\.service" "Stopping lab-network\.service"
  in_order "Stopped rbdmap@.*bound\.service" "Stopping lab-network\.service"
}
