//! Loop devices: which files they make block devices of, and giving such a device back.
//!
//! The kernel tells the file in `/sys/block/loopN/loop/backing_file` (linux `drivers/block/loop.c`), there while a file
//! is set. `mount -o loop` gives its device back with the last unmount; one that losetup(8) made stays, and keeps the
//! file system below it busy.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::file::attribute;
use super::{device, subprocess};
use crate::model::mount_snapshot::LoopDevice;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;

/// Every loop device that has a file, by name.
pub fn list(root: &Root) -> Vec<LoopDevice> {
    let names = fs::read_dir(root.blocks())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    let names = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("loop"));
    let names: BTreeSet<String> = names.collect();
    names
        .into_iter()
        .filter_map(|name| read(root, name))
        .collect()
}

fn read(root: &Root, name: String) -> Option<LoopDevice> {
    let file = attribute(&root.block(&name).join("loop/backing_file"))?;
    let file = PathBuf::from(file.strip_suffix(" (deleted)").unwrap_or(&file));
    Some(LoopDevice {
        nodes: device::nodes(root, &name),
        name,
        file,
    })
}

/// How long losetup may take.
const DETACH_LIMIT: Duration = Duration::from_secs(10);

/// Takes the file away from a loop device; while it is open, at its last close. The error is losetup's own.
pub fn detach(root: &Root, name: &str) -> Result<(), String> {
    let mut losetup = Command::new(root.losetup());
    losetup.arg("--detach").arg(root.dev(name));
    subprocess::run(losetup, &Deadline::after(DETACH_LIMIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_with_a_file_are_listed_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        for (path, text) in [
            ("loop0/loop/backing_file", "/srv/with space.img\n"),
            ("loop0/dev", "7:0\n"),
            ("loop0/loop0p1/dev", "259:1\n"),
            ("loop0/loop0p1/partition", "1\n"),
            ("loop1/loop/backing_file", "/srv/gone (deleted)\n"),
            ("loop1/dev", "7:1\n"),
            ("loop2/dev", "7:2\n"),
            ("sda/dev", "8:0\n"),
        ] {
            let path = root.blocks().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let loops = list(&root);
        assert_eq!(
            loops
                .iter()
                .map(|l| l.file.to_str().unwrap())
                .collect::<Vec<_>>(),
            ["/srv/with space.img", "/srv/gone"]
        );
        let numbers: Vec<_> = loops[0]
            .nodes
            .iter()
            .map(|node| (node.name.as_str(), node.number))
            .collect();
        assert_eq!(numbers, [("loop0", (7, 0)), ("loop0p1", (259, 1))]);
    }
}
