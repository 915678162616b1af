//! Which fstab entries stand on our images, by themselves or through other entries, and in which order they can be mounted.
//!
//! An entry stands on an image when its source is the image's link or that of a partition. It stands on another entry when
//! its mount point lies inside the other's, or when one of its sources does: the directory of a bind mount, the directories
//! of an overlay, the file behind a loop device. Paths are compared as text, component by component; the caller resolves
//! symbolic links. Swap and the root file system are not covered.

mod entry_graph;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use entry_graph::EntryGraph;

/// The entries that stand on images.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FstabGraph<'a> {
    /// What to mount: each step after those that it needs, otherwise in the order of fstab.
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
    pub source_image: Option<&'a ImageSpec>,
    /// Every image that it needs: its source first, then those of the entries that it stands on. Never empty.
    pub images: Vec<&'a ImageSpec>,
    /// The steps that must be done before it, as indexes into [`FstabGraph::steps`].
    pub after: Vec<usize>,
    /// Mount points that it needs and that this plan does not mount: they must be mounted already.
    pub elsewhere: Vec<&'a Path>,
}

/// An entry that cannot be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEntry<'a> {
    /// The fstab entry.
    pub entry: &'a FstabEntry,
    /// The image that is its source, if one is.
    pub source_image: Option<&'a ImageSpec>,
    /// The reason and the remedy, to be appended to the name of the entry.
    pub why: String,
}

impl<'a> FstabGraph<'a> {
    /// Finds and orders the entries that stand on these images.
    pub fn new(fstab: &'a [FstabEntry], images: &[&'a ImageSpec]) -> Self {
        let entries = EntryGraph::new(fstab, images);
        let (duplicates, mut left): (BTreeSet<usize>, BTreeSet<usize>) = entries
            .on_images()
            .iter()
            .partition(|at| entries.is_duplicate(**at));
        let mut graph = Self::default();
        let mut steps: HashMap<usize, usize> = HashMap::new();
        for at in entries.order(&left) {
            let needs = entries.needs(at).iter();
            let after = needs.filter_map(|need| steps.get(need).copied()).collect();
            steps.insert(at, graph.steps.len());
            left.remove(&at);
            graph.add_step(&fstab[at], entries.source_image(at), after);
        }
        for at in duplicates {
            let why = "an earlier line has the same mount point; remove one of the two lines";
            graph.refuse(&fstab[at], entries.source_image(at), why.to_owned());
        }
        // An entry that has no place in the order needs itself, directly or through others.
        let circle: Vec<&FstabEntry> = left.iter().map(|at| &fstab[*at]).collect();
        for at in &left {
            let (entry, source_image) = (&fstab[*at], entries.source_image(*at));
            graph.refuse(entry, source_image, circular_dependency(&circle));
        }
        graph
    }

    fn add_step(
        &mut self,
        entry: &'a FstabEntry,
        source_image: Option<&'a ImageSpec>,
        after: Vec<usize>,
    ) {
        let mut images: Vec<&ImageSpec> = source_image.into_iter().collect();
        for spec in after.iter().flat_map(|need| &self.steps[*need].images) {
            if !images.contains(spec) {
                images.push(spec);
            }
        }
        self.steps.push(MountStep {
            entry,
            source_image,
            images,
            after,
            elsewhere: Vec::new(),
        });
    }

    fn refuse(&mut self, entry: &'a FstabEntry, source_image: Option<&'a ImageSpec>, why: String) {
        self.refused.push(RefusedEntry {
            entry,
            source_image,
            why,
        });
    }

    /// Keeps the entries whose source is one of these images, and the entries that stand on no other image. If a kept entry
    /// also needs another image's mount, the caller must find it mounted.
    pub fn only(mut self, wanted: &[&ImageSpec]) -> Self {
        let mut kept: HashMap<usize, usize> = HashMap::new();
        let mut steps: Vec<MountStep> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            if !step.concerns_only(wanted) {
                continue;
            }
            let mut step = step.clone();
            for need in std::mem::take(&mut step.after) {
                match kept.get(&need) {
                    Some(new) => step.after.push(*new),
                    None => step.elsewhere.push(&self.steps[need].entry.target),
                }
            }
            kept.insert(at, steps.len());
            steps.push(step);
        }
        // An entry that has no image of its own is reported only for the whole table.
        self.refused
            .retain(|line| line.source_image.is_some_and(|spec| wanted.contains(&spec)));
        Self { steps, ..self }
    }
}

impl MountStep<'_> {
    fn concerns_only(&self, images: &[&ImageSpec]) -> bool {
        match self.source_image {
            Some(image) => images.contains(&image),
            None => self.images.iter().all(|image| images.contains(image)),
        }
    }
}

fn circular_dependency(entries: &[&FstabEntry]) -> String {
    let targets = entries
        .iter()
        .map(|entry| entry.target.display().to_string());
    let targets = targets.collect::<Vec<String>>().join(", ");
    format!(
        "these mounts need each other in a circle: {targets}; change their sources or mount points"
    )
}
