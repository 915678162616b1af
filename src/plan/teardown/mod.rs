//! What stands on a mapping at one moment, as the kernel reports it, and in which order it can be removed.
//!
//! On the devices stands what is mounted from them, at any mount point. On a mount stands what is mounted inside it, overlays
//! with a directory in it, loop devices with their file in it, and again what stands on these. The last mounted goes first.

mod layer;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use crate::model::block_node::BlockNode;
use crate::model::mount_snapshot::MountSnapshot;
pub use layer::Layer;
use layer::{LayerId, Layers};

/// One layer to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TeardownStep<'a> {
    /// The layer.
    pub layer: Layer<'a>,
    /// Nothing stands on it: it can be removed now.
    pub is_free: bool,
    /// The mount point of an unrelated mount that hides it: unmounting its path would hit that mount.
    pub hidden_below: Option<&'a Path>,
}

/// The layers of a snapshot and which stands on which.
pub struct MountStack<'a> {
    layers: Layers<'a>,
    below: HashMap<LayerId, BTreeSet<LayerId>>,
    above: HashMap<LayerId, Vec<LayerId>>,
}

impl<'a> MountStack<'a> {
    /// The stack of a snapshot.
    pub fn new(snapshot: &'a MountSnapshot) -> Self {
        // Made once for each snapshot and not for each mapping: at shutdown hundreds of mappings are removed together.
        let layers = Layers::new(snapshot);
        let mut below = HashMap::new();
        let mut above: HashMap<LayerId, Vec<LayerId>> = HashMap::new();
        for id in layers.ids() {
            let lower_layers = layers.below(id);
            for lower in &lower_layers {
                above.entry(*lower).or_default().push(id);
            }
            below.insert(id, lower_layers);
        }
        Self {
            layers,
            below,
            above,
        }
    }

    /// What stands on the block devices, in the order in which to remove it.
    pub fn standing_on(&self, devices: &[BlockNode]) -> Vec<TeardownStep<'a>> {
        let layers = self.all_on(devices);
        self.removal_order(&layers)
            .into_iter()
            .map(|id| TeardownStep {
                layer: self.layers.get(id),
                is_free: self.above(id).all(|upper| !layers.contains(upper)),
                hidden_below: self.layers.hidden_below(id, &layers),
            })
            .collect()
    }

    /// Every layer on the devices, directly or not.
    fn all_on(&self, devices: &[BlockNode]) -> BTreeSet<LayerId> {
        // What stands on a layer may come before it in mountinfo, so this follows the edges and not the list.
        let mut new: Vec<LayerId> = self.layers.ids().collect();
        new.retain(|id| self.layers.is_on(*id, devices));
        let mut all = BTreeSet::new();
        while let Some(id) = new.pop() {
            if all.insert(id) {
                new.extend(self.above(id));
            }
        }
        all
    }

    /// Each layer after all that stand on it.
    fn removal_order(&self, layers: &BTreeSet<LayerId>) -> Vec<LayerId> {
        let mut blockers: HashMap<LayerId, usize> = HashMap::new();
        for id in layers {
            let upper_layers = self.above(*id).filter(|upper| layers.contains(upper));
            blockers.insert(*id, upper_layers.count());
        }
        let mut ready = layers.clone();
        ready.retain(|id| blockers[id] == 0);
        let mut order = Vec::new();
        while let Some(id) = ready.pop_last() {
            order.push(id);
            for lower in &self.below[&id] {
                let Some(count) = blockers.get_mut(lower) else {
                    continue; // It is below the devices.
                };
                *count -= 1;
                if *count == 0 {
                    ready.insert(*lower);
                }
            }
        }
        // The kernel allows no circle. Should one appear all the same, its layers are listed as not free: nobody tries to
        // remove them, and the caller reports them when its time limit is reached.
        order.extend(layers.iter().filter(|id| blockers[id] > 0));
        order
    }

    fn above(&self, id: LayerId) -> impl Iterator<Item = &LayerId> {
        self.above.get(&id).into_iter().flatten()
    }
}
