# power_cut.sh: power cuts: a guest's kernel is killed while it maps, writes and unmaps. The next boot must have all images mapped and
# mounted within 90 s, with every write that was confirmed. The clock is right, a year slow or a year fast, in turns.
# The guest's part is guest/lab/scenarios/00-power-cut.sh. SEED, which is printed, determines the moments.
# shellcheck shell=bash
# The other parts of the lab read what is set here.
# shellcheck disable=SC2034

CUT_WHILE=(map write unmap)

# power_cuts NUMBER: in all guests at once.
power_cuts() {
  local guest
  MACHINES=("${CHOSEN_GUESTS[@]/%/-cuts}")
  testers_begin
  for guest in "${CHOSEN_GUESTS[@]}"; do tester cut_machine "$guest-cuts" "$1"; done
  testers_end
}

# cut_machine MACHINE NUMBER: nothing, if that is 0.
cut_machine() {
  [ "$2" -gt 0 ] || return 0
  local GUEST=$1 POOL=$1 image
  progress "$GUEST: power cuts with SEED=$CUT_SEED"
  guest_prepare "$GUEST"
  RANDOM=$((CUT_SEED + $(guest_number "$GUEST")))
  pool_create "$POOL"
  for image in 1 2 3 4; do cluster rbd create "$POOL/cut-$image" --size 64M; done
  cut_boots "$2"
  machine_done "$GUEST"
}

# cut_boots NUMBER: a boot that makes file systems and files, one boot for each cut, and one that powers off in order. In the first boot with
# a cut, the monitor of the machine's own cluster starts late; in the last boot it does not start. A failure ends the series of cuts.
cut_boots() {
  local BOOT=1 BOOT_DIRECTORY confirmed=0 while
  cut_boot configure
  cut_result "the images are made" || return 0
  for BOOT in $(seq 2 $(($1 + 1))); do
    while=${CUT_WHILE[BOOT % 3]}
    cut_boot "$while"
    cut_result "boot $BOOT: $(cut_state), with all $confirmed confirmed writes; then a power cut during $while" || break
    confirmed=$(tail -n 1 "$BOOT_DIRECTORY/confirmed")
  done
  BOOT=$((BOOT + 1))
  (frail mon stop)
  cut_boot last
  cut_result "boot $BOOT: $(cut_state "fails"), with all $confirmed confirmed writes" || true
}
cut_state() {
  echo "with a clock that is $(clock_is_off_by | sed 's/^0$/right/; s/^-.*/a year slow/; s/^[0-9].*/a year fast/'), all images are mounted $(cat "$BOOT_DIRECTORY/took" 2>/dev/null) s after the start, that of the other cluster ${1:-is mounted} after $(cat "$BOOT_DIRECTORY/late-took" 2>/dev/null) s"
}

# As if the clock had no battery: from boot to boot it is right, a year slow, or a year fast.
YEAR=31536000
clock_is_off_by() { case $((BOOT % 3)) in 0) echo -$YEAR ;; 1) echo $YEAR ;; *) echo 0 ;; esac; }

# One boot with one step. The file cut-after has the moment of the cut.
cut_boot() {
  local CLOCK
  # shellcheck disable=SC2034 # boot.sh reads it
  CLOCK=$(clock_is_off_by)
  BOOT_DIRECTORY=$(boot_directory "$GUEST" "$BOOT")
  export JOURNAL=$BOOT_DIRECTORY/journal CONSOLE=$BOOT_DIRECTORY/console
  mkdir -p "$BOOT_DIRECTORY"
  echo "$confirmed" >"$BOOT_DIRECTORY/confirmed"
  local least=0
  [ "$1" != write ] || least=3
  # A write of one line takes the guest some tenths of a second.
  echo "$((RANDOM % 4 + least)).$((RANDOM % 10))" >"$BOOT_DIRECTORY/cut-after"
  echo "$1 power-cut" | guest_boot "$GUEST" "$BOOT"
}

# Whether the step of this boot reached its end, or the cut.
cut_result() {
  local log status
  log=$(find "$BOOT_DIRECTORY" -name 'power-cut.*' ! -name '*.status')
  status=$(cat "$BOOT_DIRECTORY"/power-cut.*.status 2>/dev/null) || status="cut"
  if [ "$status" = cut ] && [ ! -e "$BOOT_DIRECTORY/power-cut" ]; then echo "the step did not end" >>"$BOOT_DIRECTORY/complaints"; fi
  if [ -s "$BOOT_DIRECTORY/complaints" ]; then
    result FAIL "$GUEST" "$1: $(head -n 1 "$BOOT_DIRECTORY/complaints")" "$BOOT_DIRECTORY/complaints"
    return 1
  fi
  case $status in
    0 | cut) result ok "$GUEST" "$1" ;;
    *) result FAIL "$GUEST" "$1: $(sed -n 's/^FAILED: //p' "$log" | head -n 1)" "$log"; return 1 ;;
  esac
}
