//! Block devices as sysfs shows them: a disk with its partitions, its size, what has been written to it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};

use super::file::attribute;
use crate::model::block_node::BlockNode;
use crate::runtime::root::Root;

/// A disk and its partitions, the disk first. Empty if there is no such disk.
pub fn nodes(root: &Root, disk: &str) -> Vec<BlockNode> {
    let directory = root.block(disk);
    let mut nodes = Vec::new();
    if let Some(number) = read_number(&directory) {
        nodes.push(BlockNode {
            name: disk.to_owned(),
            number,
            partition: None,
        });
    }
    nodes.extend(partitions(&directory, disk));
    nodes
}

/// The partitions of a disk, sorted by their numbers.
fn partitions(directory: &Path, disk: &str) -> Vec<BlockNode> {
    let prefix = format!("{disk}p");
    let mut partitions = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with(&prefix) {
            partitions.extend(read_partition(&entry.path(), name));
        }
    }
    partitions.sort_by_key(|node| node.partition);
    partitions
}

/// `None` for a directory that is no partition's, and for one that disappears meanwhile.
fn read_partition(directory: &Path, name: String) -> Option<BlockNode> {
    let partition = attribute(&directory.join("partition"))?.parse().ok()?;
    Some(BlockNode {
        name,
        number: read_number(directory)?,
        partition: Some(partition),
    })
}

fn read_number(directory: &Path) -> Option<(u32, u32)> {
    let text = attribute(&directory.join("dev"))?;
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The block device that a path leads to; `None` if it leads to something else.
pub fn at(path: &Path) -> Option<BlockNode> {
    let path = fs::canonicalize(path).ok()?;
    let metadata = fs::metadata(&path).ok()?;
    if !metadata.file_type().is_block_device() {
        return None;
    }
    let number = (
        u32::try_from(major(metadata.rdev())).ok()?,
        u32::try_from(minor(metadata.rdev())).ok()?,
    );
    Some(BlockNode {
        name: path.file_name()?.to_string_lossy().into_owned(),
        number,
        partition: None,
    })
}

/// A disk's size in bytes. The kernel counts sectors of 512 bytes, whatever the disk's own sectors are.
pub fn size(root: &Root, disk: &str) -> Option<u64> {
    let sectors: u64 = attribute(&root.block(disk).join("size"))?.parse().ok()?;
    sectors.checked_mul(512)
}

/// The number of sectors that have been written to a disk since it appeared, without writes that have not finished: the seventh
/// number of its `stat` (linux `Documentation/block/stat.rst`).
pub fn written(root: &Root, disk: &str) -> Option<u64> {
    let stat = attribute(&root.block(disk).join("stat"))?;
    stat.split_whitespace().nth(6)?.parse().ok()
}
