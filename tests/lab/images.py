"""images.py create POOL BYTES NAME…: images of this size with the default features; NAME may be NAMESPACE/NAME.
images.py locks POOL: a line "POOL/IMAGE: CLIENT COOKIE ADDRESS" for each lock of an image of the pool.
One process instead of one of `rbd` for each image.
"""
import sys

import rados
import rbd

verb, pool, *arguments = sys.argv[1:]
with rados.Rados(conffile="") as cluster, cluster.open_ioctx(pool) as ioctx:
    if verb == "create":
        size, *names = arguments
        for path in names:
            namespace, _, name = path.rpartition("/")
            ioctx.set_namespace(namespace)
            rbd.RBD().create(ioctx, name, int(size), old_format=False)
    elif verb == "locks":
        for name in rbd.RBD().list(ioctx):
            with rbd.Image(ioctx, name, read_only=True) as image:
                for lock in (image.list_lockers() or {"lockers": []})["lockers"]:
                    print(f"{pool}/{name}:", *lock)
