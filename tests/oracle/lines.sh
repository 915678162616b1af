# lines.sh: the line that `rbd` writes to the kernel's rbd bus, and ours, for each row of the file `lines`.
# Owns how rows are read, and the four differences that are none. Both sides are really run (inside.sh): `rbd device map`,
# or Ceph's script rbdmap where the row is a line of the table; and `rbdmap map`, the same program that is installed.
# The surprise: `rbd` shows on this machine the secret itself, for want of libceph; so not only the options are compared, but
# that of all files the right one was taken the key from.
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

# Each row becomes a folder: the files that both sides see, and what is to come of it.
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
      env | args | refused | kinder | stricter | monitors) printf '%s\n' "$text" >>"$row/$word" ;;
      *) die "lines: '$word' is no word of a row" ;;
    esac
  done
}

# What every row begins with.
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

# Passed if both wrote the same, or both refused and ours says why; a row may state that we are to differ, and how.
lines_judge() {
  local row=$1 rbd ours
  rbd=$(cat "$row/rbd.line")
  ours=$(ours_as_rbd "$row")
  if [ -f "$row/kinder" ]; then
    [ -n "$rbd" ] && rbd="no line" || rbd=$(cat "$row/kinder")
    [[ ! $ours =~ ^(.*secret=)[^,\ ]*(.*)$ ]] || ours="${BASH_REMATCH[1]}*${BASH_REMATCH[2]}"
  elif [ -f "$row/refused" ]; then
    [ -f "$row/stricter" ] || ours+=${rbd:+ (but rbd wrote a line)}
    [ ! -f "$row/stricter" ] || [ -n "$rbd" ] || ours+="no line (and rbd wrote none either)"
    grep -qF -f "$row/refused" "$row/ours.said" || ours+="no line, and why is: $(cat "$row/refused")"
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
    failed "$(cat "$row/name")" "rbd:  $(cat "$row/rbd.line" || true)" "      $(tail -n 1 "$row/rbd.said")" \
      "ours: $ours" "      $(tail -n 1 "$row/ours.said")" "want: $want" "in:   $row"
  fi
}

# Our line as `rbd` would have written it, were it not for
# - our mark, the sixth word, of which the kernel takes no notice (src/tag.rs);
# - the key, which the kernel has from us under a name, and for want of a kernel that takes keys from `rbd` in the line;
# - mount_timeout: where nobody says one, 15 s are ours, and the kernel's 60 rbd's (src/request/mod.rs);
# - ms_mode: where nobody says one, rbd 16.2 speaks msgr1 and we speak msgr2 if there are addresses for it, as rbd 20 does;
# - the monitors, in rows that say so: `rbd` has asked the cluster for all of them, we know those that are written down.
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

# What ours put into the kernel's keyring: the name and the key in base64, as strace saw it.
keys_taken() {
  local name payload
  [ -f "$1/ours.keys" ] || return 0
  while IFS='"' read -r _ _ _ name _ payload _; do
    printf '%b %s\n' "$name" "$(printf '%b' "$payload" | base64 -w 0)"
  done < <(grep 'add_key(' "$1/ours.keys" || true)
}
