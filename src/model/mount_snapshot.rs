//! The mounts, loop devices and overlay layers of one moment. `sys::mounts` takes the snapshot.

use std::collections::HashMap;
use std::path::PathBuf;

use libmount::Mounted;

use super::block_node::BlockNode;

/// What stood where at one moment.
#[derive(Debug, Default)]
pub struct MountSnapshot {
    /// Every mount of this process's namespace.
    pub mounts: Vec<Mounted>,
    /// Every loop device that has a file.
    pub loops: Vec<LoopDevice>,
    /// The folders of each overlay, by the id of its mount, without symbolic links.
    pub layers: HashMap<i32, Vec<PathBuf>>,
}

/// A loop device that has a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopDevice {
    /// `loopN`.
    pub name: String,
    /// Itself and its partitions, by name and number.
    pub nodes: Vec<BlockNode>,
    /// The file.
    pub file: PathBuf,
}
