# run.sh: which scenario runs in which boot of which machine, and what is printed about it.
# A scenario is a file whose first line states what must be so, and which declares some of the functions of a scenario (README.md lists
# them with the place and the time at which each runs).
# All scenarios of a machine share its boots. Boot 1 runs what is done by hand and writes, as an administrator would, the files for boot 2;
# boots 2 and 3 must come to the same. Then the guest is emptied for the scenarios that need boots without the images of others.
# shellcheck shell=bash
# The other parts of the lab read what is set here.
# shellcheck disable=SC2034

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
  for name in $(scenario_names); do printf '%-16s %-7s %s\n' "$name" "$(scenario_machine "$name")" "$(scenario_about "$name")"; done
}

# A guest's scenarios run in three machines at once, and its power cuts in a fourth, because much of what they do is wait:
#   boots    those with a step in a boot after the first
#   hand     those with steps in boot 1 only
#   faults   those with the line "# machine: faults": they mostly wait for time limits
# The machine `boots` has the name of the guest.
scenario_machine() {
  local GUEST=trixie machine
  machine=$(sed -n '2,5s/^# machine: //p' "$(scenario_file "$1")")
  if [ -z "$machine" ]; then
    if [ "$(scenario_last_boot "$1")" -gt 1 ]; then machine=boots; else machine=hand; fi
  fi
  echo "$machine"
}
machine_name() { case $2 in boots) echo "$1" ;; *) echo "$1-$2" ;; esac; }

# run_scenarios [NAME…]: these, or all.  test_all CUTS: all, and as many power cuts.
run_scenarios() {
  local scenarios=("$@")
  [ $# -gt 0 ] || mapfile -t scenarios < <(scenario_names)
  test_guests 0 "${scenarios[@]}"
}
test_all() {
  local names
  mapfile -t names < <(scenario_names)
  test_guests "$1" "${names[@]}"
}

# test_guests CUTS NAME…: in all guests at once. Machines share a cluster, and have a pool, a disk and an address each.
test_guests() {
  local guest machine cuts=$1
  local -A names=()
  shift
  for machine in boots hand faults; do names[$machine]=$(of_machine "$machine" "$@" | paste -sd ' '); done
  for machine in boots hand faults; do
    for guest in "${CHOSEN_GUESTS[@]}"; do
      [ -z "${names[$machine]}" ] || MACHINES+=("$(machine_name "$guest" "$machine")")
    done
  done
  [ "$cuts" = 0 ] || MACHINES+=("${CHOSEN_GUESTS[@]/%/-cuts}")
  testers_begin
  for guest in "${CHOSEN_GUESTS[@]}"; do test_guest "$guest"; done
  testers_end
}
# shellcheck disable=SC2086 # lists
test_guest() {
  if is_qemu; then
    # An emulated processor leaves no time for other machines.
    tester one_after_the_other "$1"
  else
    tester test_machine "$1" ${names[boots]}
    tester test_machine "$1-hand" ${names[hand]}
    tester test_machine "$1-faults" ${names[faults]}
    tester cut_machine "$1-cuts" "$cuts"
  fi
}
# shellcheck disable=SC2086
one_after_the_other() {
  cut_machine "$1-cuts" "$cuts"
  test_machine "$1-faults" ${names[faults]}
  test_machine "$1-hand" ${names[hand]}
  test_machine "$1" ${names[boots]}
}

of_machine() {
  local machine=$1 name
  shift
  for name; do [ "$(scenario_machine "$name")" != "$machine" ] || echo "$name"; done
}

# testers_begin, tester COMMAND…, testers_end: what MACHINES names is tested in the background; then the summary.
testers_begin() {
  local guest
  CUT_SEED=${SEED:-$RANDOM}
  mkdir -p "$LOGS"
  : >"$LOGS/results"
  rm -rf "$LOGS"/without-cluster-* "$LOGS"/*/boot-*
  for guest in "${CHOSEN_GUESTS[@]}"; do background guest_ready "$guest"; done
  wait "${RUNNING[@]}"
  ! is_qemu || for guest in "${CHOSEN_GUESTS[@]}"; do qemu_kernel_ready "$guest"; done
  TESTERS=()
}
tester() {
  background "$@"
  TESTERS+=($!)
}
testers_end() {
  wait "${TESTERS[@]}" || true
  summary
}
# A machine that has ended needs the cluster no longer.
machine_done() {
  (CLUSTER=$LAB_MEMORY/frail-$1 frail_end)
  touch "$LOGS/without-cluster-$1"
  echo "done $1" >>"$LOGS/results"
}

# The counts are of the lines that were printed. A machine whose test did not end is a failure too. The verdict is a variable and no
# exit status, because what is called in a condition ignores `set -e`, and so would the steps on the host.
summary() {
  local results=$LOGS/results passed failed machine
  for machine in "${MACHINES[@]}"; do
    grep -qx "done $machine" "$results" || result FAIL "$machine" "the lab ended early; the remaining steps did not run"
  done
  lab_times || true
  progress "logs: $LOGS/MACHINE/boot-N/"
  passed=$(grep -c '^ok' "$results") || true
  failed=$(grep -c '^FAIL' "$results") || true
  # Again, for readers of the end alone.
  grep '^FAIL' "$results" || true
  SUMMARY="$passed passed, $failed failed"
  VERDICT=failed
  if [ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]; then VERDICT=passed; fi
  echo "$SUMMARY"
}

# result ok|FAIL GUEST TEXT [LOG]: one line, and for a failure what failed first and the end of its log. A lock keeps the results of machines apart.
result() {
  {
    flock "$turn"
    printf '%-4s %-15s %s\n' "$1" "$2" "$3" | tee -a "$LOGS/results"
    if [ -n "${4:-}" ]; then
      first_failure "$4" | cut -c 1-400 | sed 's/^/     > /'
      tail -n 15 "$4" | cut -c 1-300 | sed 's/^/     | /'
      echo "     log: $4"
    fi
  } {turn}>"$LOGS/turn"
  exec {turn}>&-
}
# The first report of assert.sh in a log: its message, of which ten lines are shown, and the scenario's line.
first_failure() {
  awk '
    /^FAILED AT / { if (seen) { print; exit } next }
    /^FAILED: / { if (seen) exit; seen = 1 }
    seen && ++count <= 10 && !/^\++ / { print }' "$1"
}

# test_machine MACHINE NAME…: all boots of one machine, if there are scenarios for it. Its variables are what the steps on the host see.
test_machine() {
  local GUEST=$1 POOL=$1 BOOT=0 BOOT_DIRECTORY
  shift
  [ $# -gt 0 ] || return 0
  guest_prepare "$GUEST"
  pool_create "$POOL"
  for BOOT in 0 1 2 3 4 5 6; do
    [ "$BOOT" = 0 ] || [ -n "$(steps "$@")" ] || continue
    BOOT_DIRECTORY=$(boot_directory "$GUEST" "$BOOT")
    export JOURNAL=$BOOT_DIRECTORY/journal CONSOLE=$BOOT_DIRECTORY/console
    mkdir -p "$BOOT_DIRECTORY"
    boot_of_test "$@"
  done
  machine_done "$GUEST"
}
# One boot and its results. Boot 0 stands for the time before the first boot: it makes the images.
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
# systemd has soft-reboot since version 254.
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

# The lines of the file `steps`, for the agent in the guest.
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

# One function of a scenario in a shell of its own, with every command traced. Its log is beside those of the agent.
step_on_host() {
  local log=$BOOT_DIRECTORY/$2.$1 status=0 begun=$EPOCHREALTIME
  scenario_has "$2" "$1" || return 0
  step_on_host_run "$@" >"$log" 2>&1 </dev/null &
  wait $! || status=$?
  echo "$status" >"$log.status"
  took_on_host "$@" "$begun"
}
# took_on_host PHASE SCENARIO BEGUN: a line for times.sh.
took_on_host() { echo "$1 $2 $EPOCHREALTIME $3" | awk '{ print $1, $2, $3 - $4 }' >>"$BOOT_DIRECTORY/host-took"; }

step_on_host_run() {
  # shellcheck disable=SC1090
  . "$(scenario_file "$2")"
  catch_failures
  set -x
  "$1"
}

boot_result() {
  local begun=$EPOCHREALTIME
  boot_complaints >"$BOOT_DIRECTORY/verdict"
  took_on_host verdict - "$begun"
  if [ -s "$BOOT_DIRECTORY/verdict" ]; then
    result FAIL "$GUEST" "boot $BOOT: $(head -n 1 "$BOOT_DIRECTORY/verdict")" "$BOOT_DIRECTORY/verdict"
  else
    result ok "$GUEST" "boot $BOOT: powered off cleanly (no watcher, no lock, no ordering cycle)"
  fi
}

# A scenario passes if it has a step, and each of its steps ran and ended with 0. Else its first step that did not is shown.
scenario_result() {
  local name=$1 BOOT phase log status steps=0
  for BOOT in $(seq 0 "$(scenario_last_boot "$name")"); do
    # Boots without a step in this run are skipped.
    [ -d "$(boot_directory "$GUEST" "$BOOT")" ] || continue
    for phase in $(phases_in_guest) $(phases_on_host); do
      scenario_has "$name" "$phase" || continue
      log=$(boot_directory "$GUEST" "$BOOT")/$name.$phase
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
