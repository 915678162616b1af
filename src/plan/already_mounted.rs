//! Whether an fstab entry is mounted at its mount point already, as the kernel reports it.

use std::path::Path;

use libmount::Mounted;

use super::mount_tree::MountTree;
use crate::model::block_node::BlockNode;
use crate::model::fstab_entry::FstabEntry;
use crate::model::mount_snapshot::MountSnapshot;

/// Whether the entry, whose paths have no symbolic links, is mounted. `devices` are those of the image that is its source.
pub fn is_mounted(entry: &FstabEntry, devices: &[BlockNode], snapshot: &MountSnapshot) -> bool {
    let mounts = snapshot.mounts.iter();
    let mut mounts = mounts.filter(|mount| mount.target == entry.target);
    // The source may be a tag or a link; the device numbers are certain.
    if !devices.is_empty() {
        return mounts.any(|mount| devices.iter().any(|node| node.carries(mount)));
    }
    if entry.has("bind") || entry.has("rbind") {
        return mounts.any(|mount| is_bound(entry, mount, snapshot));
    }
    mounts.any(|mount| has_source(entry, mount) || is_on_loop_device(entry, mount, snapshot))
}

/// The kernel does not report the source path of a bind mount, only the file system and the path inside it.
fn is_bound(entry: &FstabEntry, mount: &Mounted, snapshot: &MountSnapshot) -> bool {
    let source = Path::new(&entry.source);
    let Some(origin) = MountTree::new(&snapshot.mounts).lookup(source, None) else {
        return false;
    };
    let origin = &snapshot.mounts[origin];
    let inside = source.strip_prefix(&origin.target).unwrap_or(Path::new(""));
    mount.device == origin.device && mount.root == origin.root.join(inside)
}

fn has_source(entry: &FstabEntry, mount: &Mounted) -> bool {
    entry.source == mount.source && (entry.fstype == mount.fstype || entry.fstype == "auto")
}

/// mount(8) sets up a loop device for a file, and the kernel reports that device as the source.
fn is_on_loop_device(entry: &FstabEntry, mount: &Mounted, snapshot: &MountSnapshot) -> bool {
    snapshot
        .loops
        .iter()
        .filter(|device| device.file == Path::new(&entry.source))
        .any(|device| device.nodes.iter().any(|node| node.carries(mount)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fstab_entry::FstabSource;
    use crate::model::mount_snapshot::LoopDevice;
    use crate::plan::mount_tree::tests::mounts;

    fn entry(source: &str, target: &str, fstype: &str) -> FstabEntry {
        let options = if fstype == "none" {
            vec!["bind".to_owned()]
        } else {
            vec!["noauto".to_owned()]
        };
        FstabEntry {
            source: source.into(),
            target: target.into(),
            fstype: fstype.into(),
            options,
            pass: 0,
            path: "/etc/fstab".into(),
            declared_in: FstabSource::Fstab,
        }
    }

    fn node(name: &str, number: (u32, u32)) -> BlockNode {
        BlockNode {
            name: name.into(),
            number,
            partition: None,
        }
    }

    #[test]
    fn an_entry_is_mounted_only_if_its_source_is_at_its_mount_point() {
        let mounts = mounts(
            "20 1 8:1 /\n21 20 252:0 /a\n22 21 252:0 /a/bound xfs rw /dev/rbd0 /x/y\n23 20 0:50 /m overlay rw overlay\n\
             24 20 7:3 /i squashfs ro /dev/loop3\n25 21 0:60 /a/t tmpfs rw tmpfs\n26 22 8:9 /wrong",
        );
        let file = "/a/x.img".into();
        let loops = vec![LoopDevice {
            name: "loop3".into(),
            nodes: vec![node("loop3", (7, 3))],
            file,
        }];
        let snapshot = MountSnapshot {
            mounts,
            loops,
            ..MountSnapshot::default()
        };
        let disk = [node("rbd0", (252, 0))];
        let rows = [
            (entry("/dev/rbd/rbd/a", "/a", "xfs"), &disk[..], true),
            (entry("/dev/rbd/rbd/a", "/wrong", "xfs"), &disk, false),
            (entry("/dev/rbd/rbd/a", "/b", "xfs"), &disk, false),
            (entry("/a/x/y", "/a/bound", "none"), &[], true),
            (entry("/a/x/z", "/a/bound", "none"), &[], false),
            (entry("overlay", "/m", "overlay"), &[], true),
            (entry("overlay", "/m", "tmpfs"), &[], false),
            (entry("/a/x.img", "/i", "squashfs"), &[], true),
            (entry("/a/y.img", "/i", "squashfs"), &[], false),
            (entry("tmpfs", "/a/t/", "tmpfs"), &[], true),
        ];
        for (entry, devices, expected) in rows {
            assert_eq!(
                is_mounted(&entry, devices, &snapshot),
                expected,
                "{entry:?}"
            );
        }
    }
}
