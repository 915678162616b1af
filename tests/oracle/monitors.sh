# monitors.sh: compares which monitors `rbd` and our program read in a ceph.conf, for each row of the file `monitors`.
# The lines part cannot show this: when `rbd` writes its line, it has asked the cluster for all monitors and uses those. With
# `--debug_monc` it logs the ones with which it begins, and is killed there.
# Each address is for one version of the messenger, so our program runs twice, once for each version.
# shellcheck shell=bash

run_monitors() {
  network_up
  local row='' expected=() number=0
  mkdir -p "$WORK/monitors"
  # Hosts with an IPv4 address, with an IPv6 address, and with two addresses.
  printf '%s\n' '1.2.3.4 mon-a' '::a mon-b' '1.2.3.6 mon-c' '1.2.3.7 mon-c' '1.2.3.8 8mon.example.org' >"$WORK/monitors/hosts"
  while IFS= read -r line || [ -n "$row" ]; do
    case $line in
      '  ours '*) read -ra expected <<<"${line#  ours }" ;;
      *)
        [ -z "$row" ] || monitors_row "$row" "$((number += 1))" "${expected[@]}"
        row=$line expected=()
        [[ $line != '#'* ]] || row=
        ;;
    esac
  done <"$ORACLE/monitors"
  progress "$number texts for monitors"
}

# monitors_row TEXT NUMBER [V1 V2 WHY…]: TEXT is a ceph.conf with `|` instead of newlines. V1 and V2 are our addresses if we are
# to differ; then we must.
monitors_row() {
  local conf="$WORK/monitors/$2.conf" theirs ours
  [[ $1 == '['* ]] || printf '[global]\n' >"$conf"
  tr '|' '\n' <<<"$1" >>"$conf"
  theirs=$(monitors_of_rbd "$conf")
  ours="$(monitors_of_ours "$conf" legacy) $(monitors_of_ours "$conf" crc)"
  if [ $# -gt 2 ]; then
    [ "$theirs" != "$ours" ] || theirs+=" (expected to differ)"
    [ "$ours" != "$3 $4" ] || theirs=$ours
  fi
  if [ "$theirs" = "$ours" ]; then
    passed
  else
    failed "$1" "rbd:  $theirs" "ours: $ours" "      $(tail -n 1 "$conf.output")" "      $(tail -n 1 "$conf.ours")"
  fi
}

# Runs a command with the rows' /etc/hosts. It replaces the shell, so that its process can be killed.
with_hosts() {
  # shellcheck disable=SC2016 # the inner shell expands them
  exec ip netns exec "$NAMESPACE" unshare --mount sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$WORK/monitors/hosts" "$@"
}

# Prints `V1 V2`, each a list with commas or a dash, in the order of the names that `rbd` generates: it writes its line in it.
monitors_of_rbd() {
  local version list answer=() pid end=$((SECONDS + 20))
  : >"$1.output"
  with_hosts rbd ls --cluster oracle -c "$1" --debug_monc=10 --log_to_stderr=true --log_file= >"$1.output" 2>&1 </dev/null &
  pid=$!
  until grep -q 'monclient: init' "$1.output" || ! kill -0 $pid 2>/dev/null || [ "$SECONDS" -ge "$end" ]; do sleep 0.02; done
  kill -KILL $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
  for version in v1 v2; do
    list=$(sed -nE 's/^[0-9]+: (.*) mon\.(.*)/\2 \1/p' "$1.output" | LC_ALL=C sort |
      { grep -oE "$version:[^/]+" || true; } | sed "s/^$version://" | paste -sd ,)
    answer+=("${list:--}")
  done
  echo "${answer[*]}"
}

monitors_of_ours() {
  local line
  (with_hosts "$PROGRAM" map --dry-run --no-mount --cluster oracle -c "$1" -o "ms_mode=$2" rbd/img) >"$1.ours" 2>&1 || { echo -; return; }
  line=$(sed -n 's/^would write: //p' "$1.ours")
  echo "${line%% *}"
}
