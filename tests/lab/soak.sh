# soak.sh: what takes hours, in parts that can be run alone: each has a seed, a directory of logs and a line of summary of its own.
# A part is a scenario that says in a line "# soak: TEXT" what it does for longer, or `scenarios` (all others), or `power-cuts`.
# shellcheck shell=bash
# The other parts of the lab read what is set here.
# shellcheck disable=SC2034

soak_parts() {
  local name
  echo scenarios
  for name in $(scenario_names); do [ -z "$(soak_about "$name")" ] || echo "$name"; done
  echo power-cuts
}
soak_about() {
  case $1 in
    scenarios) echo "every scenario that does nothing for longer, as lab run does" ;;
    power-cuts) echo "twenty power cuts in each guest" ;;
    *) sed -n '2,5s/^# soak: //p' "$(scenario_file "$1")" ;;
  esac
}
soak_list() {
  local part
  for part in $(soak_parts); do printf '%-16s %s\n' "$part" "$(soak_about "$part")"; done
}
soak_parts_exist() {
  local part
  for part; do
    soak_parts | grep -qx -e "$part" || scenario_names | grep -qx -e "$part" || die "no part is named '$part'; there are: $(soak_parts | paste -sd ' ')"
  done
}

# soak [PART…]: these, or all, one after the other, whatever each comes to.
soak() {
  local part summaries=() parts=("$@") broken=0
  [ $# -gt 0 ] || mapfile -t parts < <(soak_parts)
  for part in "${parts[@]}"; do
    soak_part "$part"
    summaries+=("$SOAK_SUMMARY")
    [ "$VERDICT" = passed ] || broken=$((broken + 1))
  done
  [ ${#parts[@]} = 1 ] || printf '%s\n' "${summaries[@]}"
  [ "$broken" = 0 ] || VERDICT=failed
}

# soak_part PART: leaves its line in SOAK_SUMMARY.
soak_part() {
  local part=$1 names=("$1")
  local SEED=${SEED:-$RANDOM} SOAK=1 LOGS BOOT_LIMIT=20000 STEP_SECONDS=10000 MACHINES=()
  LOGS=$LAB_DIR/soak/$part-$SEED
  export SEED SOAK
  rm -rf "$LOGS"
  mkdir -p "$LOGS"
  progress "soak $part: SEED=$SEED, logs in $LOGS"
  cluster_needed
  [ "$part" != scenarios ] || mapfile -t names < <(soak_others)
  if [ "$part" = power-cuts ]; then power_cuts 20; else test_guests 0 "${names[@]}"; fi
  SOAK_SUMMARY="soak $part: $SUMMARY; SEED=$SEED, logs in $LOGS"
  printf '%s\n' "$SOAK_SUMMARY"
}
soak_others() {
  local name
  for name in $(scenario_names); do [ -n "$(soak_about "$name")" ] || echo "$name"; done
}
