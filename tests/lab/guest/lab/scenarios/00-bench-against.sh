# bench-against: two builds of the program, alternately, for `lab bench against`. Figures are named WAY-NAME; the ways are the names of the
# programs in /lab/programs.
# shellcheck shell=bash

# shellcheck source=SCRIPTDIR/00-bench-boots.sh
. /lab/scenarios/00-bench-boots.sh

maps() {
  local way
  modprobe rbd
  for image in $(seq 16); do table "bench-$image"; done
  systemctl daemon-reload
  for _ in $(seq "$(cat /lab/rounds)"); do
    for way in this other; do
      install_program "$way"
      timed "$way-direct-map" rbdmap map --direct --no-mount
      timed "$way-status" rbdmap status
      timed "$way-direct-unmap" rbdmap unmap --direct
      timed "$way-units-map" rbdmap map --no-mount
      timed "$way-units-unmap" rbdmap unmap
      nothing_is_mapped
    done
  done
}

# A program that runs cannot be overwritten, but its name can be given to another.
install_program() {
  local program
  program=$(readlink -f "$(command -v rbdmap)")
  cp "/lab/programs/$1" "$program.new"
  mv "$program.new" "$program"
}
