//! Every entry of fstab and what it stands on. Entries are named by their index in fstab.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::config::fstab::Images;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use crate::model::overlay_options;

pub(super) struct EntryGraph<'a> {
    fstab: &'a [FstabEntry],
    /// The first entry of each mount point.
    first: HashMap<&'a Path, usize>,
    source_images: Vec<Option<&'a ImageSpec>>,
    needs: Vec<BTreeSet<usize>>,
    needed_by: Vec<Vec<usize>>,
}

impl<'a> EntryGraph<'a> {
    pub(super) fn new(fstab: &'a [FstabEntry], images: &[&'a ImageSpec]) -> Self {
        let images = Images::new(images);
        let mut graph = Self {
            fstab,
            first: HashMap::new(),
            source_images: vec![None; fstab.len()],
            needs: Vec::with_capacity(fstab.len()),
            needed_by: vec![Vec::new(); fstab.len()],
        };
        for (at, entry) in fstab.iter().enumerate() {
            if is_mount(entry) {
                // Of two entries with one mount point, systemd-fstab-generator takes the first.
                graph.first.entry(&entry.target).or_insert(at);
                graph.source_images[at] = images.below(entry);
            }
        }
        for (at, entry) in fstab.iter().enumerate() {
            let needs = if is_mount(entry) {
                graph.find_needs(at)
            } else {
                BTreeSet::new()
            };
            for need in &needs {
                graph.needed_by[*need].push(at);
            }
            graph.needs.push(needs);
        }
        graph
    }

    fn find_needs(&self, at: usize) -> BTreeSet<usize> {
        let entry = &self.fstab[at];
        let sources = sources(entry);
        // Its own mount point is not among the ancestors; a source may be a mount point itself.
        let parents = entry.target.ancestors().skip(1);
        parents
            .chain(sources.iter().flat_map(|path| path.ancestors()))
            .filter_map(|path| self.first.get(path).copied())
            .filter(|need| *need != at)
            .collect()
    }

    pub(super) fn source_image(&self, at: usize) -> Option<&'a ImageSpec> {
        self.source_images[at]
    }

    /// The entries that an entry stands on directly.
    pub(super) fn needs(&self, at: usize) -> &BTreeSet<usize> {
        &self.needs[at]
    }

    /// Whether an earlier entry has the same mount point.
    pub(super) fn is_duplicate(&self, at: usize) -> bool {
        self.first.get(self.fstab[at].target.as_path()) != Some(&at)
    }

    /// Every entry that stands on an image, directly or through others.
    pub(super) fn on_images(&self) -> BTreeSet<usize> {
        let mut new: Vec<usize> = (0..self.fstab.len()).collect();
        new.retain(|at| self.source_images[*at].is_some());
        let mut reached = BTreeSet::new();
        while let Some(at) = new.pop() {
            if reached.insert(at) {
                new.extend(&self.needed_by[at]);
            }
        }
        reached
    }

    /// Orders some entries so that each comes after those that it needs; of those that can be next, the first in fstab is
    /// next. Leaves out entries in a circle of needs, and what needs those.
    pub(super) fn order(&self, entries: &BTreeSet<usize>) -> Vec<usize> {
        let mut missing: HashMap<usize, usize> = HashMap::new();
        for at in entries {
            // What stands on no image is left to systemd, which mounts it before.
            let count = self.needs[*at].intersection(entries).count();
            missing.insert(*at, count);
        }
        let mut ready = entries.clone();
        ready.retain(|at| missing[at] == 0);
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
}

/// Whether an entry is a mount below /: swap has no mount point, and / is mounted before this program can run.
fn is_mount(entry: &FstabEntry) -> bool {
    entry.fstype != "swap" && entry.target.is_absolute() && entry.target.parent().is_some()
}

/// The paths that an entry is mounted from.
fn sources(entry: &FstabEntry) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(&entry.source)];
    // Links of images are paths as well, but nobody mounts at their parent directories.
    paths.retain(|path| path.is_absolute() && !path.starts_with("/dev/rbd"));
    if entry.fstype == "overlay" {
        let options = entry.options.iter().map(String::as_str);
        paths.extend(overlay_options::directories(options));
    }
    paths
}
