# run.sh: which scenarios run in which boots of which guests, and what is said about them.
# A scenario is a file whose first line says in a sentence what must be so, and which declares some of the functions
# images, by_hand, configure, booted, powered_off (README.md says where each runs).
# The surprise: all scenarios share the boots of a guest. The first runs what is done by hand and then, as an administrator
# would, writes the files for the second; boots two and three must come to the same. Then the guest is made empty again, for
# the few scenarios that need boots with nobody else's images: those from which the cluster goes away.
# shellcheck shell=bash

scenario_file() { echo "$LAB"/scenarios/[0-9][0-9]-"$1".sh; }
scenario_names() { basename -s .sh -a "$LAB"/scenarios/[0-9][0-9]-*.sh | cut -d - -f 2-; }
scenario_about() { sed -n '1s/^# [^:]*: //p' "$(scenario_file "$1")"; }
# shellcheck disable=SC1090
scenario_has() (. "$(scenario_file "$1")" && declare -F "$2" >/dev/null)

scenarios_exist() {
  local name
  for name; do [ -f "$(scenario_file "$name")" ] || die "no scenario is named '$name'; there are: $(scenario_names | paste -sd ' ')"; done
}

list_scenarios() {
  local name
  for name in $(scenario_names); do printf '%-12s %s\n' "$name" "$(scenario_about "$name")"; done
}

# run_scenarios [NAME…]: in all guests at once. Guests do not meet: each has its pool, its disk, its address.
run_scenarios() {
  local guest names=("$@") testers=()
  [ $# -gt 0 ] || mapfile -t names < <(scenario_names)
  mkdir -p "$LAB_DIR/logs"
  : >"$LAB_DIR/logs/results"
  rm -f "$LAB_DIR"/logs/asks-*
  for guest in "${CHOSEN_GUESTS[@]}"; do background guest_ready "$guest"; done
  wait "${RUNNING[@]}"
  for guest in "${CHOSEN_GUESTS[@]}"; do guest_prepare "$guest"; done
  for guest in "${CHOSEN_GUESTS[@]}"; do
    background guest_test "$guest" "${names[@]}"
    testers+=($!)
  done
  wait "${testers[@]}" || true
  summary
}

# Everything for longer, and what takes too long for every day. Both parts are run, whatever the first comes to.
soak() {
  local failed=""
  export SOAK=1 SEED=${SEED:-$RANDOM}
  progress "soak with SEED=$SEED"
  BOOT_LIMIT=20000 STEP_SECONDS=10000 run_scenarios "$@" || failed=yes
  # The scenarios end with the cluster killed.
  [ $# -gt 0 ] || { cluster_up; power_cuts 20 || failed=yes; }
  [ -z "$failed" ]
}

# The counts are of the lines that were printed. A guest whose test broke off is a failure too.
summary() {
  local results=$LAB_DIR/logs/results passed failed guest
  for guest in "${CHOSEN_GUESTS[@]}"; do
    grep -qx "done $guest" "$results" || result FAIL "$guest" "the lab itself broke off; the rest was not run"
  done
  passed=$(grep -c '^ok' "$results") || true
  failed=$(grep -c '^FAIL' "$results") || true
  progress "logs: $LAB_DIR/logs/GUEST/boot-N/"
  # Again, for whoever sees only the end.
  grep '^FAIL' "$results" || true
  echo "$passed passed, $failed failed"
  [ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]
}

# result ok|FAIL GUEST TEXT [LOG]: one line, and for a failure what failed first and the end of its log. Guests take turns.
result() {
  {
    flock "$turn"
    printf '%-4s %-13s %s\n' "$1" "$2" "$3" | tee -a "$LAB_DIR/logs/results"
    if [ -n "${4:-}" ]; then
      first_failure "$4" | cut -c 1-400 | sed 's/^/     > /'
      tail -n 15 "$4" | cut -c 1-300 | sed 's/^/     | /'
      echo "     log: $4"
    fi
  } {turn}>"$LAB_DIR/logs/turn"
  exec {turn}>&-
}
# The first report of assert.sh in a log: its message, of which ten lines are shown, and the scenario's line.
first_failure() {
  awk '
    /^FAILED AT / { if (seen) { print; exit } next }
    /^FAILED: / { if (seen) exit; seen = 1 }
    seen && ++count <= 10 && !/^\++ / { print }' "$1"
}

# All boots of one guest. Its variables are what the steps outside see.
guest_test() {
  local GUEST=$1 POOL=$1 BOOT=0 BOOT_FOLDER
  shift
  pool_create "$POOL"
  for BOOT in 0 1 2 3 4 5 6; do
    [ "$BOOT" = 0 ] || [ -n "$(steps "$@")" ] || continue
    BOOT_FOLDER=$(boot_folder "$GUEST" "$BOOT")
    export JOURNAL=$BOOT_FOLDER/journal CONSOLE=$BOOT_FOLDER/console
    mkdir -p "$BOOT_FOLDER"
    boot_of_test "$@"
  done
  (CLUSTER=$LAB_MEMORY/frail-$GUEST frail_end)
  echo "done $GUEST" >>"$LAB_DIR/logs/results"
}
# One boot, and what can be said after it. Boot 0 is what comes before the first: the images are made.
boot_of_test() {
  local name phase
  if [ "$BOOT" -gt 0 ]; then
    progress "$GUEST: boot $BOOT"
    steps "$@" | guest_boot "$GUEST" "$BOOT"
    boot_result
  fi
  for name; do
    [ "$BOOT" -le "$(scenario_last_boot "$name")" ] || continue
    for phase in $(phases_on_host); do step_on_host "$phase" "$name"; done
    [ "$BOOT" != "$(scenario_last_boot "$name")" ] || scenario_result "$name"
  done
}

phases_on_host() { case $BOOT in 0) echo images ;; *) echo powered_off ;; esac }
phases_in_guest() {
  case $BOOT in
    1) echo by_hand configure ;;
    2) echo booted ;;
    3) echo booted arrange ;;
    4) echo alone ;;
    5) echo arranged; ! guest_soft_reboots "$GUEST" || echo soft_rebooted; echo rebooted ;;
    6) echo cut_off ;;
  esac
}
# systemd has it from version 254.
guest_soft_reboots() { [[ $1 == trixie* ]]; }

# The last boot in which the scenario has a step.
scenario_last_boot() {
  local BOOT phase last=0
  for BOOT in 1 2 3 4 5 6; do
    for phase in $(phases_in_guest); do
      ! scenario_has "$1" "$phase" || last=$BOOT
    done
  done
  echo "$last"
}

# What the agent in the guest is asked to do, a line each.
steps() {
  local phase name some
  for phase in $(phases_in_guest); do
    some=$(for name; do ! scenario_has "$name" "$phase" || echo "$phase $name"; done)
    [ -n "$some" ] || continue
    before_phase "$phase"
    echo "$some"
  done
}
before_phase() {
  case $1 in arrange) echo forget ;; soft_rebooted) echo soft-reboot.target ;; rebooted) echo kexec.target ;; esac
}

# One function of a scenario in a shell of its own, every command traced; its log is where the agent puts those from inside.
step_on_host() {
  local log=$BOOT_FOLDER/$2.$1 status=0 begun=$EPOCHREALTIME
  scenario_has "$2" "$1" || return 0
  step_on_host_run "$@" >"$log" 2>&1 </dev/null &
  wait $! || status=$?
  echo "$status" >"$log.status"
  took_on_host "$@" "$begun"
}
# took_on_host PHASE SCENARIO BEGUN: a line for times.sh.
took_on_host() { echo "$1 $2 $EPOCHREALTIME $3" | awk '{ print $1, $2, $3 - $4 }' >>"$BOOT_FOLDER/host-took"; }

step_on_host_run() {
  # shellcheck disable=SC1090
  . "$(scenario_file "$2")"
  catch_failures
  set -x
  "$1"
}

boot_result() {
  local begun=$EPOCHREALTIME
  boot_complaints >"$BOOT_FOLDER/verdict"
  took_on_host verdict - "$begun"
  if [ -s "$BOOT_FOLDER/verdict" ]; then
    result FAIL "$GUEST" "boot $BOOT: $(head -n 1 "$BOOT_FOLDER/verdict")" "$BOOT_FOLDER/verdict"
  else
    result ok "$GUEST" "boot $BOOT: powered off cleanly (no watcher, no lock, no ordering cycle)"
  fi
}

# Passed if it had a step, and every step it has was run and ended with 0; else its first step that did not is shown.
scenario_result() {
  local name=$1 BOOT phase log status steps=0
  for BOOT in $(seq 0 "$(scenario_last_boot "$name")"); do
    # Boots in which no scenario of this run has a step are left out.
    [ -d "$(boot_folder "$GUEST" "$BOOT")" ] || continue
    for phase in $(phases_in_guest) $(phases_on_host); do
      scenario_has "$name" "$phase" || continue
      log=$(boot_folder "$GUEST" "$BOOT")/$name.$phase
      status=$(cat "$log.status" 2>/dev/null) || status=none
      [ "$status" = 0 ] || { scenario_failed "$name" "boot $BOOT, $phase" "$log" "$status"; return; }
      steps=$((steps + 1))
    done
  done
  [ "$steps" -gt 0 ] || { result FAIL "$GUEST" "$name: has no step"; return; }
  result ok "$GUEST" "$name: $(scenario_about "$name")"
}

scenario_failed() {
  local name=$1 where=$2 log=$3 status=$4 reason
  if [ "$status" = none ]; then
    result FAIL "$GUEST" "$name: $where was not run"
    return
  fi
  reason=$(sed -n 's/^FAILED: //p' "$log" | head -n 1)
  result FAIL "$GUEST" "$name: $where: ${reason:-exit status $status}" "$log"
}
