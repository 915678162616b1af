# times.sh: where the time of the last run goes: `lab times`, and the end of each run.
# Owns the reading of two files in a boot's directory: `steps-took`, by the agent in the guest, a line "PHASE SCENARIO" and /proc/uptime
# before and after the step; and `host-took`, by run.sh, a line "PHASE SCENARIO SECONDS".
# shellcheck shell=bash

TIMES_SHOWN=12

# lab_times [NUMBER]: a line for each boot, and the longest steps.
lab_times() {
  local directory records
  records=$(for directory in "$LOGS"/*/boot-*/; do times_of_boot "${directory%/}"; done)
  [ -n "$records" ] || { echo "no boot has been recorded in $LOGS"; return 1; }
  printf '\n%-15s %4s %7s %7s %7s %9s %6s   %s\n' "seconds" boot total booting steps poweroff host "processor busy in steps"
  times_of_boots <<<"$records"
  printf '\n%-15s %4s %7s %6s   %s\n' "longest steps" boot seconds busy "phase and scenario"
  awk '$4 == "guest" && $5 != "boot" { printf "%-15s %4s %7.0f %5.0f%%   %s %s\n", $1, $2, $7, $7 ? 100 * $8 / $7 : 0, $5, $6 }' <<<"$records" |
    sort -rnk 3 | sed -n "1,${1:-$TIMES_SHOWN}p"
}

# times_of_boot DIRECTORY: lines "GUEST BOOT TOTAL guest|host PHASE SCENARIO SECONDS BUSY".
times_of_boot() {
  local guest boot=${1##*boot-} total=0 poweroff=0
  guest=$(basename "$(dirname "$1")")
  if [ -e "$1/ended" ]; then
    total=$(($(cat "$1/ended") - $(cat "$1/started")))
    # The guest wrote this file, perhaps with a clock that is off; the host dates it.
    [ ! -e "$1/poweroff-asked" ] || poweroff=$(($(cat "$1/ended") - $(stat -c %Y "$1/poweroff-asked")))
  fi
  echo "$guest $boot $total poweroff - - $poweroff 0"
  # A guest that reboots begins again at zero, after a soft-reboot it does not.
  ! [ -e "$1/steps-took" ] || awk -v head="$guest $boot $total guest" '
    $1 == "boot" && last && $5 > last { $3 = last; $4 = idle }
    { print head, $1, $2, $5 - $3, $5 - $3 - ($6 - $4); last = $5; idle = $6 }' "$1/steps-took"
  ! [ -e "$1/host-took" ] || awk -v head="$guest $boot $total host" '{ print head, $1, $2, $3, 0 }' "$1/host-took"
}

times_of_boots() {
  awk '
    { key = $1 " " $2; if (!(key in total)) order[++count] = key; total[key] = $3 }
    $4 == "poweroff" { poweroff[key] = $7 }
    $4 == "host" { host[key] += $7 }
    $4 == "guest" && $5 == "boot" { booting[key] += $7 }
    $4 == "guest" && $5 != "boot" { steps[key] += $7; busy[key] += $8 }
    END {
      for (i = 1; i <= count; i++) {
        key = order[i]
        split(key, name, " ")
        printf "%-15s %4s %7d %7.0f %7.0f %9d %6.0f   %3.0f%%\n", name[1], name[2], total[key], booting[key], steps[key], poweroff[key], host[key],
          steps[key] ? 100 * busy[key] / steps[key] : 0
      }
    }'
}
