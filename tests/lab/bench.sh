# bench.sh: the same guest with the same files, with ceph-common's script and unit and with ours; figures side by side.
# Owns the boots and the table that is printed; guest/lab/scenarios/00-bench.sh measures.
# shellcheck shell=bash

# Measured boots for each of the two. The table has their medians.
BENCH_BOOTS=3

# The guest's network starts as late as one with a link to negotiate and a DHCP lease. So the rest of the boot is complete by then, for
# both, and the figures contain only what follows.
bench() {
  local GUEST=bookworm POOL=bookworm NETWORK_DELAY=2
  guest_has_ceph "$GUEST" || die "the comparison needs a guest with ceph-common"
  guest_ready "$GUEST"
  bench_boots stock true
  bench_boots ours ""
  bench_print
}

# Whole boots and poweroffs with many images (guest/lab/scenarios/00-bench-boots.sh): 16 mounts, compared with the script; an image with
# `nofail` whose monitors are dead, compared with none; 64 mounts at poweroff, compared with the bare work in a shell; 300 mounts.
# bench_whole [sixteen] [dead] [poweroff] [hundreds]: only these.
bench_whole() {
  local GUEST=bookworm POOL=bookworm NETWORK_DELAY=2 STEP_SECONDS=600 BENCH=bench-boots part parts=("$@")
  [ $# -gt 0 ] || parts=(sixteen dead poweroff hundreds)
  guest_ready "$GUEST"
  for part in "${parts[@]}"; do "bench_whole_$part"; done
  printf '\n%-44s %12s %12s %8s\n' "medians of five boots (script, 64, 300: one), network up after $NETWORK_DELAY s" rbdmap other ratio
  for part in "${parts[@]}"; do
    case $part in
      sixteen) bench_row "network-online to the last of 16 mounts, ms" "$(median 16-ours online_to_last)" "$(median 16-stock online_to_last)" ;;
      dead) bench_row "boot with a dead nofail image; without, ms" "$(median dead boot)" "$(median alone boot)" ;;
      hundreds)
        bench_figure "network-online to the last of 300 mounts, ms" "$(median 300 online_to_last)"
        bench_figure "300 mounts down at poweroff, ms" "$(median 300 poweroff)"
        ;;
      poweroff) bench_row "64 mounts down at poweroff; bare, ms" "$(median 64 poweroff)" "$(median 64 bare)" ;;
    esac
  done
}
bench_whole_sixteen() {
  bench_series 16-stock true 16 sixteen mounted
  bench_series 16-ours "" 16 sixteen mounted mounted mounted mounted mounted
}
bench_whole_dead() {
  bench_series alone "" 1 one mounted mounted mounted mounted mounted
  bench_series dead "" 1 one_and_dead mounted mounted mounted mounted mounted
}
bench_whole_hundreds() { bench_series 300 "" 300 three_hundred mounted; }
bench_whole_poweroff() { bench_series 64 "" 64 sixty_four bare mounted; }

# bench_series NAME INSTALL IMAGES PHASE…: a boot each, on a fresh pool and disk; the first writes the files.
bench_series() {
  local name=$1 number=$3 boot=0 phase
  pool_create "$POOL"
  bench_file_systems "$number"
  LAB_INSTALL=$2 guest_prepare "$GUEST"
  rm -rf "$LOGS/bench/$name"
  mkdir -p "$LOGS/bench/$name"
  shift 3
  for phase; do
    boot=$((boot + 1))
    bench_boot "$name" "$boot" "$phase"
    [ "$phase" != mounted ] || echo "poweroff $(took_down "$(boot_directory "$GUEST" "$boot")/journal")" >>"$LOGS/bench/$name/figures"
  done
}

# bench_file_systems NUMBER: images with an ext4 each. Made on the host, because the guest takes two seconds for each.
bench_file_systems() {
  local image file=$LOGS/bench/file-system
  mkdir -p "${file%/*}"
  for image in $(seq "$1"); do
    rm -f "$file"
    truncate -s 32M "$file"
    mkfs.ext4 -q "$file"
    cluster rbd import --no-progress "$file" "$POOL/bench-$image"
  done
  rm "$file"
}

# took_down JOURNAL: milliseconds from the first unmount to the end of the last image's unit.
took_down() {
  awk -F '[][ .]+' '/Unmounting mnt-bench/ && !first { first = $2 $3 } /: unmapped \/dev\/rbd/ { last = $2 $3 } END { print int((last - first) / 1000) }' "$1"
}

# bench_boots NAME INSTALL: a fresh pool and disk, one boot that writes the files, then the measured boots.
bench_boots() {
  local name=$1 boot
  pool_create "$POOL"
  cluster rbd create "$POOL/bench" --size 512M
  LAB_INSTALL=$2 guest_prepare "$GUEST"
  rm -rf "$LOGS/bench/$name"
  mkdir -p "$LOGS/bench/$name"
  bench_boot "$name" 1 configure
  for boot in $(seq 2 $((BENCH_BOOTS + 1))); do bench_boot "$name" "$boot" booted; done
  [ "$name" = stock ] || bench_boot "$name" $((boot + 1)) by_hand
}

# bench_boot NAME BOOT PHASE
bench_boot() {
  local directory
  directory=$(boot_directory "$GUEST" "$2")
  progress "bench: $1, boot $2: $3"
  guest_boot "$GUEST" "$2" <<<"$3 ${BENCH:-bench}"
  cp -r "$directory" "$LOGS/bench/$1/"
  bench_step_passed "$directory" "$3" "${BENCH:-bench}"
  [ ! -e "$directory/figures" ] || cat "$directory/figures" >>"$LOGS/bench/$1/figures"
}

# bench_step_passed DIRECTORY PHASE SCENARIO: or the bench ends here.
bench_step_passed() {
  local log=$1/$3.$2
  grep -qsx 0 "$log.status" && return
  if [ -s "$1/complaints" ]; then sed 's/^/     > /' "$1/complaints" >&2; fi
  [ ! -e "$log" ] || first_failure "$log" | sed 's/^/     > /' >&2
  die "this step was not run or failed: $3, $2; its log is $log, the console $1/console"
}

# median NAME FIGURE: in the unit in which it was written; nothing if there is no such figure.
median() {
  [ -e "$LOGS/bench/$1/figures" ] || return 0
  awk -v name="$2" '$1 == name { print $2 }' "$LOGS/bench/$1/figures" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

bench_print() {
  printf "\n%-44s %12s %12s %8s\n" "medians of $BENCH_BOOTS boots, network up after $NETWORK_DELAY s" rbdmap "shell script" ratio
  bench_row "network-online to mounted, ms" "$(median ours online_to_mounted)" "$(median stock online_to_mounted)"
  bench_row "boot, ms" "$(median ours boot)" "$(median stock boot)"
  local ours
  ours=$(median ours ours)
  printf '\n%-44s %12s %12s %8s\n' "one map, exec to link, medians of 7" rbdmap other ratio
  bench_row "the floor: a shell's write, udevadm settle, ms" "$ours" "$(median ours floor)"
  bench_row "the floor with our udev rule, ms" "$ours" "$(median ours floor_our_rule)"
  bench_row "rbd map, ms" "$ours" "$(median ours rbd)"
  bench_row "rbdmap map through systemd, ms" "$ours" "$(median ours ours_by_systemd)"
  printf '\n%-44s %12s %12s %8s\n' "size" rbdmap ceph-common ratio
  bench_row "peak memory of one map, KiB" "$(median ours peak_ours_kib)" "$(median ours peak_rbd_kib)"
  bench_row "installed, with what only it needs, KiB" "$(median ours installed_ours_kib)" "$(median ours installed_stock_kib)"
  bench_figure "the program itself, KiB" "$(median ours binary_kib)"
}

# bench_figure TEXT FIGURE, bench_row TEXT OURS OTHER: a figure that is missing is an error.
bench_figure() {
  bench_is_figure "$1" "$2"
  printf '%-44s %12s\n' "$1" "$2"
}
bench_is_figure() { [[ $2 =~ ^[0-9]+$ ]] || die "no figure for '$1'; logs: $LOGS/bench"; }
bench_row() {
  bench_is_figure "$1" "$2"
  bench_is_figure "$1" "$3"
  printf '%-44s %12s %12s %8s\n' "$1" "$2" "$3" "$(awk -v a="$2" -v b="$3" 'BEGIN { printf "%.2f", b / a }')"
}

# Many images: one boot, a step for each network, number and way (guest/lab/scenarios/00-bench-many.sh).
# bench_many [NETWORK-NUMBER-WAY…]: only these. The way `race` is --direct and the floor in turns; `systemd` our units by rbdmap and by
# systemctl; `units` by rbdmap only; `idle` that and, by systemctl, the same units without any work; `look` the commands that list, with all
# images mapped. Not measured by default: plain-200-look, plain-500-race, plain-16-units, plain-200-idle, plain-500-units. A guest without
# ceph-common can run `units` and `idle` only.
bench_many() {
  # shellcheck disable=SC2034 # BOOT_LIMIT and STEP_SECONDS are of boot.sh
  local GUEST=${CHOSEN_GUESTS[0]} POOL=${CHOSEN_GUESTS[0]} BOOT_LIMIT=3600 STEP_SECONDS=1500 number network way directory step steps=("$@")
  [ $# -gt 0 ] || steps=({plain,slow}-{1,16,64}-{race,systemd,script,loop,parallel})
  guest_ready "$GUEST"
  guest_prepare "$GUEST"
  pool_create "$POOL"
  # shellcheck disable=SC2046 # a list
  images_of 8 $(seq -f "bench-%.0f" "$(most "${steps[@]}")")
  directory=$(boot_directory "$GUEST" 1)
  rm -rf "$LOGS/bench/many"
  mkdir -p "$LOGS/bench"
  progress "bench many: ${#steps[@]} steps in one boot; all of them take half an hour"
  printf '%s bench-many\n' "${steps[@]}" | guest_boot "$GUEST" 1
  cp -r "$directory" "$LOGS/bench/many"
  for step in "${steps[@]}"; do
    bench_step_passed "$directory" "$step" bench-many
    bench_many_has_figures "$step"
  done
  for network in plain slow; do
    for way in map unmap; do bench_many_print "$network" "$way"; done
  done
  bench_many_print_growth
  bench_many_print_looks
}
# bench_many_has_figures NETWORK-NUMBER-WAY: the step wrote each figure that it should.
bench_many_has_figures() {
  local network number way name ways
  IFS=- read -r network number way <<<"$1"
  case $way in
    race) ways=(ours floor) ;;
    systemd) ways=(units systemctl) ;;
    idle) ways=(units idle) ;;
    look) ways=() ;;
    *) ways=("$way") ;;
  esac
  for way in "${ways[@]}"; do
    for name in "$network-$number-$way"-{map,unmap}; do
      [ -n "$(median many "$name")" ] || die "the step $1 has no figure $name; logs: $LOGS/bench/many"
    done
  done
  [ "${1##*-}" != look ] || [ -n "$(median many "$number-status")" ] || die "the step $1 has no figure $number-status; logs: $LOGS/bench/many"
}
# The largest number of images among the steps.
most() { printf '%s\n' "$@" | cut -d - -f 2 | sort -n | tail -n 1; }

# The time for one of many images, compared with one of 16, through systemd. In User Mode Linux it also contains the cost of a fork of
# PID 1, which grows with its memory; with MACHINE=qemu it does not.
bench_many_print_growth() {
  local number way few many
  for number in 64 200 500; do
    for way in {units,idle}-{map,unmap}; do
      few=$(median many "plain-16-$way") many=$(median many "plain-$number-$way")
      [ -n "$few" ] || continue
      [ -n "$many" ] || continue
      bench_row "$way, ms for each of 16; of $number" $((few / 16)) $((many / number))
    done
  done
}

bench_many_print_looks() {
  local number
  for number in 64 200; do
    [ -n "$(median many "$number-status")" ] || continue
    printf '\n%-44s %12s %12s %8s\n' "$number images, all mapped already" rbdmap other ratio
    bench_row "map; list, ms" "$(median many "$number-again")" "$(median many "$number-list")"
    bench_row "status; rbd device list, ms" "$(median many "$number-status")" "$(median many "$number-rbd_list")"
    bench_figure "peak memory of mapping them, KiB" "$(median many "$number-peak_kib")"
  done
}

# bench_many_print plain|slow map|unmap: milliseconds, and in brackets the ratio to the floor, if that was measured.
bench_many_print() {
  local number way floor figure text="no delay"
  [ "$1" = plain ] || text="every packet 20 ms later"
  printf '\n%-38s' "$2, ms, $text"
  printf '%15s' rbdmap floor "by systemd" idle systemctl script "rbd loop" "rbd parallel"
  for number in 1 16 64 200 500; do
    floor=$(median many "$1-$number-floor-$2")
    [ -n "$floor$(median many "$1-$number-units-$2")" ] || continue
    printf '\n%-38s' "  images: $number"
    for way in ours floor units idle systemctl script loop parallel; do
      figure=$(median many "$1-$number-$way-$2")
      [ -z "$figure" ] || [ -z "$floor" ] || figure="$figure ($(awk -v a="$figure" -v b="$floor" 'BEGIN { printf "%.2f", a / b }'))"
      printf '%15s' "${figure:--}"
    done
  done
  echo
}

# The generator and systemd's own, in turns, on the same fstab of a thousand lines in memory. Needs no guest.
bench_generator() {
  local directory options
  directory=$(mktemp -d -p /dev/shm)
  printf '%-44s %12s %12s %8s\n' "1,000 lines in fstab, ms, medians of 7" rbdmap systemd ratio
  for options in noauto noauto,_netdev _netdev; do
    bench_generator_on "$directory" "$options"
    rm -rf "${directory:?}"/*
  done
  rmdir "$directory"
}

# bench_generator_on DIRECTORY OPTIONS
bench_generator_on() {
  local ours=$REPO/target/release/rbdmap systemd=/usr/lib/systemd/system-generators/systemd-fstab-generator way
  mkdir -p "$1/root/etc/ceph" "$1"/root/mnt/{1..1000}
  for image in $(seq 1000); do
    echo "rbd/image-$image id=boot,keyring=/etc/ceph/ceph.client.boot.keyring" >>"$1/root/etc/ceph/rbdmap"
    echo "/dev/rbd/rbd/image-$image /mnt/$image xfs $2 0 0" >>"$1/root/etc/fstab"
  done
  for _ in $(seq 7); do
    for way in ours systemd; do mkdir -p "$1/$way"/{normal,early,late}; done
    milliseconds "$ours" --root "$1/root" generator "$1"/ours/{normal,early,late} >>"$1/figures-ours"
    SYSTEMD_FSTAB=$1/root/etc/fstab milliseconds "$systemd" "$1"/systemd/{normal,early,late} >>"$1/figures-systemd"
    rm -rf "$1/ours" "$1/systemd"
  done
  bench_row "  $2" "$(sort -n "$1/figures-ours" | sed -n 4p)" "$(sort -n "$1/figures-systemd" | sed -n 4p)"
}
milliseconds() {
  local start=${EPOCHREALTIME/[.,]/}
  "$@" >/dev/null 2>&1
  echo $(((${EPOCHREALTIME/[.,]/} - start) / 1000))
}
