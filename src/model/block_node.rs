//! A block device node: a disk or a partition. `sys::device` finds them in sysfs.

use std::path::Path;

use libmount::Mounted;

/// A disk or a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockNode {
    /// The kernel's name, such as `rbd0p1`. The node in /dev has the same name.
    pub name: String,
    /// Major and minor number.
    pub number: (u32, u32),
    /// The number of the partition; `None` for a disk.
    pub partition: Option<u32>,
}

impl BlockNode {
    /// Whether a mount's file system is on this device.
    pub fn carries(&self, mount: &Mounted) -> bool {
        // btrfs and others mount with an anonymous device number, whose major number is 0. Then only the source names the device.
        mount.device == self.number || (mount.device.0 == 0 && self.is_at(Path::new(&mount.source)))
    }

    /// Whether `path` is the path of this node.
    pub fn is_at(&self, path: &Path) -> bool {
        path.strip_prefix("/dev")
            .is_ok_and(|name| name == Path::new(&self.name))
    }
}
