//! The block devices of a mapping, and waiting until a new one can be used: udev has applied its rules, the link is there.
//!
//! When the write to the rbd bus returns, the kernel has made the disk, its partitions and /dev/rbdN (linux
//! `drivers/block/rbd.c`, do_rbd_add); only udev's work is pending. udev is done with a device when its record
//! `/run/udev/data/bMAJOR:MINOR` is there (systemd `src/udev/udev-event.c`, which writes it after the links). Where no
//! udevd runs, the links are made here (`link`). The surprise: a link of this name may be another device's, so where it
//! leads is looked at too.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::{Result, bail};
use nix::sys::stat::{major, minor};

use super::file::attribute;
use super::link;
use crate::deadline::Wait;
use crate::model::block_node::BlockNode;
use crate::model::mapping::Mapping;
use crate::root::Root;

/// A disk and its partitions, the disk first. Empty where there is no such disk.
pub fn nodes(root: &Root, disk: &str) -> Vec<BlockNode> {
    let folder = root.block(disk);
    let number = |path: &Path| -> Option<(u32, u32)> {
        let text = attribute(&path.join("dev"))?;
        let (major, minor) = text.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let prefix = format!("{disk}p");
    let partitions = fs::read_dir(&folder).into_iter().flatten().flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok().filter(|name| name.starts_with(&prefix))?;
        let partition = attribute(&entry.path().join("partition"))?.parse().ok()?;
        Some(BlockNode { name, number: number(&entry.path())?, partition: Some(partition) })
    });
    let mut nodes: Vec<BlockNode> = partitions.collect();
    nodes.sort_by_key(|node| node.partition);
    nodes.splice(0..0, number(&folder).map(|number| BlockNode { name: disk.to_owned(), number, partition: None }));
    nodes
}

/// The block device that a path leads to, if it is one's.
pub fn at(path: &Path) -> Option<BlockNode> {
    let path = fs::canonicalize(path).ok()?;
    let metadata = fs::metadata(&path).ok().filter(|metadata| metadata.file_type().is_block_device())?;
    let number = (u32::try_from(major(metadata.rdev())).ok()?, u32::try_from(minor(metadata.rdev())).ok()?);
    Some(BlockNode { name: path.file_name()?.to_string_lossy().into_owned(), number, partition: None })
}

/// A disk's size in bytes; the kernel tells it in sectors of 512.
pub fn size(root: &Root, disk: &str) -> Option<u64> {
    attribute(&root.block(disk).join("size"))?.parse::<u64>().ok()?.checked_mul(512)
}

/// How many sectors have been written to a disk since it appeared, finished writes only: the seventh number of its `stat`
/// (linux `Documentation/block/stat.rst`).
pub fn written(root: &Root, disk: &str) -> Option<u64> {
    attribute(&root.block(disk).join("stat"))?.split_whitespace().nth(6)?.parse().ok()
}

/// Waits for udev to finish with the device and its partitions and for the link; makes the links where there is no udevd. For a
/// link that has gone udev is asked again (`uevent`, linux `Documentation/ABI/testing/sysfs-uevent`).
pub fn await_link(root: &Root, mapping: &Mapping, wait: Wait<'_>) -> Result<()> {
    if !root.udev_control().exists() {
        return link::make(root, mapping);
    }
    let nodes = nodes(root, &mapping.name());
    if is_done(root, mapping, &nodes) && !link_leads_to(root, mapping) {
        // Somebody has taken it away, for udev is done. Where this cannot be asked, the waiting below says so.
        let _ = fs::write(root.block(&mapping.name()).join("uevent"), "change");
    }
    let ready = || (is_done(root, mapping, &nodes) && link_leads_to(root, mapping)).then_some(());
    if wait.poll(ready).is_some() {
        return Ok(());
    }
    let (spec, name) = (&mapping.spec, mapping.name());
    let link = Path::new("/dev").join(spec.link());
    let link = link.display();
    if target_name(root, mapping).is_some_and(|target| target != name) {
        bail!("it is mapped as /dev/{name}, but {link} leads to another device of that name");
    }
    bail!(
        "it is mapped as /dev/{name}, but udev did not make {link} in time: is 50-rbd.rules installed, does udevd work?"
    )
}

/// Those of the mappings for which there is nothing to wait for: udev runs, is done with the device, and the link is there.
pub fn ready<'m>(root: &Root, mappings: &'m [Mapping]) -> Vec<&'m Mapping> {
    if !root.udev_control().exists() {
        return Vec::new();
    }
    let partitioned = partitioned(root);
    let nodes = |disk: &str| if partitioned.contains(disk) { nodes(root, disk) } else { Vec::new() };
    let is_ready = |mapping: &&Mapping| link_leads_to(root, mapping) && is_done(root, mapping, &nodes(&mapping.name()));
    mappings.iter().filter(is_ready).collect()
}

/// The disks of rbd that have partitions, in one look.
fn partitioned(root: &Root) -> HashSet<String> {
    let names = fs::read_dir(root.block_class()).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let names = names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with("rbd"));
    names.filter_map(|name| name.split_once('p').map(|(disk, _)| disk.to_owned())).collect()
}

/// Whether udev is done with a disk and its partitions. The kernel knew these before its write returned; udev comes to
/// them after the disk.
fn is_done(root: &Root, mapping: &Mapping, nodes: &[BlockNode]) -> bool {
    let has_record = |number: (u32, u32)| root.udev_record(number).exists();
    has_record(mapping.number) && nodes.iter().all(|node| node.number == mapping.number || has_record(node.number))
}

/// Whether the image's link leads to this mapping's device.
pub fn link_leads_to(root: &Root, mapping: &Mapping) -> bool {
    target_name(root, mapping).is_some_and(|name| name == mapping.name())
}

/// The name of the node that the link points to (`../../rbd0`).
fn target_name(root: &Root, mapping: &Mapping) -> Option<String> {
    let target = fs::read_link(root.dev(mapping.spec.link())).ok()?;
    target.file_name().map(|name| name.to_string_lossy().into_owned())
}
