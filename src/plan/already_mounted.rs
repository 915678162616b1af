//! Whether an fstab entry is mounted already where it belongs, from what the kernel says.

use std::path::Path;

use super::mount_tree::MountTree;
use crate::model::block_node::BlockNode;
use crate::model::fstab_entry::FstabEntry;
use crate::model::mount_snapshot::MountSnapshot;

/// Whether the entry, with paths that have no symbolic links, is mounted. `devices` are those of its own image.
pub fn is_mounted(entry: &FstabEntry, devices: &[BlockNode], seen: &MountSnapshot) -> bool {
    let here = seen
        .mounts
        .iter()
        .filter(|mount| mount.target == entry.target);
    if !devices.is_empty() {
        return here
            .into_iter()
            .any(|mount| devices.iter().any(|node| node.carries(mount)));
    }
    let source = Path::new(&entry.source);
    if entry.has("bind") || entry.has("rbind") {
        let tree = MountTree::new(&seen.mounts);
        let Some(origin) = tree.lookup(source, None).map(|at| &seen.mounts[at]) else {
            return false;
        };
        let inside = source.strip_prefix(&origin.target).unwrap_or(Path::new(""));
        return here
            .into_iter()
            .any(|mount| mount.device == origin.device && mount.root == origin.root.join(inside));
    }
    let made_of = seen
        .loops
        .iter()
        .filter(|device| device.file == source)
        .flat_map(|device| &device.nodes);
    let made_of: Vec<&BlockNode> = made_of.collect();
    here.into_iter().any(|mount| {
        let same = (entry.fstype == mount.fstype || entry.fstype == "auto")
            && entry.source == mount.source;
        same || made_of.iter().any(|node| node.carries(mount))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
            declared_in: crate::model::fstab_entry::FstabSource::Fstab,
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
    fn the_right_thing_at_the_right_place_is_mounted_and_no_other() {
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
        let seen = MountSnapshot {
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
            assert_eq!(is_mounted(&entry, devices, &seen), expected, "{entry:?}");
        }
    }
}
