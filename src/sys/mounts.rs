//! What is mounted, and mounting, through libmount.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use libmount::{MountRequest, Mounted};

use super::{loops, real_path};
use crate::model::fstab_entry::FstabEntry;
use crate::model::mount_snapshot::MountSnapshot;
use crate::model::overlay_options;
use crate::runtime::root::Root;

/// Every mount of this process's namespace, in the kernel's order.
pub fn list(root: &Root) -> Result<Vec<Mounted>> {
    let path = root.mountinfo();
    libmount::mountinfo(&path).map_err(|error| anyhow!("reading {}: {error}", path.display()))
}

/// The current mounts, the directories of overlays, and the loop devices.
pub fn look(root: &Root) -> Result<MountSnapshot> {
    let mounts = list(root)?;
    let overlays = mounts.iter().filter(|mount| mount.fstype == "overlay");
    let layers = overlays
        .map(|mount| (mount.id, overlay_directories(root, mount)))
        .collect();
    Ok(MountSnapshot {
        layers,
        mounts,
        loops: loops::list(root),
    })
}

/// The directories that an overlay consists of, without symbolic links. An overlay keeps them in the kernel's memory, so resolving
/// them does not block even if their file system has no cluster any more.
fn overlay_directories(root: &Root, mount: &Mounted) -> Vec<PathBuf> {
    overlay_options::directories(mount.fs_options.split(','))
        .iter()
        .map(|directory| real_path::resolve(root, directory))
        .collect()
}

/// Mounts an fstab entry with the option `_netdev`: libmount records it in utab, where systemd reads that the mount has to be
/// unmounted before the network stops. `noauto` concerns booting and has no effect here.
pub fn mount(entry: &FstabEntry) -> Result<(), libmount::Error> {
    let mut options = entry.options.clone();
    if !entry.has("_netdev") {
        options.push("_netdev".to_owned());
    }
    libmount::mount(&MountRequest {
        source: &entry.source,
        target: &entry.target,
        fstype: &entry.fstype,
        options: &options.join(","),
    })
}
