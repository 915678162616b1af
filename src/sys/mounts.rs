//! What is mounted, and mounting and unmounting, through libmount.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use libmount::{MountRequest, Mounted};

use super::loops;
use crate::model::fstab_entry::FstabEntry;
use crate::model::mount_snapshot::MountSnapshot;
use crate::model::overlay_options;
use crate::runtime::root::Root;

/// Every mount of this process's namespace, in the kernel's order.
pub fn list(root: &Root) -> Result<Vec<Mounted>> {
    let path = root.mountinfo();
    libmount::mountinfo(&path).map_err(|error| anyhow!("reading {}: {error}", path.display()))
}

/// Looks at mounts and loop devices.
pub fn look(root: &Root) -> Result<MountSnapshot> {
    let (mounts, loops) = (list(root)?, loops::list(root));
    // An overlay keeps its folders in the kernel's memory: resolving them asks no disk.
    let real = |folder: PathBuf| fs::canonicalize(root.join(&folder)).unwrap_or(folder);
    let layers = mounts
        .iter()
        .filter(|mount| mount.fstype == "overlay")
        .map(|mount| {
            let folders = overlay_options::directories(mount.fs_options.split(','));
            (mount.id, folders.into_iter().map(real).collect())
        });
    Ok(MountSnapshot {
        layers: layers.collect(),
        mounts,
        loops,
    })
}

/// Mounts an fstab entry. `_netdev` is added so that libmount's record in utab tells systemd, which reads it back, to
/// unmount before the network goes; `noauto` is fstab's word for boot and means nothing here.
pub fn mount(entry: &FstabEntry) -> Result<(), libmount::Error> {
    let mut options = entry.options.clone();
    if !entry.has("_netdev") {
        options.push("_netdev".to_owned());
    }
    let options = options.join(",");
    let request = MountRequest {
        source: &entry.source,
        target: &entry.target,
        fstype: &entry.fstype,
        options: &options,
    };
    libmount::mount(&request)
}
