//! What an argument of `rbdmap unmap` names. As for `rbd unmap`, `/dev/...` is a device or a link to one. Another absolute
//! path is a mount point, anything else an image.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::model::block_node::BlockNode;
use crate::model::mapping::Mapping;
use crate::plan::Target;
use crate::runtime::root::Root;
use crate::sys::{device, mounts};

/// Finds the target. Fails if a device or mount point is not that of a mapped image.
pub fn resolve(root: &Root, mapped: &[Mapping], text: &str) -> Result<Target> {
    let id = if let Some(name) = text.strip_prefix("/dev/") {
        mapping_at_device(root, mapped, &root.dev(name))
    } else if text.starts_with('/') {
        mapping_at_mount_point(root, mapped, Path::new(text))
    } else {
        return text.parse().map(Target::Image);
    };
    id.map(Target::Device).with_context(|| text.to_owned())
}

/// The number of the mapping whose disk or partition the path leads to.
fn mapping_at_device(root: &Root, mapped: &[Mapping], path: &Path) -> Result<u32> {
    // For its error: `device::at` does not say why it finds no device.
    fs::metadata(path)?;
    let node = device::at(path).context("not a block device")?;
    find_mapping(root, mapped, |other| other.number == node.number).context("not an RBD device")
}

/// The number of the mapping whose file system is mounted on the path.
fn mapping_at_mount_point(root: &Root, mapped: &[Mapping], path: &Path) -> Result<u32> {
    let path = fs::canonicalize(path)?;
    let mounts = mounts::list(root)?;
    // The last one covers those that were mounted there before.
    let mount = mounts
        .iter()
        .rfind(|mount| mount.target == path)
        .context("nothing is mounted there")?;
    find_mapping(root, mapped, |node| node.number == mount.device)
        .context("the file system mounted there is not on an RBD image")
}

fn find_mapping(
    root: &Root,
    mapped: &[Mapping],
    is_node: impl Fn(&BlockNode) -> bool,
) -> Option<u32> {
    for mapping in mapped {
        if device::nodes(root, &mapping.name()).iter().any(&is_node) {
            return Some(mapping.id);
        }
    }
    None
}
