# host_actions.sh: what the lab does on the host for a step in a guest, by `on_host WORD…` (guest/lab/guest_lib.sh): above all, failures of
# a cluster.
# Owns the requests and answers, which are files in the directory of the boot's logs, and the actions. Each machine has a cluster of its own
# for failures, `frail`, so that others are not affected: one monitor and one OSD, started with the first request.
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034 # frail() has variables of its own on purpose; cluster.sh reads them

# answer DIRECTORY: carries out the request in it, if any. The first line of the answer is the exit status.
answer() {
  local words status=0
  [ -e "$1/ask" ] || return 0
  read -ra words <"$1/ask"
  rm "$1/ask"
  asked "${words[@]}" >"$1/answer.said" 2>&1 &
  wait $! || status=$?
  { echo "$status"; cat "$1/answer.said"; } >"$1/answer.part"
  mv "$1/answer.part" "$1/answer"
}

asked() {
  set -e
  case $1 in
    rbd | ceph) cluster "$@" ;;
    frail) shift; frail "$@" ;;
    hold-lock) hold_lock "$2" ;;
    drop-lock) pkill -KILL -f "hold-lock.py $2\$" ;;
    cut-power) cut_power "$2" ;;
    *) die "there is no action '$1'" ;;
  esac
}

# frail up: starts the machine's own cluster, with a pool of the machine's name, and prints its fsid and the key of client.boot.
# frail mon|osd stop|kill|freeze|thaw|start: a daemon of it.  frail repair: starts or thaws both.  frail later SECONDS mon|osd …: after a delay.
# frail quorumless: adds a monitor at port 3400 whose monmap has two more that do not exist: it sends its banner, and refuses clients.
# frail rbd|ceph|rados …: a command to the cluster.
frail() (
  CLUSTER=$LAB_MEMORY/frail-$GUEST
  CLUSTER_ADDRESS=$(frail_address "$GUEST")
  MONITOR="[v2:$CLUSTER_ADDRESS:3300,v1:$CLUSTER_ADDRESS:6789]"
  case $1 in
    up) frail_up; sed -n 's/^fsid = //p' "$CLUSTER/ceph.conf"; sed -n 's/^\tkey = //p' "$CLUSTER/boot.keyring" ;;
    mon | osd) frail_daemon "$1" "$2" ;;
    repair) frail_repair ;;
    later) frail_later "$2" "$3" "$4" ;;
    quorumless) frail_quorumless ;;
    rbd | ceph | rados) cluster "$@" ;;
    *) die "frail: no '$1'" ;;
  esac
)

frail_up() {
  ip -n "$NAMESPACE" addr replace "$CLUSTER_ADDRESS/24" dev br0
  frail_end
  rm -rf "$CLUSTER"
  mkdir -p "$CLUSTER"/{mon,osd,log}
  cluster_configure
  cluster_start >"$CLUSTER/log/start" 2>&1
  pool_create "$GUEST"
}
# Ends the daemons of that cluster, if any.
frail_end() {
  local daemon
  for daemon in mon.a osd.0 mon.m0; do frail_signal KILL "$daemon"; done
}

frail_daemon() {
  local daemon
  daemon=$(frail_name "$1")
  case $2 in
    stop) frail_signal TERM "$daemon"; wait_until 20 frail_is_gone "$daemon" ;;
    kill) frail_signal KILL "$daemon"; wait_until 5 frail_is_gone "$daemon" ;;
    freeze) frail_signal STOP "$daemon" ;;
    thaw) frail_signal CONT "$daemon" ;;
    start) cluster "ceph-${daemon%.*}" -i "${daemon#*.}" ;;
    *) die "frail: no '$2'" ;;
  esac
}
# Both daemons run again.
frail_repair() {
  local daemon
  [ -d "$CLUSTER" ] || return 0
  for daemon in mon osd; do
    frail_daemon "$daemon" thaw
    ! frail_is_gone "$(frail_name "$daemon")" || frail_daemon "$daemon" start
  done
}

frail_later() { (sleep "$1"; frail_daemon "$2" "$3") >/dev/null 2>&1 & }

frail_quorumless() {
  local number map=()
  for number in 0 1 2; do map+=(--addv "m$number" "v2:$CLUSTER_ADDRESS:340$number"); done
  mkdir -p "$CLUSTER/quorumless"
  monmaptool --create --clobber --fsid "$(cat /proc/sys/kernel/random/uuid)" "${map[@]}" "$CLUSTER/quorumless.map"
  cluster ceph-mon --mkfs -i m0 --mon-data "$CLUSTER/quorumless" --monmap "$CLUSTER/quorumless.map" --keyring "$CLUSTER/keyring"
  cluster ceph-mon -i m0 --mon-data "$CLUSTER/quorumless" --pid-file "$CLUSTER/mon.m0.pid" --admin-socket ""
}

frail_name() { case $1 in mon) echo mon.a ;; osd) echo osd.0 ;; *) die "frail: no daemon '$1'" ;; esac; }
frail_pid() { cat "$CLUSTER/$1.pid" 2>/dev/null; }
# By its pid, if that is still the daemon's.
frail_signal() {
  local pid
  pid=$(frail_pid "$2") || return 0
  [[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != ceph-* ]] || kill "-$1" "$pid"
}
frail_is_gone() { ! kill -0 "$(frail_pid "$1")" 2>/dev/null; }

# hold_lock SECONDS:POOL/IMAGE: a client on the host takes the image's exclusive lock, and does not release it for so long. With 0 seconds
# it is killed at once, and leaves lock and watch, as after a power cut.
hold_lock() {
  rm -f "$CLUSTER/log/hold-$GUEST"
  local seconds=${1%%:*} image=${1#*:} pid
  cluster timeout 300 /usr/bin/python3 "$LAB/hold-lock.py" "$image" >"$CLUSTER/log/hold-$GUEST" 2>&1 &
  pid=$!
  wait_until 20 grep -q held "$CLUSTER/log/hold-$GUEST"
  if [ "$seconds" = 0 ]; then
    pkill -KILL -f "hold-lock.py $image\$"
  else
    (sleep "$seconds"; pkill -KILL -f "hold-lock.py $image\$" || true) >/dev/null 2>&1 &
  fi
  echo "by $pid"
}

# cut_power SECONDS: kills the guest's kernel after that time. The file power-cut in the boot's directory records it.
cut_power() {
  local directory=$BOOT_DIRECTORY
  (sleep "$1"; date +%s.%N >"$directory/power-cut"; guest_kill "$(cat "$directory/machine")") >/dev/null 2>&1 &
}
