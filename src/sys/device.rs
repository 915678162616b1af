//! The block devices of a mapping, and waiting until a new one can be used: udev has applied its rules, the link is there.
//!
//! When the write to the rbd bus returns, the kernel has made the disk, its partitions and /dev/rbdN (linux
//! `drivers/block/rbd.c`, do_rbd_add); only udev's work is pending. udev is done with a device when its record
//! `/run/udev/data/bMAJOR:MINOR` is there (systemd `src/udev/udev-event.c`, which writes it after the links). Where no
//! udevd runs, the links are made here (`link`). The surprise: a link of this name may be another device's, so where it
//! leads is looked at too.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};

use super::file::attribute;
use crate::model::block_node::BlockNode;
use crate::runtime::root::Root;

/// A disk and its partitions, the disk first. Empty where there is no such disk.
pub fn nodes(root: &Root, disk: &str) -> Vec<BlockNode> {
    let folder = root.block(disk);
    let number = |path: &Path| -> Option<(u32, u32)> {
        let text = attribute(&path.join("dev"))?;
        let (major, minor) = text.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let prefix = format!("{disk}p");
    let partitions = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry
                .file_name()
                .into_string()
                .ok()
                .filter(|name| name.starts_with(&prefix))?;
            let partition = attribute(&entry.path().join("partition"))?.parse().ok()?;
            Some(BlockNode {
                name,
                number: number(&entry.path())?,
                partition: Some(partition),
            })
        });
    let mut nodes: Vec<BlockNode> = partitions.collect();
    nodes.sort_by_key(|node| node.partition);
    nodes.splice(
        0..0,
        number(&folder).map(|number| BlockNode {
            name: disk.to_owned(),
            number,
            partition: None,
        }),
    );
    nodes
}

/// The block device that a path leads to, if it is one's.
pub fn at(path: &Path) -> Option<BlockNode> {
    let path = fs::canonicalize(path).ok()?;
    let metadata = fs::metadata(&path)
        .ok()
        .filter(|metadata| metadata.file_type().is_block_device())?;
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

/// A disk's size in bytes; the kernel tells it in sectors of 512.
pub fn size(root: &Root, disk: &str) -> Option<u64> {
    attribute(&root.block(disk).join("size"))?
        .parse::<u64>()
        .ok()?
        .checked_mul(512)
}

/// How many sectors have been written to a disk since it appeared, finished writes only: the seventh number of its `stat`
/// (linux `Documentation/block/stat.rst`).
pub fn written(root: &Root, disk: &str) -> Option<u64> {
    attribute(&root.block(disk).join("stat"))?
        .split_whitespace()
        .nth(6)?
        .parse()
        .ok()
}
