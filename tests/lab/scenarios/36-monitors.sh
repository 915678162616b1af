# monitors: monitors away and back, without a quorum, one of three, wrong messenger, another cluster, unresolvable names: each attempt ends within its time limit and names the cause
# machine: faults
# soak: a monitor is away for 40 s
# Addresses where nothing answers are in the scenario dead-monitors.
# shellcheck shell=bash

by_hand() {
  trap repair EXIT
  frail_up
  frail_image monitored 32M
  one_of_three
  by_name
  wrong_messenger
  another_cluster
  no_quorum
  away_and_back
  rm /etc/ceph/frail/other.conf
  trap - EXIT
  repair
  nothing_left
}

# maps_with OPTIONS STATUS LIMIT: with a line with these options only.
maps_with() {
  sed -i '/^[^#]/d' /etc/ceph/rbdmap || true
  frail_table monitored "$1"
  ends "$2" rbdmap map --direct --timeout 8
  echo "$TOOK ms: $SAID"
  within "$3"
}

one_of_three() {
  maps_with "mon_host=10.77.0.99:3300;10.77.0.98:3300;$FRAIL:3300" 0 6000
  rbdmap unmap --direct
}

repair() {
  on_host frail repair
  sed -i '/monitor-/d' /etc/hosts
  echo "hosts: files dns" >/etc/nsswitch.conf
  rm -f /etc/resolv.conf
}

# Names that cannot be resolved because the name server is down: reported, retried, and the image is mapped when a name can be resolved.
# The name that still cannot be resolved is reported.
by_name() {
  touch /etc/hosts
  echo "nameserver 10.77.0.99" >/etc/resolv.conf
  maps_with "mon_host=monitor-a.example;monitor-b.example" 1 12000
  says "monitor-a.example, monitor-b.example cannot be resolved: no name server answers"
  rbdmap map --direct --timeout 60 >said 2>&1 &
  local map=$!
  sleep 8
  echo "$FRAIL monitor-a.example" >>/etc/hosts
  wait $map || fail "it said '$(cat said)'"
  cat said
  expect "retrying" <said
  expect "monitor-b.example cannot be resolved" <said
  same 1 "$(grep -c "retrying" said)" "what is said of each try"
  is_mapped_once monitored
  rbdmap unmap --direct
  # A name that does not exist is not retried.
  rm /etc/resolv.conf
  echo "hosts: files" >/etc/nsswitch.conf
  maps_with "mon_host=monitor-c.example" 1 3000
  says "no such name; check mon_host"
}

wrong_messenger() {
  speaks_another "v2:$FRAIL:6789" secure "speaks msgr1, msgr2 is required"
  speaks_another "v1:$FRAIL:3300" legacy "speaks msgr2, msgr1 is required"
}
# speaks_another MONITOR MODE SENTENCE. On a busy machine the monitor once sent no banner within the 8 s, and `no answer` was correct; so
# there are up to three attempts.
speaks_another() {
  local _
  for _ in 1 2 3; do
    maps_with "mon_host=$1,options='ms_mode=$2'" 1 12000
    [[ $SAID == *": no answer"* ]] || break
  done
  says "${1#v?:}: $3"
}

# The cluster has another fsid than ceph.conf: nothing stays mapped.
another_cluster() {
  sed "s/^fsid = .*/fsid = 11111111-2222-3333-4444-555555555555/" /etc/ceph/frail/ceph.conf >/etc/ceph/frail/other.conf
  sed -i '/^[^#]/d' /etc/ceph/rbdmap || true
  echo "$POOL/monitored id=boot,conf=/etc/ceph/frail/other.conf,keyring=/etc/ceph/frail/keyring" >>/etc/ceph/rbdmap
  ends 1 rbdmap map --direct --timeout 8
  echo "$TOOK ms: $SAID"
  within 12000
  says 11111111-2222-3333-4444-555555555555
  is_not_mapped monitored
}

no_quorum() {
  frail_image quorumless 32M
  on_host frail quorumless
  sed -i '/^[^#]/d' /etc/ceph/rbdmap
  frail_table quorumless "mon_host=v2:$FRAIL:3400,options='ms_mode=secure'"
  ends 1 rbdmap map --direct --timeout 8
  echo "$TOOK ms: $SAID"
  within 12000
  says quorum
  # The kernel still works on the first request, which is reported.
  ends 1 rbdmap map --direct --timeout 1
  says "by a request that the kernel has not answered"
}

# While the monitor is away, the unit's status reports it; when it returns, the image is mapped without further commands.
away_and_back() {
  sed -i '/^[^#]/d' /etc/ceph/rbdmap
  frail_table monitored
  systemctl daemon-reload
  on_host frail mon stop
  rbdmap map "$POOL/monitored" >said 2>&1 &
  local map=$!
  wait_for 15 status_says monitored "waiting for a monitor: $FRAIL:3300"
  ends 1 rbdmap status
  grep -qP "^$POOL/monitored\twaiting\t" <<<"$SAID" || fail "its line: $(grep monitored <<<"$SAID")"
  says "waiting for a monitor: $FRAIL:3300"
  sleep "$(longer 8 40)"
  on_host frail mon start
  wait_for 20 mapped monitored
  wait $map || fail "it said '$(cat said)'"
  expect "waiting for a monitor: $FRAIL:3300" <said
  systemctl stop "$(instance monitored)"
}
status_says() { systemctl show -p StatusText "$(instance "$1")" | grep -F -e "$2"; }

