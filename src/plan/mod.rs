//! Plans as plain data: made here from what was read, carried out by either engine. Nothing here accesses the machine.
//!
//! To map: the images first, then the mounts, each after what it stands on (`fstab_graph`). To unmap: first what stands on a
//! mapping according to the kernel (`teardown`), then the mapping.

pub mod already_mounted; // whether an entry is mounted already
pub mod fstab_graph; // which fstab entries stand on our images, and in which order
pub mod mount_tree; // which mount a path lies in
pub mod reload; // what changes when the table has changed
pub mod teardown; // what stands on a mapping, and in which order it is removed

use std::collections::HashSet;
use std::fmt;

use crate::config::table::Entry;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;
use fstab_graph::FstabGraph;
pub use fstab_graph::{MountStep, RefusedEntry};

/// What `map` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapPlan<'a> {
    /// Images to map, each once, in the order of the table.
    pub images: Vec<&'a Entry>,
    /// What to mount on them, each after what it needs.
    pub mounts: Vec<MountStep<'a>>,
    /// fstab entries on them that cannot be mounted.
    pub refused: Vec<RefusedEntry<'a>>,
    /// Named images that are not in the table.
    pub unknown: Vec<ImageSpec>,
}

/// An argument of `unmap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An image: its mappings that carry our tag.
    Image(ImageSpec),
    /// A device by its number: its mapping, whoever made it.
    Device(u32),
}

/// What `unmap` does.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UnmapPlan {
    /// Mappings to remove.
    pub mappings: Vec<Mapping>,
    /// Mappings of named images that others made: they stay mapped.
    pub foreign: Vec<Mapping>,
    /// Targets that are not mapped: nothing to do.
    pub absent: Vec<Target>,
}

/// Plans `map` of the whole table, or of the named images.
pub fn map<'a>(table: &'a [Entry], fstab: &'a [FstabEntry], named: &[ImageSpec]) -> MapPlan<'a> {
    let mut listed = HashSet::new();
    let mut images: Vec<&Entry> = table.iter().collect();
    images.retain(|entry| listed.insert(&entry.spec));
    // The graph has all images, because an entry on a named image may need one that is not named.
    let mut graph = FstabGraph::new(fstab, &specs(&images));
    if !named.is_empty() {
        images.retain(|entry| named.contains(&entry.spec));
        graph = graph.only(&specs(&images));
    }
    let unknown = named.iter().filter(|spec| !listed.contains(spec));
    MapPlan {
        images,
        mounts: graph.steps,
        refused: graph.refused,
        unknown: unknown.cloned().collect(),
    }
}

fn specs<'a>(entries: &[&'a Entry]) -> Vec<&'a ImageSpec> {
    entries.iter().map(|entry| &entry.spec).collect()
}

/// Plans `unmap` of the targets, or without targets of all mappings that the table made.
pub fn unmap(mapped: &[Mapping], targets: &[Target]) -> UnmapPlan {
    let mut plan = UnmapPlan::default();
    if targets.is_empty() {
        // Mappings that were made by hand stay: whoever made them unmaps them.
        plan.mappings = mapped.to_vec();
        plan.mappings
            .retain(|mapping| mapping.has_origin(Origin::Table));
    }
    for target in targets {
        plan.add_target(target, mapped);
    }
    plan
}

impl UnmapPlan {
    fn add_target(&mut self, target: &Target, mapped: &[Mapping]) {
        let mut is_absent = true;
        for mapping in mapped.iter().filter(|mapping| target.names(mapping)) {
            is_absent = false;
            // A name may mean another program's mapping of the same image. A device is exactly one mapping.
            let may_unmap = mapping.tag.is_some() || matches!(target, Target::Device(_));
            let mappings = if may_unmap {
                &mut self.mappings
            } else {
                &mut self.foreign
            };
            // Two targets may name the same mapping, one by image and one by device.
            if !mappings.contains(mapping) {
                mappings.push(mapping.clone());
            }
        }
        if is_absent {
            self.absent.push(target.clone());
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(spec) => write!(f, "{spec}"),
            Self::Device(id) => write!(f, "/dev/rbd{id}"),
        }
    }
}

impl Target {
    fn names(&self, mapping: &Mapping) -> bool {
        match self {
            Self::Image(spec) => mapping.spec == *spec,
            Self::Device(id) => mapping.id == *id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;
    use crate::model::fstab_entry::FstabSource;
    use crate::model::owner_tag::OwnerTag;
    use std::path::Path;

    fn entries(text: &str) -> Vec<Entry> {
        table::parse(Path::new("t"), text).0
    }

    fn line(source: &str, target: &str) -> FstabEntry {
        FstabEntry {
            source: source.into(),
            target: target.into(),
            fstype: "xfs".into(),
            options: vec!["noauto".into()],
            pass: 0,
            path: "/etc/fstab".into(),
            declared_in: FstabSource::Fstab,
        }
    }

    fn mapping(id: u32, spec: &str, origin: Option<Origin>) -> Mapping {
        let tag = origin.map(|origin| OwnerTag::new(origin, [0; 8]));
        Mapping {
            id,
            spec: spec.parse().unwrap(),
            fsid: String::new(),
            read_only: false,
            tag,
            number: (252, id * 16),
        }
    }

    #[test]
    fn an_outer_mount_comes_before_an_inner_one_in_any_order_of_fstab() {
        let table = entries("rbd/inner\nrbd/outer\n");
        let fstab = [
            line("/dev/rbd/rbd/inner", "/srv/x/y"),
            line("/dev/rbd/rbd/outer", "/srv/x"),
            line("/dev/sda1", "/"),
        ];
        let plan = map(&table, &fstab, &[]);
        let targets: Vec<_> = plan
            .mounts
            .iter()
            .map(|step| step.entry.target.to_str().unwrap())
            .collect();
        assert_eq!(targets, ["/srv/x", "/srv/x/y"]);
    }

    #[test]
    fn an_image_that_the_table_names_twice_is_mapped_once() {
        assert_eq!(
            map(&entries("rbd/a id=x\nrbd/a id=y\n"), &[], &[])
                .images
                .len(),
            1
        );
    }

    #[test]
    fn only_named_images_are_mapped_and_unknown_names_are_reported() {
        let table = entries("rbd/a\nrbd/b\n");
        let names: Vec<ImageSpec> = vec!["rbd/b".parse().unwrap(), "rbd/c".parse().unwrap()];
        let plan = map(&table, &[], &names);
        assert_eq!(
            plan.images
                .iter()
                .map(|entry| entry.spec.image.as_str())
                .collect::<Vec<_>>(),
            ["b"]
        );
        assert_eq!(plan.unknown, names[1..]);
    }

    #[test]
    fn without_targets_only_mappings_of_the_table_are_unmapped() {
        let mapped = [
            mapping(0, "rbd/a", Some(Origin::Table)),
            mapping(1, "rbd/b", Some(Origin::Hand)),
            mapping(2, "rbd/c", None),
        ];
        assert_eq!(unmap(&mapped, &[]).mappings, mapped[..1]);
    }

    #[test]
    fn mappings_of_others_are_unmapped_by_device_and_not_by_name() {
        let mapped = [mapping(0, "rbd/a", None)];
        let by_name = unmap(&mapped, &[Target::Image("rbd/a".parse().unwrap())]);
        assert_eq!((by_name.mappings.len(), by_name.foreign.len()), (0, 1));
        assert_eq!(unmap(&mapped, &[Target::Device(0)]).mappings.len(), 1);
        assert_eq!(
            unmap(&mapped, &[Target::Device(7)]).absent,
            [Target::Device(7)]
        );
    }
}
