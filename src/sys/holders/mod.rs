//! Looks for whoever keeps a device or the file systems on it busy: processes, mounts in other mount namespaces, devices
//! made of it, loop devices, swap.
//!
//! Everything is read from /proc and /sys as text (proc(5), linux `Documentation/ABI/testing/sysfs-block`): where a link
//! leads is read and compared, not followed, for a file system whose disk does not answer would keep us as well. Only
//! if that finds nobody are the open files themselves asked for their device: those of a file system that was unmounted
//! lazily have paths that lead nowhere.

mod devices;
mod processes;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use super::loops;
use crate::model::block_node::BlockNode;
use crate::model::holder::Holder;
use crate::runtime::root::Root;
use processes::Processes;

/// What somebody may hold.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The block devices.
    pub nodes: Vec<BlockNode>,
    /// What is still mounted from them or inside them.
    pub mount_points: Vec<PathBuf>,
}

/// Everybody who holds it, processes by number first.
pub fn of(root: &Root, held: &Held) -> Vec<Holder> {
    let processes = Processes::list(root, held);
    let by_path = |link: &Path| fs::read_link(link).ok().filter(|path| held.has(path));
    let mut holders = processes.holding(by_path);
    holders.extend(processes.namespaces());
    holders.extend(devices::made_of(root, &held.nodes));
    let loops = loops::list(root)
        .into_iter()
        .filter(|device| held.has(&device.file));
    holders
        .extend(loops.map(|device| Holder::Loop(device.name, device.file.display().to_string())));
    holders.extend(devices::swaps(root, held));
    if holders.is_empty() && held.mount_points.is_empty() {
        holders.extend(
            held.nodes
                .iter()
                .flat_map(|node| devices::file_systems(root, node)),
        );
    }
    if holders.is_empty() {
        let by_device = |link: &Path| {
            fs::metadata(link)
                .ok()
                .filter(|found| held.carries(found.dev()))
                .map(|_| link.into())
        };
        holders.extend(processes.holding(by_device));
    }
    holders
}

impl Held {
    /// Whether a path, as the kernel prints it, is one of the devices or lies on one of the mounts.
    fn has(&self, path: &Path) -> bool {
        let text = path.to_string_lossy();
        let path = Path::new(text.strip_suffix(" (deleted)").unwrap_or(&text));
        self.nodes.iter().any(|node| node.is_at(path))
            || self
                .mount_points
                .iter()
                .any(|target| path.starts_with(target))
    }

    fn carries(&self, device: u64) -> bool {
        self.nodes.iter().any(|node| {
            (u64::from(node.number.0), u64::from(node.number.1)) == (major(device), minor(device))
        })
    }
}

#[cfg(test)]
mod tests;
