//! Finds who keeps a device, or the file systems on it, busy: processes, mounts in other mount namespaces, devices made of
//! it, loop devices, swap.
//!
//! Everything is text and links of /proc and /sys (proc(5), linux `Documentation/ABI/testing/sysfs-block`). The search
//! compares where a link points and does not follow it, because a file system whose disk does not answer would block this
//! process too. Only if it finds nobody, it asks each open file for its device: after a lazy unmount, the paths of open
//! files no longer show where the files are.

mod devices; // devices made of a device, swap, file systems
mod held; // what to search for
mod mount_namespaces; // mounts that other processes see
mod process_info; // describes a process
mod processes; // open files and mapped files

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::loops;
use crate::model::holder::Holder;
use crate::runtime::root::Root;
pub use held::Held;
use processes::Processes;

/// Everybody who holds the devices or the mounts: processes in the order of their numbers, then the others.
pub fn find(root: &Root, held: &Held) -> Vec<Holder> {
    let processes = Processes::list(root);
    let mut holders = processes.holding(held, |link| held_path(held, link));
    holders.extend(mount_namespaces::holding(root, held, &processes));
    holders.extend(devices::made_of(root, &held.nodes));
    holders.extend(loop_devices(root, held));
    holders.extend(devices::swaps(root, held));
    // With a mount it is no news that the kernel uses the file system.
    if holders.is_empty() && held.mount_points.is_empty() {
        for node in &held.nodes {
            holders.extend(devices::file_systems(root, node));
        }
    }
    // A last resort, because it may block.
    if holders.is_empty() {
        holders = processes.holding(held, |link| on_held_device(held, link));
    }
    holders
}

/// Where a link points, if that is held.
fn held_path(held: &Held, link: &Path) -> Option<PathBuf> {
    fs::read_link(link)
        .ok()
        .filter(|path| held.contains_path(path))
}

/// The link itself, if the open file behind it is on a held device. May block as long as that file system does.
fn on_held_device(held: &Held, link: &Path) -> Option<PathBuf> {
    let file = fs::metadata(link).ok()?;
    held.contains_device(file.dev()).then(|| link.to_owned())
}

fn loop_devices(root: &Root, held: &Held) -> Vec<Holder> {
    let mut holders = Vec::new();
    for device in loops::list(root) {
        if held.contains_path(&device.file) {
            let file = device.file.display().to_string();
            holders.push(Holder::Loop(device.name, file));
        }
    }
    holders
}

#[cfg(test)]
mod tests;
