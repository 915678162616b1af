# frail: x
# shellcheck shell=bash
images() { image crashed 64M; image held 64M; }
by_hand() {
  frail_up
  outside frail rbd create "$POOL/frail" --size 64M
  fresh crashed ext4
  frail_table frail
  mkdir -p /mnt/crashed /mnt/frail
  ends 0 rbdmap map --direct "$POOL/frail"
  rbdmap list
  # lock after crash
  table crashed
  outside hold-lock "0:$POOL/crashed"
  date +%s.%N
  ends 0 rbdmap map --direct "$POOL/crashed"
  echo "$SAID; $TOOK"
  ends 0 mount "$(devices_of crashed)" /mnt/crashed
  echo "mount $SAID; $TOOK"
  umount /mnt/crashed
  rbdmap unmap --direct "$POOL/crashed"
  # exclusive after crash
  sed -i /crashed/d /etc/ceph/rbdmap
  table crashed exclusive
  outside hold-lock "0:$POOL/crashed"
  rbdmap map --direct "$POOL/crashed" --timeout 60 || true
  rbdmap unmap --direct "$POOL/crashed" || true
  table held exclusive
  outside hold-lock "40:$POOL/held"
  rbdmap map --direct "$POOL/held" --timeout 60 || true
  dmesg | tail -40
  # osd
  outside frail osd kill
  rbdmap unmap --direct "$POOL/frail" || true
  time rbdmap map --direct "$POOL/frail" --timeout 20 || true
  outside frail osd start
  time rbdmap map --direct "$POOL/frail" --timeout 20 || true
  time rbdmap unmap --direct "$POOL/frail"
  outside frail mon freeze
  time rbdmap map --direct "$POOL/frail" --timeout 20 || true
  outside frail mon thaw
  dmesg | tail -40
}
