//! One row: an image that the configuration lists, or that is mapped.

use std::collections::HashSet;
use std::path::PathBuf;

use super::machine_state::MachineState;
use super::state::{ImageFacts, MappedBy, State, UnitFacts};
use crate::config::table::Entry;
use crate::model::holder::Holder;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRow {
    /// The image.
    pub spec: ImageSpec,
    /// What the configuration and the machine add up to.
    pub state: State,
    /// Whether the table or the settings list it.
    pub is_wanted: bool,
    /// Who mapped it, if it is mapped.
    pub origin: Option<MappedBy>,
    /// `/dev/rbdN`.
    pub device: Option<String>,
    /// The N of `/dev/rbdN`.
    pub number: Option<u32>,
    /// In bytes.
    pub size: Option<u64>,
    /// Whether it is mapped read-only.
    pub read_only: Option<bool>,
    /// Where it or one of its partitions is mounted.
    pub mounts: Vec<PathBuf>,
    /// The unit that maps it, if systemd runs and the image is listed.
    pub unit: Option<UnitFacts>,
    /// Its users, if they were searched for and the search ended in time.
    pub holders: Option<Vec<Holder>>,
}

impl StatusRow {
    /// The mount points, for printing.
    pub fn mounts_as_text(&self) -> Vec<String> {
        let mounts = self.mounts.iter();
        mounts.map(|target| target.display().to_string()).collect()
    }
}

/// A row for each image that the configuration lists, and one for each other mapping.
pub fn rows(machine: &MachineState<'_>) -> Vec<StatusRow> {
    let mut rows = Vec::new();
    let mut listed = HashSet::new();
    for entry in &machine.plan.images {
        let mapping = machine.mapping(&entry.spec);
        listed.extend(mapping.map(|mapping| mapping.id));
        rows.push(listed_row(machine, entry, mapping));
    }
    for mapping in &machine.mappings {
        if !listed.contains(&mapping.id) {
            rows.push(unlisted_row(machine, mapping));
        }
    }
    rows
}

fn listed_row(machine: &MachineState<'_>, entry: &Entry, mapping: Option<&Mapping>) -> StatusRow {
    let targets = machine.wanted_targets(&entry.spec);
    let unit = machine.unit(entry);
    let facts = ImageFacts {
        is_wanted: true,
        mapping,
        write_error: mapping.and_then(|mapping| machine.health.get(mapping.id)),
        unit: unit.as_ref(),
        missing: machine.missing_mount(&targets),
        has_mounts: !targets.is_empty(),
    };
    StatusRow {
        // They may be mounted from another device, which is no reason to hide them.
        mounts: mounted(machine, mapping, targets),
        ..row_from_facts(machine, &entry.spec, &facts)
    }
}

fn unlisted_row(machine: &MachineState<'_>, mapping: &Mapping) -> StatusRow {
    let facts = ImageFacts {
        is_wanted: false,
        mapping: Some(mapping),
        write_error: machine.health.get(mapping.id),
        unit: None,
        missing: None,
        has_mounts: false,
    };
    StatusRow {
        mounts: mounted(machine, Some(mapping), Vec::new()),
        ..row_from_facts(machine, &mapping.spec, &facts)
    }
}

/// The mount points of the mapping, and those of the wanted ones where something is mounted.
fn mounted(
    machine: &MachineState<'_>,
    mapping: Option<&Mapping>,
    mut targets: Vec<PathBuf>,
) -> Vec<PathBuf> {
    targets.retain(|target| machine.is_mounted(target));
    if let Some(mapping) = mapping {
        targets.extend(machine.mount_points(mapping));
    }
    targets.sort();
    targets.dedup();
    targets
}

/// A row without its mounts.
fn row_from_facts(
    machine: &MachineState<'_>,
    spec: &ImageSpec,
    facts: &ImageFacts<'_>,
) -> StatusRow {
    let mapping = facts.mapping;
    StatusRow {
        spec: spec.clone(),
        state: facts.state(),
        is_wanted: facts.is_wanted,
        origin: mapping.map(MappedBy::from_tag),
        device: mapping.map(|mapping| format!("/dev/{}", mapping.name())),
        number: mapping.map(|mapping| mapping.id),
        size: mapping.and_then(|mapping| machine.size(mapping)),
        read_only: mapping.map(|mapping| mapping.read_only),
        mounts: Vec::new(),
        unit: facts.unit.cloned(),
        holders: None,
    }
}
