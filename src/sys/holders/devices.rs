//! Users of a device that are not processes: devices made of it, swap, and a file system that is no longer mounted.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::held::Held;
use crate::model::block_node::BlockNode;
use crate::model::holder::Holder;
use crate::runtime::root::Root;
use crate::sys::file::{attribute, read_if_there};

/// File systems that the kernel still keeps on the device. ext4, xfs, f2fs and others have a directory for each device,
/// `/sys/fs/TYPE/DEVICE`.
pub fn file_systems(root: &Root, node: &BlockNode) -> Vec<Holder> {
    let types = fs::read_dir(root.file_systems()).into_iter().flatten();
    let mut holders = Vec::new();
    for kind in types.flatten() {
        if kind.path().join(&node.name).is_dir() {
            let name = kind.file_name().to_string_lossy().into_owned();
            holders.push(Holder::FileSystem(name, node.name.clone()));
        }
    }
    holders
}

/// Devices made of these, each once, with the names that administrators gave them.
pub fn made_of(root: &Root, nodes: &[BlockNode]) -> Vec<Holder> {
    // A device made of two partitions is a holder of both.
    let mut names = BTreeSet::new();
    for node in nodes {
        let entries = fs::read_dir(directory(root, node).join("holders"));
        for entry in entries.into_iter().flatten().flatten() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names
        .into_iter()
        .map(|name| {
            let title =
                attribute(&root.block(&name).join("dm/name")).or_else(|| array_name(root, &name));
            Holder::Device(name, title)
        })
        .collect()
}

/// The directory of a device in sysfs. That of a partition is in the directory of its disk, whose name is the part before
/// the last `p`.
fn directory(root: &Root, node: &BlockNode) -> PathBuf {
    match node.name.rsplit_once('p') {
        Some((disk, _)) if node.partition.is_some() => root.block(disk).join(&node.name),
        _ => root.block(&node.name),
    }
}

/// The name of a RAID. The kernel has none (linux `Documentation/admin-guide/md.rst`); the udev rules of mdadm make a link
/// `/dev/md/NAME`.
fn array_name(root: &Root, device: &str) -> Option<String> {
    let links = fs::read_dir(root.dev("md")).into_iter().flatten();
    links
        .flatten()
        .filter(|link| points_at(&link.path(), device))
        .filter_map(|link| link.file_name().into_string().ok())
        // The link of md0 may be `0`, which adds nothing.
        .filter(|name| device.strip_prefix("md") != Some(name))
        .min()
}

fn points_at(link: &Path, device: &str) -> bool {
    fs::read_link(link).is_ok_and(|target| target.file_name() == Some(OsStr::new(device)))
}

/// Swap on the devices or in a file on them: the first word of each line of /proc/swaps after the heading.
pub fn swaps(root: &Root, held: &Held) -> Vec<Holder> {
    let text = read_if_there(&root.proc("swaps")).ok().flatten();
    let mut holders = Vec::new();
    for line in text.unwrap_or_default().lines().skip(1) {
        let Some(path) = line.split_whitespace().next() else {
            continue;
        };
        // The kernel escapes blanks, because they separate the columns.
        let path = path.replace("\\040", " ");
        if held.contains_path(Path::new(&path)) {
            holders.push(Holder::Swap(path));
        }
    }
    holders
}
