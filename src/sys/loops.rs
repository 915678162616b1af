//! Loop devices: which file each of them makes a block device of, and detaching that file.
//!
//! The kernel shows the file in `/sys/block/loopN/loop/backing_file` (linux `drivers/block/loop.c`), which exists while a
//! file is attached. A loop device of `mount -o loop` is detached by the last unmount; one of losetup(8) stays, and keeps the
//! file system of its file busy.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::device;
use super::file::attribute;
use super::subprocess::Program;
use crate::model::mount_snapshot::LoopDevice;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;

/// Every loop device with a file attached, sorted by name.
pub fn list(root: &Root) -> Vec<LoopDevice> {
    let disks = fs::read_dir(root.blocks()).into_iter().flatten().flatten();
    let names: BTreeSet<String> = disks
        .filter_map(|disk| disk.file_name().into_string().ok())
        .filter(|name| name.starts_with("loop"))
        .collect();
    names
        .into_iter()
        .filter_map(|name| find(root, name))
        .collect()
}

fn find(root: &Root, name: String) -> Option<LoopDevice> {
    let file = attribute(&root.block(&name).join("loop/backing_file"))?;
    // The kernel appends this to the path of a file that no directory has any more. The loop device works all the same.
    let file = PathBuf::from(file.strip_suffix(" (deleted)").unwrap_or(&file));
    Some(LoopDevice {
        nodes: device::nodes(root, &name),
        name,
        file,
    })
}

/// How long losetup may take.
const LOSETUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Detaches the file from a loop device. If the device is open, the kernel does so when it is last closed.
pub fn detach(root: &Root, name: &str) -> Result<()> {
    Program::new(root.losetup())
        .args(["--detach".into(), root.dev(name)])
        .run_to_success(&Deadline::after(LOSETUP_TIMEOUT))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;

    #[test]
    fn devices_with_a_file_are_listed_and_others_are_not() {
        let root = FakeRoot::new();
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
            root.write(format!("sys/block/{path}"), text);
        }
        let loops = list(&root);
        let files: Vec<_> = loops.iter().map(|l| l.file.to_str().unwrap()).collect();
        assert_eq!(files, ["/srv/with space.img", "/srv/gone"]);
        let nodes = loops[0].nodes.iter();
        let numbers: Vec<_> = nodes
            .map(|node| (node.name.as_str(), node.number))
            .collect();
        assert_eq!(numbers, [("loop0", (7, 0)), ("loop0p1", (259, 1))]);
    }
}
