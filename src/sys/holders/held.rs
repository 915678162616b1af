//! What to search for: block devices and what is mounted from them.

use std::path::{Path, PathBuf};

use libmount::Mounted;
use nix::sys::stat::{major, minor};

use crate::model::block_node::BlockNode;

/// What somebody may hold.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The block devices.
    pub nodes: Vec<BlockNode>,
    /// The mount points of file systems on them, or below such mounts.
    pub mount_points: Vec<PathBuf>,
}

impl Held {
    /// Whether a path, as the kernel prints it, is one of the devices or lies on one of the mounts.
    pub fn contains_path(&self, path: &Path) -> bool {
        let text = path.to_string_lossy();
        // The kernel appends this to the path of a file that has no name any more. The file is in use all the same.
        let path = Path::new(text.strip_suffix(" (deleted)").unwrap_or(&text));
        self.nodes.iter().any(|node| node.is_at(path))
            || self
                .mount_points
                .iter()
                .any(|mount_point| path.starts_with(mount_point))
    }

    /// Whether this is the number of one of the devices, as stat(2) encodes it.
    pub fn contains_device(&self, device: u64) -> bool {
        let number = (major(device), minor(device));
        self.nodes
            .iter()
            .any(|node| (u64::from(node.number.0), u64::from(node.number.1)) == number)
    }

    /// Whether a mount's file system is on one of the devices.
    pub fn contains_mount(&self, mount: &Mounted) -> bool {
        self.nodes.iter().any(|node| node.carries(mount))
    }
}
