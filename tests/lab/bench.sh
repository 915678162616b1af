# bench.sh: the same guest on the same files, once with ceph-common's script and unit, once with ours; figures side by side.
# Owns the boots and the table that is printed; what is measured is in guest/lab/scenarios/00-bench.sh.
# shellcheck shell=bash

# Boots that are measured, for each of the two. Medians are printed.
BENCH_BOOTS=3

bench() {
  local GUEST=bookworm POOL=bookworm
  guest_has_ceph "$GUEST" || die "the comparison needs a guest with ceph-common"
  guest_ready "$GUEST"
  pool_create "$POOL"
  cluster rbd create "$POOL/bench" --size 512M
  bench_boots stock true
  bench_boots ours ""
  bench_print
}

# bench_boots NAME INSTALL: a fresh disk, one boot to write the files, then those that are measured.
bench_boots() {
  local name=$1 boot
  LAB_INSTALL=$2 guest_prepare "$GUEST"
  rm -rf "$LAB_DIR/logs/bench/$name"
  mkdir -p "$LAB_DIR/logs/bench/$name"
  bench_boot "$name" 1 configure
  for boot in $(seq 2 $((BENCH_BOOTS + 1))); do bench_boot "$name" "$boot" booted; done
  [ "$name" = stock ] || bench_boot "$name" $((boot + 1)) by_hand
}

# bench_boot NAME BOOT PHASE
bench_boot() {
  local folder
  folder=$(boot_folder "$GUEST" "$2")
  progress "bench: $1, boot $2: $3"
  guest_boot "$GUEST" "$2" <<<"$3 bench"
  cp -r "$folder" "$LAB_DIR/logs/bench/$1/"
  grep -qx 0 "$folder/bench.$3.status" || die "this did not work: $folder/bench.$3"
  [ ! -e "$folder/figures" ] || cat "$folder/figures" >>"$LAB_DIR/logs/bench/$1/figures"
}

# median NAME FIGURE: in the unit in which it was written.
median() {
  awk -v name="$2" '$1 == name { print $2 }' "$LAB_DIR/logs/bench/$1/figures" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

bench_print() {
  printf '\n%-44s %12s %12s %8s\n' "medians of $BENCH_BOOTS boots, $GUEST" rbdmap "shell script" ratio
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
  printf '%-44s %12s\n' "the program itself, KiB" "$(median ours binary_kib)"
}

# bench_row TEXT OURS OTHER
bench_row() {
  printf '%-44s %12s %12s %8s\n' "$1" "$2" "$3" "$(awk -v a="$2" -v b="$3" 'BEGIN { printf "%.2f", b / a }')"
}
