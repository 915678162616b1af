//! The mounts, loop devices and overlays at one moment. `sys::mounts` takes the snapshot.

use std::collections::HashMap;
use std::path::PathBuf;

use libmount::Mounted;

use super::block_node::BlockNode;

/// What is mounted at one moment.
#[derive(Debug, Default)]
pub struct MountSnapshot {
    /// Every mount of this process's namespace.
    pub mounts: Vec<Mounted>,
    /// Every loop device that has a file.
    pub loops: Vec<LoopDevice>,
    /// The directories of each overlay by its mount ID, with symbolic links resolved.
    pub layers: HashMap<i32, Vec<PathBuf>>,
}

/// A loop device that has a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopDevice {
    /// `loopN`.
    pub name: String,
    /// The disk and its partitions.
    pub nodes: Vec<BlockNode>,
    /// The file behind the device.
    pub file: PathBuf,
}
