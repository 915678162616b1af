//! The kinds of layers that can stand on a mapping: what a layer of each kind rests on, and how it is removed.
//!
//! A new kind (dm-crypt, LVM, md) is a list in [`MountSnapshot`] and a variant of [`LayerId`] and [`Layer`]; the compiler
//! then shows every place that must know it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use libmount::Mounted;

use crate::model::block_node::BlockNode;
use crate::model::mount_snapshot::{LoopDevice, MountSnapshot};
use crate::plan::mount_tree::MountTree;

/// Something that stands on a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer<'a> {
    /// A mount: it is unmounted.
    Mount(&'a Mounted),
    /// A loop device: it is detached from its file.
    Loop(&'a LoopDevice),
}

impl fmt::Display for Layer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount(mount) => write!(f, "unmount {}", mount.target.display()),
            Self::Loop(device) => write!(f, "detach /dev/{}", device.name),
        }
    }
}

/// A layer of one snapshot, by its index in the snapshot's list of its kind. Of layers that can be removed at the same
/// time, the greatest goes first: a later kind before an earlier one, and the last mounted before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum LayerId {
    Mount(usize),
    Loop(usize),
}

/// All layers of one snapshot.
pub(super) struct Layers<'a> {
    snapshot: &'a MountSnapshot,
    tree: MountTree<'a>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(snapshot: &'a MountSnapshot) -> Self {
        let tree = MountTree::new(&snapshot.mounts);
        Self { snapshot, tree }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = LayerId> + use<> {
        // Without `..`, so that a snapshot with another list does not compile here.
        let MountSnapshot {
            mounts,
            loops,
            layers: _,
        } = self.snapshot;
        let mounts = (0..mounts.len()).map(LayerId::Mount);
        mounts.chain((0..loops.len()).map(LayerId::Loop))
    }

    pub(super) fn get(&self, id: LayerId) -> Layer<'a> {
        match id {
            LayerId::Mount(at) => Layer::Mount(&self.snapshot.mounts[at]),
            LayerId::Loop(at) => Layer::Loop(&self.snapshot.loops[at]),
        }
    }

    /// The layers that a layer rests on directly.
    pub(super) fn below(&self, id: LayerId) -> BTreeSet<LayerId> {
        match id {
            LayerId::Mount(at) => self.below_mount(at),
            LayerId::Loop(at) => self.below_loop(at),
        }
    }

    /// A mount rests on the mount that it lies in, on those that an overlay's directories lie in, and on the device that it
    /// is mounted from.
    fn below_mount(&self, at: usize) -> BTreeSet<LayerId> {
        let mount = &self.snapshot.mounts[at];
        let overlaid = self.snapshot.layers.get(&mount.id).into_iter().flatten();
        // An overlay may be mounted over its own lower directory, so its own mount does not count.
        let mounts = overlaid.filter_map(|directory| self.tree.lookup(directory, Some(at)));
        let mounts = mounts.chain(self.tree.parent(at)).map(LayerId::Mount);
        mounts
            .chain(self.loop_with(|node| node.carries(mount)))
            .collect()
    }

    /// A loop device rests on the mount that its file lies in, or on the loop device that is its file.
    fn below_loop(&self, at: usize) -> BTreeSet<LayerId> {
        let file = &self.snapshot.loops[at].file;
        let mount = self.tree.lookup(file, None).map(LayerId::Mount);
        mount
            .into_iter()
            .chain(self.loop_with(|node| node.is_at(file)))
            .collect()
    }

    fn loop_with(&self, matches: impl Fn(&BlockNode) -> bool) -> Option<LayerId> {
        let mut loops = self.snapshot.loops.iter();
        let at = loops.position(|device| device.nodes.iter().any(&matches))?;
        Some(LayerId::Loop(at))
    }

    /// Whether a layer rests directly on one of these block devices.
    pub(super) fn is_on(&self, id: LayerId, devices: &[BlockNode]) -> bool {
        devices.iter().any(|node| match self.get(id) {
            Layer::Mount(mount) => node.carries(mount),
            Layer::Loop(device) => node.is_at(&device.file),
        })
    }

    /// The mount point that hides a layer, if none of `removed` is mounted there. Only mounts are addressed by a path that
    /// another mount can hide.
    pub(super) fn hidden_below(
        &self,
        id: LayerId,
        removed: &BTreeSet<LayerId>,
    ) -> Option<&'a Path> {
        match id {
            LayerId::Mount(at) => self
                .tree
                .hidden_below(at, |other| removed.contains(&LayerId::Mount(other))),
            LayerId::Loop(_) => None,
        }
    }
}
