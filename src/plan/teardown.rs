//! What stands on a mapping at one moment, from what the kernel says, and in which order it can be taken away.
//!
//! On the devices: what is mounted from them, wherever. On a mount: what is mounted inside it, overlays with a layer in
//! it, loop devices with their file in it, and again what stands on these. What was mounted last goes first.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::Path;

use libmount::Mounted;

use super::mount_tree::MountTree;
use crate::model::block_node::BlockNode;
use crate::model::mount_snapshot::{LoopDevice, MountSnapshot};

/// Something that stands on a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer<'a> {
    /// To be unmounted.
    Mount(&'a Mounted),
    /// To be given back.
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

/// One thing to take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TeardownStep<'a> {
    /// Which.
    pub thing: Layer<'a>,
    /// Nothing stands on it: it can be taken away now.
    pub free: bool,
    /// The mount point of a stranger that hides it: unmounting its path would hit another mount.
    pub hidden_below: Option<&'a Path>,
}

/// What there was at one moment, and what stood on what. Mounts are meant by their place in the list, loop devices by
/// theirs after the last mount.
pub struct MountStack<'a> {
    seen: &'a MountSnapshot,
    tree: MountTree<'a>,
    above: HashMap<usize, Vec<usize>>,
}

impl<'a> MountStack<'a> {
    /// The picture of what was seen.
    pub fn of(seen: &'a MountSnapshot) -> Self {
        let tree = MountTree::of(&seen.mounts);
        let count = seen.mounts.len();
        let mut above: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut stands = |upper: usize, lower: Option<usize>| {
            let above = lower.map(|lower| above.entry(lower).or_default());
            // An overlay may have many layers in one mount.
            if let Some(above) = above.filter(|above| above.last() != Some(&upper)) {
                above.push(upper);
            }
        };
        for (at, mount) in seen.mounts.iter().enumerate() {
            stands(at, tree.parent(at));
            let layers = seen.layers.get(&mount.id).into_iter().flatten();
            layers.for_each(|folder| stands(at, tree.lookup(folder, Some(at))));
            let below = seen
                .loops
                .iter()
                .position(|device| device.nodes.iter().any(|node| node.carries(mount)));
            stands(at, below.map(|below| count + below));
        }
        for (at, device) in seen.loops.iter().enumerate() {
            stands(count + at, tree.lookup(&device.file, None));
            let below = seen
                .loops
                .iter()
                .position(|other| other.nodes.iter().any(|node| node.is_at(&device.file)));
            stands(count + at, below.map(|below| count + below));
        }
        Self { seen, tree, above }
    }

    /// What stands on the block devices, in the order in which to take it away.
    pub fn standing_on(&self, devices: &[BlockNode]) -> Vec<TeardownStep<'a>> {
        let all = self.all_on(devices);
        let above = |at: usize| {
            self.above
                .get(&at)
                .into_iter()
                .flatten()
                .filter(|upper| all.contains(upper))
        };
        let mut missing: HashMap<usize, usize> =
            all.iter().map(|at| (*at, above(*at).count())).collect();
        let is_free = |at: usize| above(at).next().is_none();
        let mut ready: BTreeSet<usize> = all.iter().copied().filter(|at| is_free(*at)).collect();
        let mut order = Vec::new();
        while let Some(at) = ready.pop_last() {
            order.push(at);
            for lower in all.iter().filter(|lower| {
                self.above
                    .get(lower)
                    .is_some_and(|above| above.contains(&at))
            }) {
                let count = missing.entry(*lower).or_default();
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ready.insert(*lower);
                }
            }
        }
        // What stands on itself cannot be. If it is, it is not free, and nobody hangs.
        let circle: Vec<usize> = all
            .iter()
            .copied()
            .filter(|at| !order.contains(at))
            .collect();
        let step = |at| TeardownStep {
            thing: self.thing(at),
            free: is_free(at),
            hidden_below: self.hidden(at, &all),
        };
        order.into_iter().chain(circle).map(step).collect()
    }

    /// Everything on the devices, directly or not.
    fn all_on(&self, devices: &[BlockNode]) -> BTreeSet<usize> {
        let is_on_them = |at: &usize| match self.thing(*at) {
            Layer::Mount(mount) => devices.iter().any(|node| node.carries(mount)),
            Layer::Loop(device) => devices.iter().any(|node| node.is_at(&device.file)),
        };
        let count = self.seen.mounts.len() + self.seen.loops.len();
        let mut new: Vec<usize> = (0..count).filter(is_on_them).collect();
        let mut all = BTreeSet::new();
        while let Some(at) = new.pop() {
            if all.insert(at) {
                new.extend(self.above.get(&at).into_iter().flatten());
            }
        }
        all
    }

    fn thing(&self, at: usize) -> Layer<'a> {
        match self.seen.mounts.get(at) {
            Some(mount) => Layer::Mount(mount),
            None => Layer::Loop(&self.seen.loops[at - self.seen.mounts.len()]),
        }
    }

    fn hidden(&self, at: usize, all: &BTreeSet<usize>) -> Option<&'a Path> {
        (at < self.seen.mounts.len())
            .then(|| self.tree.hidden_below(at, |other| all.contains(&other)))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::overlay_options;
    use crate::plan::mount_tree::tests::mounts;
    use std::path::PathBuf;

    const DISK: &[(&str, (u32, u32))] = &[("rbd0", (252, 0)), ("rbd0p1", (252, 1))];

    fn nodes(list: &[(&str, (u32, u32))]) -> Vec<BlockNode> {
        list.iter()
            .map(|(name, number)| BlockNode {
                name: (*name).into(),
                number: *number,
                partition: None,
            })
            .collect()
    }

    fn seen(text: &str, loops: &[(&str, u32, &str)]) -> MountSnapshot {
        let mounts = mounts(text);
        let layers = mounts.iter().filter(|mount| mount.fstype == "overlay");
        let layers = layers
            .map(|mount| {
                (
                    mount.id,
                    overlay_options::folders(mount.fs_options.split(',')),
                )
            })
            .collect();
        let loops = loops.iter().map(|(name, minor, file)| LoopDevice {
            name: (*name).into(),
            nodes: nodes(&[(name, (7, *minor))]),
            file: PathBuf::from(file),
        });
        MountSnapshot {
            loops: loops.collect(),
            layers,
            mounts,
        }
    }

    /// The targets in order; `*` marks those that can go at once.
    fn order(seen: &MountSnapshot) -> Vec<String> {
        let name = |step: &TeardownStep| {
            let name = match step.thing {
                Layer::Mount(mount) => mount.target.display().to_string(),
                Layer::Loop(device) => device.name.clone(),
            };
            format!("{name}{}", if step.free { "*" } else { "" })
        };
        MountStack::of(seen)
            .standing_on(&nodes(DISK))
            .iter()
            .map(name)
            .collect()
    }

    #[test]
    fn all_mounts_of_disk_and_partitions_go_last_mounted_first() {
        let seen = seen(
            "20 1 8:1 /\n21 20 252:0 /a\n22 20 8:2 /other\n23 20 252:1 /with_space\n24 22 252:0 /other/by_hand xfs rw /dev/rbd0 /sub",
            &[],
        );
        assert_eq!(order(&seen), ["/other/by hand*", "/with space*", "/a*"]);
    }

    #[test]
    fn what_is_mounted_inside_goes_first_even_if_mountinfo_lists_it_first() {
        // A moved mount keeps its place in the list.
        let seen = seen(
            "19 21 8:2 /a/moved\n20 1 8:1 /\n21 20 252:0 /a\n22 21 0:40 /a/t tmpfs\n23 22 8:3 /a/t/u",
            &[],
        );
        assert_eq!(
            order(&seen),
            ["/a/t/u*", "/a/t", "/a/moved*", "/a"].map(str::to_owned)
        );
    }

    #[test]
    fn mounts_upon_the_same_mount_point_go_from_the_top() {
        let seen = seen(
            "20 1 8:1 /\n21 20 252:0 /a\n22 21 0:40 /a tmpfs\n23 22 252:0 /a",
            &[],
        );
        assert_eq!(order(&seen), ["/a*", "/a", "/a"]);
    }

    #[test]
    fn overlays_and_their_binds_go_before_any_of_their_layers() {
        let options = "rw,lowerdir=/ro/root,upperdir=/up/u,workdir=/up/w";
        let seen = seen(
            &format!(
                "20 1 8:1 /\n21 20 252:0 /ro\n22 20 8:7 /up\n23 20 0:50 /m overlay {options}\n24 20 0:50 /b overlay {options}\n\
                 25 20 0:51 /no overlay lowerdir=/up/a:/up/b"
            ),
            &[],
        );
        assert_eq!(order(&seen), ["/b*", "/m*", "/ro"]);
    }

    #[test]
    fn an_overlay_upon_its_own_lower_layer_stands_on_it() {
        let seen = seen(
            "20 1 8:1 /\n21 20 252:0 /a\n22 21 0:50 /a overlay lowerdir=/a,upperdir=/u,workdir=/w",
            &[],
        );
        assert_eq!(order(&seen), ["/a*", "/a"]);
    }

    #[test]
    fn loop_devices_are_given_back_between_their_mounts_and_the_mount_of_their_file() {
        let mounts =
            "20 1 8:1 /\n21 20 7:3 /img ext4 rw /dev/loop3\n22 20 252:1 /s\n23 21 7:5 /img/inner";
        let loops = [
            ("loop3", 3, "/s/x.img"),
            ("loop4", 4, "/elsewhere.img"),
            ("loop5", 5, "/img/y.img"),
        ];
        assert_eq!(
            order(&seen(mounts, &loops)),
            ["/img/inner*", "loop5", "/img", "loop3", "/s"]
        );
        assert_eq!(
            order(&seen("20 1 8:1 /", &[("loop0", 0, "/dev/rbd0p1")])),
            ["loop0*"]
        );
    }

    #[test]
    fn a_btrfs_is_found_by_its_source_for_its_number_is_no_device() {
        let seen = seen(
            "20 1 8:1 /\n21 20 0:44 /a btrfs rw /dev/rbd0 /@home\n22 20 0:45 /c btrfs rw /dev/rbd01 /",
            &[],
        );
        assert_eq!(order(&seen), ["/a*"]);
    }

    #[test]
    fn what_a_stranger_hides_is_told() {
        let seen = seen(
            "20 1 8:1 /\n21 20 252:0 /s/a\n22 20 8:2 /s\n23 22 8:3 /s/a",
            &[],
        );
        let picture = MountStack::of(&seen);
        let steps = picture.standing_on(&nodes(DISK));
        assert_eq!(
            (steps.len(), steps[0].hidden_below),
            (1, Some(Path::new("/s")))
        );
    }

    #[test]
    fn hundreds_of_containers_take_no_time() {
        let mut text = "20 1 8:1 /\n21 20 252:0 /d\n".to_owned();
        for id in 100..1000 {
            let layers: Vec<String> = (0..20).map(|layer| format!("/d/l{layer}")).collect();
            text += &format!(
                "{id} 21 0:{id} /d/m{id} overlay lowerdir={},upperdir=/d/u{id}\n",
                layers.join(":")
            );
        }
        let seen = seen(&text, &[]);
        assert_eq!(MountStack::of(&seen).standing_on(&nodes(DISK)).len(), 901);
    }
}
