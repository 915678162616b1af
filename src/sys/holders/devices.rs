//! What stands on a device without being a process: devices made of it, swap, a file system that is not mounted any more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::Held;
use crate::model::block_node::BlockNode;
use crate::model::holder::Holder;
use crate::runtime::root::Root;
use crate::sys::file::{attribute, read_if_there};

/// File systems that the kernel still has on the device: ext4, xfs, f2fs and others have a folder each in `/sys/fs/TYPE/`, by
/// the name of the device.
pub fn file_systems(root: &Root, node: &BlockNode) -> Vec<Holder> {
    let kinds = fs::read_dir(root.file_systems())
        .into_iter()
        .flatten()
        .flatten();
    let there = kinds.filter(|kind| kind.path().join(&node.name).is_dir());
    there
        .map(|kind| {
            Holder::FileSystem(
                kind.file_name().to_string_lossy().into_owned(),
                node.name.clone(),
            )
        })
        .collect()
}

/// Devices made of these, each once, with the names that people gave them.
pub fn made_of(root: &Root, nodes: &[BlockNode]) -> Vec<Holder> {
    let folder = |node: &BlockNode| {
        // A partition's folder is in its disk's, which is called as it is up to the last `p`.
        let disk = node
            .partition
            .and_then(|_| node.name.rsplit_once('p'))
            .map(|(disk, _)| root.block(disk));
        disk.map_or(root.block(&node.name), |disk| disk.join(&node.name))
            .join("holders")
    };
    let entries = nodes
        .iter()
        .flat_map(|node| fs::read_dir(folder(node)).into_iter().flatten().flatten());
    let names: BTreeSet<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let device = |name: String| {
        let title = attribute(&root.block(&name).join("dm/name")).or_else(|| array(root, &name));
        Holder::Device(name, title)
    };
    names.into_iter().map(device).collect()
}

/// The name of a RAID. The kernel tells none (linux `Documentation/admin-guide/md.rst`); mdadm's udev rules have a link for it,
/// `/dev/md/NAME`. That of md0 may be `0`, which says nothing more.
fn array(root: &Root, device: &str) -> Option<String> {
    let links = fs::read_dir(root.dev("md")).into_iter().flatten().flatten();
    let leads_there = |link: &Path| {
        fs::read_link(link).is_ok_and(|to| to.file_name() == Some(OsStr::new(device)))
    };
    let names = links
        .filter(|link| leads_there(&link.path()))
        .filter_map(|link| link.file_name().into_string().ok());
    names
        .filter(|name| device.strip_prefix("md") != Some(name))
        .min()
}

/// Swap on the devices or in a file on them: the first word of each line of /proc/swaps but the first.
pub fn swaps(root: &Root, held: &Held) -> Vec<Holder> {
    let text = read_if_there(&root.proc("swaps"))
        .ok()
        .flatten()
        .unwrap_or_default();
    let paths = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    let paths = paths
        .map(|path| path.replace("\\040", " "))
        .filter(|path| held.has(Path::new(path)));
    paths.map(Holder::Swap).collect()
}
