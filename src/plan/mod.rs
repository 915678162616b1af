//! What is to be done, as plain data: decided here from what was read, carried out by either engine.
//!
//! Upward, images first, then mounts, each after what it stands on (`closure`). Downward, what the kernel says stands on
//! a mapping (`teardown`), then the mapping. Nothing here looks at the machine.

pub mod already_mounted; // what is mounted already
pub mod fstab_graph; // which fstab entries stand on our images, and in which order
pub mod mount_tree; // which mount a path lies in
pub mod reload; // what a changed table changes
pub mod teardown; // what stands on a mapping

use std::collections::HashSet;
use std::fmt;

use crate::config::table::Entry;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;
pub use fstab_graph::{MountStep, RefusedEntry};

/// What `map` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapPlan<'a> {
    /// Images to map, each once, in the table's order.
    pub images: Vec<&'a Entry>,
    /// What to mount on them, each after what it needs.
    pub mounts: Vec<MountStep<'a>>,
    /// Lines of fstab on them that cannot be mounted.
    pub refused: Vec<RefusedEntry<'a>>,
    /// Names that were asked for and are not in the table.
    pub unknown: Vec<ImageSpec>,
}

/// What one of `unmap`'s arguments names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An image: only mappings of ours.
    Image(ImageSpec),
    /// A device by its number: whoever mapped it.
    Device(u32),
}

/// What `unmap` does about each target.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UnmapPlan {
    /// Mappings to take down.
    pub mappings: Vec<Mapping>,
    /// Mappings of the names that were asked for which others made: left alone.
    pub foreign: Vec<Mapping>,
    /// Targets that are not mapped: nothing to do.
    pub absent: Vec<Target>,
}

/// Plans `map` of the whole table, or of the images that are named.
pub fn map<'a>(table: &'a [Entry], fstab: &'a [FstabEntry], named: &[ImageSpec]) -> MapPlan<'a> {
    let mut seen = HashSet::new();
    let all: Vec<&Entry> = table
        .iter()
        .filter(|entry| seen.insert(&entry.spec))
        .collect();
    let unknown = named
        .iter()
        .filter(|spec| !seen.contains(spec))
        .cloned()
        .collect();
    let specs: Vec<&ImageSpec> = all.iter().map(|entry| &entry.spec).collect();
    let closure = fstab_graph::of(fstab, &specs);
    let wanted = |spec: &ImageSpec| named.is_empty() || named.contains(spec);
    let specs: Vec<&ImageSpec> = specs.into_iter().filter(|spec| wanted(spec)).collect();
    let closure = if named.is_empty() {
        closure
    } else {
        closure.only(&specs)
    };
    let images = all
        .into_iter()
        .filter(|entry| wanted(&entry.spec))
        .collect();
    MapPlan {
        images,
        mounts: closure.steps,
        refused: closure.refused,
        unknown,
    }
}

/// Plans `unmap` of what is named, or without names of all that the table made.
pub fn unmap(mapped: &[Mapping], targets: &[Target]) -> UnmapPlan {
    let mut plan = UnmapPlan::default();
    if targets.is_empty() {
        plan.mappings.extend(
            mapped
                .iter()
                .filter(|mapping| mapping.has_origin(Origin::Table))
                .cloned(),
        );
    }
    for target in targets {
        let found: Vec<&Mapping> = mapped
            .iter()
            .filter(|mapping| target.names(mapping))
            .collect();
        if found.is_empty() {
            plan.absent.push(target.clone());
        }
        for mapping in found {
            let ours = mapping.tag.is_some() || matches!(target, Target::Device(_));
            let group = if ours {
                &mut plan.mappings
            } else {
                &mut plan.foreign
            };
            if !group.contains(mapping) {
                group.push(mapping.clone());
            }
        }
    }
    plan
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
            declared_in: crate::model::fstab_entry::FstabSource::Fstab,
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
    fn parents_are_mounted_before_what_is_inside_them_whatever_fstabs_order() {
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
    fn only_what_is_named_is_mapped_and_strangers_are_told() {
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
    fn without_names_only_what_the_table_made_is_unmapped() {
        let mapped = [
            mapping(0, "rbd/a", Some(Origin::Table)),
            mapping(1, "rbd/b", Some(Origin::Hand)),
            mapping(2, "rbd/c", None),
        ];
        assert_eq!(unmap(&mapped, &[]).mappings, mapped[..1]);
    }

    #[test]
    fn by_name_others_mappings_are_left_alone_and_by_device_they_are_not() {
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
