# cluster.sh: a Ceph cluster of one monitor and one OSD, the smallest that the kernel client can use.
# Owns the daemons, the pools (one for each machine, so that machines do not share images) and the queries from the host.
# The OSD's mkfs connects to the monitor, so it runs inside the namespace too. A ceph command without a cluster waits for ever, so each has
# a time limit.
# shellcheck shell=bash

CLUSTER=$LAB_MEMORY/cluster
MONITOR="[v2:$CLUSTER_ADDRESS:3300,v1:$CLUSTER_ADDRESS:6789]"

# One command of Ceph inside the lab's network. A daemon must not inherit the lab's lock.
cluster() {
  CEPH_CONF=$CLUSTER/ceph.conf CEPH_ARGS='' timeout -k 5 60 ip netns exec "$NAMESPACE" "$@" {LOCK}>&-
}

cluster_is_up() {
  [ -s "$CLUSTER/ceph.conf" ] && in_network true 2>/dev/null && cluster timeout 5 ceph osd stat 2>/dev/null | grep -q ' 1 up'
}

cluster_up() {
  progress "starting the cluster"
  network_down
  network_up
  rm -rf "$CLUSTER"
  mkdir -p "$CLUSTER"/{mon,osd,log}
  cluster_configure
  logged "$CLUSTER/log/start" cluster_start
}

cluster_start() {
  cluster_start_monitor
  cluster_start_osd
  cluster ceph auth get-or-create client.boot mon 'profile rbd' osd 'profile rbd' -o "$CLUSTER/boot.keyring"
  wait_until 30 cluster_is_up
}

cluster_configure() {
  cat >"$CLUSTER/ceph.conf" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon_host = $MONITOR
public_addr = $CLUSTER_ADDRESS
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
# One disk, so one copy.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
# Every run begins with an empty pool.
mon_allow_pool_delete = true
# Eight placement groups suffice; the autoscaler would need a manager.
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
# Avoids a warning about old clients, which do not exist here.
auth_allow_insecure_global_id_reclaim = true
# The host's disk may be fuller than a monitor allows by default.
mon_data_avail_crit = 1
# The disk is a sparse file in memory; the images in it hold a few megabytes.
osd_objectstore = bluestore
bluestore_block_size = 4294967296
bluestore_block_create = true
osd_memory_target = 939524096
# Everything in one directory.
keyring = $CLUSTER/keyring
mon_data = $CLUSTER/mon
osd_data = $CLUSTER/osd
run_dir = $CLUSTER
log_file = $CLUSTER/log/\$name.log
pid_file = $CLUSTER/\$name.pid
admin_socket = $CLUSTER/\$name.asok
# Two commands at once would use the same socket.
[client]
admin_socket =
CONF
}

cluster_start_monitor() {
  local fsid
  fsid=$(sed -n 's/^fsid = //p' "$CLUSTER/ceph.conf")
  ceph-authtool --create-keyring "$CLUSTER/keyring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$CLUSTER/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
  monmaptool --create --fsid "$fsid" --addv a "$MONITOR" "$CLUSTER/monmap"
  cluster ceph-mon --mkfs -i a --monmap "$CLUSTER/monmap" --keyring "$CLUSTER/keyring"
  cluster ceph-mon -i a
}

cluster_start_osd() {
  local uuid
  uuid=$(cat /proc/sys/kernel/random/uuid)
  cluster ceph osd new "$uuid"
  cluster ceph auth get-or-create osd.0 mon 'allow profile osd' osd 'allow *' >>"$CLUSTER/keyring"
  cluster ceph-osd -i 0 --mkfs --osd-uuid "$uuid"
  cluster ceph-osd -i 0
}

# SIGKILL, like a power cut. The next run of the lab starts another cluster.
cluster_kill() {
  local daemon
  for daemon in osd.0 mon.a; do
    kill -KILL "$(cat "$CLUSTER/$daemon.pid" 2>/dev/null)" 2>/dev/null || true
  done
}

# An empty pool of this name. An old one is deleted, even if clients watch its images.
pool_create() {
  cluster ceph osd pool rm "$1" "$1" --yes-i-really-really-mean-it
  cluster ceph osd pool create "$1"
  cluster ceph osd pool application enable "$1" rbd
} >>"$CLUSTER/log/pools" 2>&1

# pool_holders POOL ADDRESS: a line for each watcher of its images (a client at that address) and each lock.
# The OSD lists all watchers at once, images.py all locks: `rbd` would need a command for each image.
pool_holders() {
  local pool=$1 address=$2
  cluster ceph --admin-daemon "$CLUSTER/osd.0.asok" dump_watchers |
    tr -d ' \n' | grep -o '"object":"[^"]*"[^}]*}[^}]*"addr":"'"$address"':[^}]*}' | sed "s|^|$pool: watcher: |" || true
  cluster /usr/bin/python3 "$LAB/images.py" locks "$pool" || echo "$pool: its locks cannot be listed"
}

# blocklisted ADDRESS: the blocklist entries of clients at this address, a line each.
blocklisted() { cluster ceph osd blocklist ls 2>/dev/null | grep "^$1:" || true; }
