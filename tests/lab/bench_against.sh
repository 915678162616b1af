# bench_against.sh: this program and another build of it, alternately in one run: for changes that must cost neither time nor size.
# What the guest does is in guest/lab/scenarios/00-bench-against.sh. Prints medians with the other's interquartile range, because a
# difference that is smaller than that says nothing.
# shellcheck shell=bash

# bench_against PROGRAM [ROUNDS] [PART…]: the parts are size, generator, maps and boots.
bench_against() {
  # shellcheck disable=SC2034 # STEP_SECONDS and NETWORK_DELAY are of boot.sh
  local other rounds=${2:-10} GUEST=${CHOSEN_GUESTS[0]} POOL=${CHOSEN_GUESTS[0]} STEP_SECONDS=1500 NETWORK_DELAY=2 parts=("${@:3}") part
  other=$(readlink -e "${1:?lab bench against PROGRAM}") || die "there is no program $1"
  [ $# -gt 2 ] || parts=(size generator maps boots)
  rm -rf "$LOGS/bench/against"
  mkdir -p "$LOGS/bench/against"
  for part in "${parts[@]}"; do "against_$part"; done
  printf '\n%-40s %12s %12s %8s %14s\n' "medians of $rounds, alternately" this other ratio "IQR of other"
  for part in "${parts[@]}"; do
    case $part in
      size) against_row size "the program, bytes" ;;
      generator) against_row generator "generator, 1,000 lines, ms" ;;
      maps)
        against_row direct-map "map of 16, --direct, ms"
        against_row direct-unmap "unmap of 16, --direct, ms"
        against_row units-map "map of 16, through systemd, ms"
        against_row units-unmap "unmap of 16, through systemd, ms"
        against_row status "status of 16, ms"
        ;;
      boots) against_row online_to_last "network-online to the last of 16 mounts, ms" ;;
    esac
  done
}

# against_figure this|other NAME VALUE
against_figure() { echo "$3" >>"$LOGS/bench/against/$2-$1"; }

against_size() {
  against_figure this size "$(stat -c %s "$REPO/target/release/rbdmap")"
  against_figure other size "$(stat -c %s "$other")"
}

against_generator() {
  local directory image
  directory=$(mktemp -d -p /dev/shm)
  mkdir -p "$directory/root/etc/ceph" "$directory"/root/mnt/{1..1000}
  for image in $(seq 1000); do
    echo "rbd/image-$image id=boot,keyring=/etc/ceph/ceph.client.boot.keyring" >>"$directory/root/etc/ceph/rbdmap"
    echo "/dev/rbd/rbd/image-$image /mnt/$image xfs noauto 0 0" >>"$directory/root/etc/fstab"
  done
  for _ in $(seq "$rounds"); do
    against_generator_once this "$REPO/target/release/rbdmap"
    against_generator_once other "$other"
  done
  rm -rf "$directory"
}
against_generator_once() {
  mkdir -p "$directory/units"/{normal,early,late}
  against_figure "$1" generator "$(milliseconds "$2" --root "$directory/root" generator "$directory"/units/{normal,early,late})"
  rm -rf "$directory/units"
}

# The program of this tree as it is installed, and both under names.
against_install() {
  local overlay=${1#DESTDIR=} prefix=${2#PREFIX=}
  make -s -C "$REPO" install "DESTDIR=$overlay" "PREFIX=$prefix"
  mkdir -p "$overlay/lab/programs"
  cp "$overlay$prefix/libexec/rbdmap/rbdmap" "$overlay/lab/programs/this"
  cp "$other" "$overlay/lab/programs/other"
}
against_prepare() {
  guest_ready "$GUEST"
  pool_create "$POOL"
  LAB_INSTALL=against_install guest_prepare "$GUEST"
}

# All maps in one boot.
against_maps() {
  local name
  against_prepare
  images_of 8 $(seq -f "bench-%.0f" 16)
  echo "$rounds" >"$(guest_directory "$GUEST")/overlay/lab/rounds"
  bench_boot against 1 maps
  for name in {direct,units}-{map,unmap} status; do
    for way in this other; do
      sed -n "s/^$way-$name //p" "$(boot_directory "$GUEST" 1)/figures" >"$LOGS/bench/against/$name-$way"
    done
  done
}

# A boot each, with the program put into the guest before it.
against_boots() {
  local boot=1 way program
  against_prepare
  bench_file_systems 16
  bench_boot against 1 sixteen
  program=$(find "$(guest_directory "$GUEST")/overlay" -path '*/libexec/rbdmap/rbdmap')
  for _ in $(seq "$rounds"); do
    for way in this other; do
      boot=$((boot + 1))
      cp "$(guest_directory "$GUEST")/overlay/lab/programs/$way" "$program"
      bench_boot against "$boot" mounted
      against_figure "$way" online_to_last "$(sed -n 's/^online_to_last //p' "$(boot_directory "$GUEST" "$boot")/figures")"
    done
  done
}

# against_row NAME TEXT
against_row() {
  local this other spread
  this=$(against_median "$1-this") other=$(against_median "$1-other")
  bench_is_figure "$2" "$this"
  bench_is_figure "$2" "$other"
  spread=$(($(against_at "$1-other" 3 4) - $(against_at "$1-other" 1 4)))
  printf '%-40s %12s %12s %8s %14s\n' "$2" "$this" "$other" "$(awk -v a="$this" -v b="$other" 'BEGIN { printf "%.3f", a / b }')" "$spread"
}
against_median() { against_at "$1" 1 2; }
# against_at NAME-WAY PART OF: the value at this part of the sorted figures.
against_at() { sort -n "$LOGS/bench/against/$1" | awk -v part="$2" -v of="$3" '{ v[NR] = $1 } END { print v[int((NR - 1) * part / of) + 1] }'; }
