//! Which fstab entries stand on our images, by themselves or through one another, and in which order they can be mounted.
//!
//! An entry stands on an image when its source is the image's link or a partition's. It stands on another entry when its
//! mount point lies inside the other's, or when what it is made of does: the folder of a bind mount, the layers of an
//! overlay, the file behind a loop device. Paths are compared as text, component by component; symbolic links are the
//! caller's business. Swap and the root file system are left to others.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::config::fstab::Images;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use crate::model::overlay_options;

/// The entries that stand on images, in an order in which they can be mounted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FstabGraph<'a> {
    /// What a step needs comes before it; else fstab's order.
    pub steps: Vec<MountStep<'a>>,
    /// Entries that cannot be mounted as they are written.
    pub refused: Vec<RefusedEntry<'a>>,
}

/// One entry to mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountStep<'a> {
    /// The fstab entry.
    pub entry: &'a FstabEntry,
    /// The image that is its source, if one is.
    pub own: Option<&'a ImageSpec>,
    /// Every image that it needs, its own first, the others through what it stands on; never empty.
    pub images: Vec<&'a ImageSpec>,
    /// The steps, by their place in the list, that it must come after.
    pub after: Vec<usize>,
    /// Mount points that it needs and that this plan does not mount: they must be mounted already.
    pub elsewhere: Vec<&'a Path>,
}

/// An entry that cannot be mounted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEntry<'a> {
    /// The fstab entry.
    pub entry: &'a FstabEntry,
    /// The image that is its source, if one is.
    pub own: Option<&'a ImageSpec>,
    /// A sentence without its subject.
    pub why: String,
}

/// The closure of fstab over the images.
pub fn of<'a>(fstab: &'a [FstabEntry], images: &[&'a ImageSpec]) -> FstabGraph<'a> {
    let graph = EntryGraph::of(fstab, images);
    let (second, reached): (BTreeSet<usize>, BTreeSet<usize>) =
        graph.reached().iter().partition(|at| graph.is_second(**at));
    let order = graph.order(&reached);
    let place: HashMap<usize, usize> = order
        .iter()
        .enumerate()
        .map(|(place, at)| (*at, place))
        .collect();
    let mut closure = FstabGraph::default();
    for at in order {
        let after: Vec<usize> = graph.needs[at]
            .iter()
            .filter_map(|need| place.get(need).copied())
            .collect();
        let images = images_of(graph.own[at], &after, &closure.steps);
        let (entry, own) = (&fstab[at], graph.own[at]);
        closure.steps.push(MountStep {
            entry,
            own,
            images,
            after,
            elsewhere: Vec::new(),
        });
    }
    let circle: Vec<usize> = reached
        .into_iter()
        .filter(|at| !place.contains_key(at))
        .collect();
    let names: Vec<String> = circle
        .iter()
        .map(|at| fstab[*at].target.display().to_string())
        .collect();
    for at in second.iter().chain(&circle).copied() {
        let why = if second.contains(&at) {
            "a line above has the same mount point; remove one of them".to_owned()
        } else {
            format!(
                "it stands on itself, by way of these lines: {}",
                names.join(", ")
            )
        };
        closure.refused.push(RefusedEntry {
            entry: &fstab[at],
            own: graph.own[at],
            why,
        });
    }
    closure
}

impl<'a> FstabGraph<'a> {
    /// The part that concerns these images: entries on them, and entries that stand on nothing but them. What such an
    /// entry needs of other images is left for it to find mounted.
    pub fn only(self, wanted: &[&ImageSpec]) -> Self {
        let keeps = |step: &MountStep| match step.own {
            Some(own) => wanted.contains(&own),
            None => step.images.iter().all(|spec| wanted.contains(spec)),
        };
        let mut places: HashMap<usize, usize> = HashMap::new();
        let mut steps: Vec<MountStep> = Vec::new();
        for (at, step) in self
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| keeps(step))
        {
            let (here, gone): (Vec<usize>, Vec<usize>) = step
                .after
                .iter()
                .partition(|need| places.contains_key(need));
            places.insert(at, steps.len());
            steps.push(MountStep {
                after: here.iter().map(|need| places[need]).collect(),
                elsewhere: gone
                    .iter()
                    .map(|need| self.steps[*need].entry.target.as_path())
                    .collect(),
                ..step.clone()
            });
        }
        let refused = self
            .refused
            .into_iter()
            .filter(|line| line.own.is_some_and(|own| wanted.contains(&own)));
        FstabGraph {
            steps,
            refused: refused.collect(),
        }
    }
}

/// The entry's own image, then those of what it comes after, each once.
fn images_of<'a>(
    own: Option<&'a ImageSpec>,
    after: &[usize],
    steps: &[MountStep<'a>],
) -> Vec<&'a ImageSpec> {
    let mut images: Vec<&ImageSpec> = own.into_iter().collect();
    for spec in after.iter().flat_map(|need| &steps[*need].images) {
        if !images.contains(spec) {
            images.push(spec);
        }
    }
    images
}

/// Every entry of fstab with what it stands on.
struct EntryGraph<'a> {
    fstab: &'a [FstabEntry],
    /// The first entry of each mount point: of two, systemd takes the first as well.
    first: HashMap<&'a Path, usize>,
    own: Vec<Option<&'a ImageSpec>>,
    needs: Vec<BTreeSet<usize>>,
    /// The same the other way round.
    needed_by: Vec<Vec<usize>>,
}

impl<'a> EntryGraph<'a> {
    fn of(fstab: &'a [FstabEntry], images: &[&'a ImageSpec]) -> Self {
        let mut first = HashMap::new();
        for (at, entry) in fstab
            .iter()
            .enumerate()
            .filter(|(_, entry)| is_served(entry))
        {
            first.entry(entry.target.as_path()).or_insert(at);
        }
        let images = Images::new(images);
        let own = |entry: &FstabEntry| is_served(entry).then(|| images.below(entry)).flatten();
        let needs = |at: usize| -> BTreeSet<usize> {
            let made_of = ingredients(&fstab[at]);
            let inside_of = fstab[at]
                .target
                .ancestors()
                .skip(1)
                .chain(made_of.iter().flat_map(|path| path.ancestors()));
            inside_of
                .filter_map(|path| first.get(path).copied())
                .filter(|need| *need != at)
                .collect()
        };
        let own = fstab.iter().map(own).collect();
        let needs: Vec<BTreeSet<usize>> = (0..fstab.len()).map(needs).collect();
        let mut needed_by = vec![Vec::new(); fstab.len()];
        for (at, needs) in needs
            .iter()
            .enumerate()
            .filter(|(at, _)| is_served(&fstab[*at]))
        {
            needs.iter().for_each(|need| needed_by[*need].push(at));
        }
        Self {
            fstab,
            first,
            own,
            needs,
            needed_by,
        }
    }

    /// Entries on an image, those that need them, those that need these, and so on.
    fn reached(&self) -> BTreeSet<usize> {
        let mut new: Vec<usize> = (0..self.fstab.len())
            .filter(|at| self.own[*at].is_some())
            .collect();
        let mut reached = BTreeSet::new();
        while let Some(at) = new.pop() {
            if reached.insert(at) {
                new.extend(&self.needed_by[at]);
            }
        }
        reached
    }

    /// The entries in an order in which each comes after what it needs, of those that could come next always the first in
    /// fstab. Those that need themselves, and what needs these, are left out.
    fn order(&self, of: &BTreeSet<usize>) -> Vec<usize> {
        let missing = |at: &usize| {
            self.needs[*at]
                .iter()
                .filter(|need| of.contains(need))
                .count()
        };
        let mut missing: HashMap<usize, usize> = of.iter().map(|at| (*at, missing(at))).collect();
        let mut ready: BTreeSet<usize> = of.iter().copied().filter(|at| missing[at] == 0).collect();
        let mut order = Vec::new();
        while let Some(at) = ready.pop_first() {
            order.push(at);
            for next in &self.needed_by[at] {
                if let Some(count) = missing.get_mut(next) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(*next);
                    }
                }
            }
        }
        order
    }

    fn is_second(&self, at: usize) -> bool {
        self.first.get(self.fstab[at].target.as_path()) != Some(&at)
    }
}

/// Mount points below /: not swap, which has none, and not what was mounted before we could run.
fn is_served(entry: &FstabEntry) -> bool {
    entry.fstype != "swap" && entry.target.is_absolute() && entry.target.parent().is_some()
}

/// The paths that an entry is made of. Links of images are paths as well, but nobody mounts on what is above them.
fn ingredients(entry: &FstabEntry) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(&entry.source)];
    paths.retain(|path| path.is_absolute() && !path.starts_with("/dev/rbd"));
    if entry.fstype == "overlay" {
        paths.extend(overlay_options::directories(
            entry.options.iter().map(String::as_str),
        ));
    }
    paths
}
