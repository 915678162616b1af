"""hold-lock.py POOL/IMAGE: takes the image's exclusive lock, says `held`, and keeps it until it is killed."""
import signal
import sys

import rados
import rbd

pool, image = sys.argv[1].split("/")
with rados.Rados(conffile="") as cluster, cluster.open_ioctx(pool) as ioctx, rbd.Image(ioctx, image) as opened:
    opened.lock_acquire(rbd.RBD_LOCK_MODE_EXCLUSIVE)
    print("held", flush=True)
    signal.pause()
