"""images.py create POOL/PREFIX NUMBER SIZE: images PREFIX1, PREFIX2, … of this size in bytes, with the features that are the default.
images.py locks POOL: a line "POOL/IMAGE: CLIENT COOKIE ADDRESS" for each lock of an image of the pool.
One process instead of one of `rbd` for each image.
"""
import sys

import rados
import rbd

verb, target = sys.argv[1:3]
pool, _, prefix = target.partition("/")
namespace, _, prefix = prefix.rpartition("/")
with rados.Rados(conffile="") as cluster, cluster.open_ioctx(pool) as ioctx:
    ioctx.set_namespace(namespace)
    if verb == "create":
        for number in range(1, int(sys.argv[3]) + 1):
            rbd.RBD().create(ioctx, f"{prefix}{number}", int(sys.argv[4]), old_format=False)
    elif verb == "locks":
        for name in rbd.RBD().list(ioctx):
            with rbd.Image(ioctx, name, read_only=True) as image:
                for lock in (image.list_lockers() or {"lockers": []})["lockers"]:
                    print(f"{pool}/{name}:", *lock)
