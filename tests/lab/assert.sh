# assert.sh: the assertions of scenarios, in the guest and on the host, and the report of the first one that fails.
# A report is a line "FAILED: MESSAGE" and a line "FAILED AT FILE:LINE: SOURCE" in the step's log; run.sh prints the first of each.
# shellcheck shell=bash

# fail MESSAGE: ends the step.
fail() {
  { set +x; } 2>/dev/null
  printf 'FAILED: %s\n' "$*" >&2
  failed_at 1
  exit 1
}

# A command that ends a step by `set -e`, without an assertion. Only in the step's own shell: what a subshell does about a failed
# command, its parent decides.
catch_failures() {
  STEP_SUBSHELL=$BASH_SUBSHELL
  set -E
  trap 'command_failed $? "$BASH_COMMAND"' ERR
  trap 'time_is_up' TERM
}
# The agent ends a step that takes too long.
time_is_up() {
  { set +x; } 2>/dev/null
  printf 'FAILED: not done after %s s, in the function %s\n' "${STEP_SECONDS:-}" "${FUNCNAME[1]}" >&2
  failed_at 2
  exit 1
}
command_failed() {
  { set +x; } 2>/dev/null
  [ "$BASH_SUBSHELL" -gt "$STEP_SUBSHELL" ] || { printf 'FAILED: exit status %s of: %s\n' "$1" "$2" >&2; failed_at 1; }
  set -x
}

# failed_at FRAME: the line of the scenario that led here, which is the nearest caller in a scenario's file.
failed_at() {
  local frame
  for ((frame = $1 + 1; frame < ${#BASH_SOURCE[@]}; frame++)); do
    [[ ${BASH_SOURCE[frame]} == */scenarios/* ]] || continue
    printf 'FAILED AT %s:%s: %s\n' "${BASH_SOURCE[frame]##*/}" "${BASH_LINENO[frame - 1]}" \
      "$(sed -n "${BASH_LINENO[frame - 1]}s/^ *//p" "${BASH_SOURCE[frame]}")" >&2
    return
  done
}

# expect TEXT: standard input contains it.  expect_not TEXT: it does not.  Both pass the input on.
expect() {
  local input
  input=$(cat)
  printf '%s\n' "$input"
  grep -qF -e "$1" <<<"$input" || fail "expected '$1' in: $input"
}
expect_not() {
  local input
  input=$(cat)
  printf '%s\n' "$input"
  ! grep -qF -e "$1" <<<"$input" || fail "did not expect '$1' in: $input"
}

# same WANTED ACTUAL WHAT: byte for byte.
same() {
  [ "$1" = "$2" ] || fail "$3: wanted '$1', got '$2'"
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
  local end=$((SECONDS + $1)) seconds=$1
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "not so after $seconds s: $*"
    sleep 0.2
  done
}

# longer SHORT LONG: a duration or a number of repetitions; in a soak the second.
longer() { if [ -n "${SOAK:-}" ]; then echo "$2"; else echo "$1"; fi; }
