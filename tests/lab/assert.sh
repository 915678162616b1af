# assert.sh: the words in which scenarios state what must be, in the guest and outside alike.
# shellcheck shell=bash

fail() { echo "FAILED: $*" >&2; exit 1; }

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

# longer SHORT LONG: how long, or how often; in a soak the second.
longer() { if [ -n "${SOAK:-}" ]; then echo "$2"; else echo "$1"; fi; }
