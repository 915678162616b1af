//! A block device node: a disk or a partition. `sys::device` finds them in sysfs.

use std::path::Path;

use libmount::Mounted;

/// A block device: a disk or a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockNode {
    /// The kernel's name for it, that of its node in /dev.
    pub name: String,
    /// Major and minor number.
    pub number: (u32, u32),
    /// Which partition, if it is one.
    pub partition: Option<u32>,
}

impl BlockNode {
    /// Whether a mount's file system is on it. Some, btrfs for one, have a number of their own; their source tells.
    pub fn carries(&self, mount: &Mounted) -> bool {
        mount.device == self.number || (mount.device.0 == 0 && self.is_at(Path::new(&mount.source)))
    }

    /// Whether a path is that of its node.
    pub fn is_at(&self, path: &Path) -> bool {
        path.strip_prefix("/dev")
            .is_ok_and(|name| name == Path::new(&self.name))
    }
}
