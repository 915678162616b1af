# lines.sh: compares the line that `rbd` writes to the kernel's rbd bus with ours, for each row of the file `lines`.
# Owns how rows are read, and the four differences that do not count. inside.sh runs both sides: `rbd device map`, or Ceph's
# script rbdmap if the row is a line of the table; and `rbdmap map`, the program as it is installed.
# Without libceph on this machine, `rbd` writes the secret itself, so the comparison also covers which file the key came from.
# shellcheck shell=bash

run_lines() {
  oracle_cluster
  local row rows=()
  mkdir -p "$WORK/lines"
  lines_read <"$ORACLE/lines"
  rows=("$WORK"/lines/*)
  progress "${#rows[@]} lines"
  export PROGRAM
  printf '%s\0' "${rows[@]}" | xargs -0 -P "$JOBS" -n 1 "$ORACLE/lines-row" "$NAMESPACE"
  for row in "${rows[@]}"; do lines_judge "$row"; done
}

# Turns each row into a directory with the files that both sides see and the expected result.
lines_read() {
  local word text row='' number=0
  while read -r word text; do
    text=${text//@admin@/$(key_of admin)}
    text=${text//@boot@/$(key_of boot)}
    text=${text//@other@/$(key_of other)}
    case $word in
      '' | '#'*) ;;
      =)
        number=$((number + 1))
        printf -v row '%s/lines/%03d' "$WORK" $number
        lines_row "$row" "$text"
        ;;
      conf) printf '%s\n' "$text" >>"$row/etc/ceph.conf" ;;
      file) printf '%s\n' "$(cut -s -d ' ' -f 2- <<<"$text")" >>"$row/etc/${text%% *}" ;;
      without) rm "$row/etc/$text" ;;
      line) printf '%s\n' "$text" >>"$row/etc/rbdmap" ;;
      env | args | refused | lenient | stricter | monitors) printf '%s\n' "$text" >>"$row/$word" ;;
      *) die "lines: '$word' is not a word of a row" ;;
    esac
  done
}

# The files with which every row starts.
lines_row() {
  mkdir -p "$1"/{etc,home}
  printf '%s\n' "$2" >"$1/name"
  printf '[global]\nmon_host = %s\n' "$CLUSTER_ADDRESS" >"$1/etc/ceph.conf"
  cp "$CLUSTER/boot.keyring" "$1/etc/ceph.client.boot.keyring"
  printf '[client.admin]\nkey = %s\n' "$(key_of admin)" >"$1/etc/ceph.client.admin.keyring"
  printf '127.0.0.1 localhost\n%s mon-a mon-a.example.org\n' "$CLUSTER_ADDRESS" >"$1/hosts"
  : >"$1/env"
}

key_of() {
  [ -s "$CLUSTER/$1.key" ] || cluster ceph auth get-key "client.$1" >"$CLUSTER/$1.key"
  cat "$CLUSTER/$1.key"
}

# A row passes if both sides wrote the same line, or if both refused and our message has the stated text. A row can also
# state an intended difference.
lines_judge() {
  local row=$1 rbd ours
  rbd=$(cat "$row/rbd.line")
  ours=$(ours_as_rbd "$row")
  if [ -f "$row/lenient" ]; then
    [ -n "$rbd" ] && rbd="no line" || rbd=$(cat "$row/lenient")
    [[ ! $ours =~ ^(.*secret=)[^,\ ]*(.*)$ ]] || ours="${BASH_REMATCH[1]}*${BASH_REMATCH[2]}"
  elif [ -f "$row/refused" ]; then
    [ -f "$row/stricter" ] || ours+=${rbd:+ (but rbd wrote a line)}
    [ ! -f "$row/stricter" ] || [ -n "$rbd" ] || ours+="no line (and rbd wrote none either)"
    grep -qF -f "$row/refused" "$row/ours.output" || ours+="no line, and the message lacks: $(cat "$row/refused")"
    rbd=
  else
    rbd=${rbd:-a line}
  fi
  lines_verdict "$row" "$rbd" "$ours"
}

lines_verdict() {
  local row=$1 want=$2 ours=$3
  if [ "$want" = "$ours" ]; then
    passed
  else
    failed "$(cat "$row/name")" "rbd:  $(cat "$row/rbd.line" || true)" "      $(tail -n 1 "$row/rbd.output")" \
      "ours: $ours" "      $(tail -n 1 "$row/ours.output")" "want: $want" "in:   $row"
  fi
}

# Our line in the form in which `rbd` would write it, without the differences that do not count:
# - our owner tag, the sixth word, which the kernel ignores (src/model/owner_tag.rs);
# - the key: we pass its name in the kernel's keyring, and `rbd`, which finds no such keyring here, passes the key itself;
# - mount_timeout: our default is 15 s, `rbd` leaves the kernel's 60 s (src/ceph/request.rs);
# - ms_mode: by default rbd 16.2 uses msgr1; we use msgr2 if there are addresses for it, as rbd 20 does;
# - the monitors, in rows that state it: `rbd` has asked the cluster for all of them, we know those of the configuration.
ours_as_rbd() {
  local row=$1 line rbd
  line=$(sed -E 's/ rbdmap:(table|hand):[0-9a-f]{16}$//' "$row/ours.line")
  rbd=$(cat "$row/rbd.line")
  while read -r name key; do line=${line//key=$name/secret=$key}; done < <(keys_taken "$row")
  [[ $rbd == *mount_timeout=* ]] || line=${line/,mount_timeout=15/}
  if [[ $rbd != *ms_mode=* && $line == *,ms_mode=prefer-crc* ]]; then
    line=${line/,ms_mode=prefer-crc/}
    line=${line//$CLUSTER_ADDRESS:3300/$CLUSTER_ADDRESS:6789}
  fi
  [ ! -f "$row/monitors" ] || line="${rbd%% *} ${line#* }"
  printf '%s' "$line"
}

# The name and the key in base64 that our program added to the kernel's keyring, from strace's log.
keys_taken() {
  local name payload
  [ -f "$1/ours.keys" ] || return 0
  while IFS='"' read -r _ _ _ name _ payload _; do
    printf '%b %s\n' "$name" "$(printf '%b' "$payload" | base64 -w 0)"
  done < <(grep 'add_key(' "$1/ours.keys" || true)
}
