//! `rbdmap status`: what is wanted beside what there is, an image a row, with the reason where they differ.
//!
//! Everything is looked at once: the files, the bus, the mounts, and all units in one question to systemd; only of a unit that
//! is not up is its own reason asked for. `row` decides what an image's state is, `print` puts the rows on a terminal,
//! into a pipe or into JSON, with `holders` for who uses it, `detail` has all that there is of one image.
//!
//! Without root the kernel does not say who mapped an image, nor how; what is hidden is said to be.

mod detail;
mod holder_json;
mod print;
mod state;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::cli::StatusArguments;
use crate::config::load::Configuration;
use crate::config::table::Entry;
use crate::diagnose::device_health::DeviceHealth;
use crate::engine::direct::blockers;
use crate::model::block_node::BlockNode;
use crate::model::holder::Holder;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::unit_name;
use crate::plan::{self, MapPlan};
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::journal::Journal;
use crate::sys::rbd::bus;
use crate::sys::systemd::{BriefState, Manager};
use crate::sys::{device, kmsg, mounts};
use state::{ImageFacts, MappedBy, StatusRow, UnitFacts};

/// How long the journal, and looking for who uses an image, may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// Prints it. Clean if everything that is wanted is there.
pub fn run(root: &Root, arguments: &StatusArguments) -> Result<Report> {
    let inputs = Configuration::read(root);
    let mut report = Report::default();
    inputs
        .faults
        .iter()
        .filter(|fault| !fault.is_served)
        .for_each(|fault| report.failed(fault));
    let seen = MachineState::look(root, &inputs)?;
    let mut rows: Vec<StatusRow> = seen.rows();
    for name in &arguments.specs {
        if !rows.iter().any(|row| row.spec.to_string() == *name) {
            report.failed(format!("{name}: neither listed nor mapped"));
        }
    }
    rows.retain(|row| {
        arguments.specs.is_empty() || arguments.specs.contains(&row.spec.to_string())
    });
    // For each image the whole of /proc is read, so only where somebody asks for it.
    if !arguments.specs.is_empty() {
        rows.iter_mut()
            .for_each(|row| row.holders = seen.holders(root, row));
    }
    rows.sort_by_key(|row| {
        (
            !row.state.is_problem(),
            row.spec.to_string(),
            row.device.clone(),
        )
    });
    let problems = rows.iter().filter(|row| row.state.is_problem()).count();
    if arguments.json {
        println!("{}", print::json(&rows)?);
    } else if !arguments.specs.is_empty() {
        rows.iter()
            .for_each(|row| print!("{}", detail::of(root, row, &seen)));
    } else {
        print!("{}", print::table(&rows, print::Layout::of_stdout()));
    }
    report.add_failures(problems);
    Ok(report)
}

/// The machine at one moment.
struct MachineState<'a> {
    mappings: Vec<Mapping>,
    mounted: Vec<libmount::Mounted>,
    plan: MapPlan<'a>,
    /// Of the units that systemd has loaded, if it was there to ask.
    states: Option<HashMap<String, BriefState>>,
    manager: Option<Manager>,
    journal: Journal,
    sizes: HashMap<u32, u64>,
    nodes: HashMap<u32, Vec<BlockNode>>,
    harms: DeviceHealth,
}

impl<'a> MachineState<'a> {
    fn look(root: &Root, inputs: &'a Configuration) -> Result<Self> {
        let plan = plan::map(&inputs.entries, &inputs.lines, &[]);
        let mappings = bus::list(root)?;
        let manager = root
            .systemd()
            .exists()
            .then(|| Manager::connect(root).ok())
            .flatten();
        let states = manager.as_ref().and_then(|manager| {
            manager
                .loaded_units(&[unit_name::ALL_INSTANCES, unit_name::NOFAIL, "*.mount"])
                .ok()
        });
        let sizes = mappings
            .iter()
            .filter_map(|m| Some((m.id, device::size(root, &m.name())?)))
            .collect();
        let nodes = mappings
            .iter()
            .map(|mapping| (mapping.id, device::nodes(root, &mapping.name())))
            .collect();
        let mounted = mounts::list(root)?;
        let mut harms = DeviceHealth::default();
        if !mappings.is_empty() {
            harms.update(&kmsg::KmsgReader::the_beginning(root).lines());
        }
        let journal = Journal::new(root, LOOK_LIMIT);
        Ok(Self {
            mappings,
            mounted,
            plan,
            states,
            manager,
            journal,
            sizes,
            nodes,
            harms,
        })
    }

    /// A row for each image that is listed, and one for each other mapping.
    fn rows(&self) -> Vec<StatusRow> {
        let mut rows: Vec<StatusRow> = self
            .plan
            .images
            .iter()
            .map(|entry| {
                self.row(
                    &entry.spec,
                    self.mappings.iter().find(|m| m.spec == entry.spec),
                    Some(entry),
                )
            })
            .collect();
        let shown: HashSet<u32> = rows.iter().filter_map(|row| row.number).collect();
        let others = self
            .mappings
            .iter()
            .filter(|mapping| !shown.contains(&mapping.id));
        rows.extend(others.map(|mapping| self.row(&mapping.spec, Some(mapping), None)));
        rows
    }

    fn row(&self, spec: &ImageSpec, mapping: Option<&Mapping>, entry: Option<&Entry>) -> StatusRow {
        let is_wanted = entry.is_some();
        let wanted: Vec<PathBuf> = if is_wanted {
            self.wanted_targets(spec)
        } else {
            Vec::new()
        };
        let instance = unit_name::instance(spec);
        let unit = self.states.as_ref().zip(entry).map(|(states, entry)| {
            let state = states
                .get(&instance)
                .cloned()
                .unwrap_or_else(BriefState::inactive);
            let reason = if state.has_a_reason() {
                self.reason(&instance)
            } else {
                String::new()
            };
            UnitFacts {
                active: state.active,
                reason,
                is_aside: self.is_aside(states, entry),
            }
        });
        let is_mounted =
            |target: &PathBuf| self.mounted.iter().any(|mount| mount.target == *target);
        let missing = wanted
            .iter()
            .find(|target| !is_mounted(target))
            .map(|target| {
                let name = unit_name::mount(target);
                let state = self.states.as_ref().and_then(|states| states.get(&name));
                let is_failed = state.is_some_and(|state| state.active == "failed");
                let reason = if is_failed {
                    self.reason(&name)
                } else {
                    String::new()
                };
                (target.clone(), reason)
            });
        let mut mounts = mapping.map_or_else(Vec::new, |mapping| self.mounted_from(mapping));
        mounts.extend(wanted.iter().filter(|target| is_mounted(target)).cloned());
        mounts.sort();
        mounts.dedup();
        let harm = mapping.and_then(|mapping| self.harms.get(mapping.id));
        let facts = ImageFacts {
            is_wanted,
            mapping,
            harm,
            unit: unit.as_ref(),
            missing,
            has_mounts: !wanted.is_empty(),
        };
        StatusRow {
            spec: spec.clone(),
            state: facts.state(),
            is_wanted,
            origin: mapping.map(MappedBy::of),
            device: mapping.map(|mapping| format!("/dev/{}", mapping.name())),
            number: mapping.map(|mapping| mapping.id),
            size: mapping.and_then(|mapping| self.sizes.get(&mapping.id).copied()),
            read_only: mapping.map(|mapping| mapping.read_only),
            mounts,
            unit: unit.map(|unit| (instance, unit.active)),
            holders: None,
        }
    }

    /// Whether rbdmap-nofail.service has its unit started yet.
    fn is_aside(&self, states: &HashMap<String, BriefState>, entry: &Entry) -> bool {
        let steps = self
            .plan
            .mounts
            .iter()
            .filter(|step| step.own == Some(&entry.spec));
        states
            .get(unit_name::NOFAIL)
            .is_some_and(BriefState::is_active)
            && entry.is_nofail(steps.map(|step| step.entry))
    }

    /// Who uses a row's image, or what is mounted on it; `None` where it is not mapped, or that takes too long.
    fn holders(&self, root: &Root, row: &StatusRow) -> Option<Vec<Holder>> {
        let mapping = self
            .mappings
            .iter()
            .find(|mapping| Some(mapping.id) == row.number)?;
        blockers::usage(root, mapping, LOOK_LIMIT).holders
    }

    /// The mount points of fstab on the image itself, as far as systemd or we would mount them.
    fn wanted_targets(&self, spec: &ImageSpec) -> Vec<PathBuf> {
        let steps = self
            .plan
            .mounts
            .iter()
            .filter(|step| step.own == Some(spec));
        steps.map(|step| step.entry.target.clone()).collect()
    }

    fn mounted_from(&self, mapping: &Mapping) -> Vec<PathBuf> {
        let nodes = self.nodes.get(&mapping.id).map_or(&[][..], Vec::as_slice);
        let mounts = self
            .mounted
            .iter()
            .filter(|mount| nodes.iter().any(|node| node.carries(mount)));
        mounts.map(|mount| mount.target.clone()).collect()
    }

    fn reason(&self, unit: &str) -> String {
        self.manager
            .as_ref()
            .and_then(|manager| manager.failure_reason(unit, &self.journal).ok())
            .unwrap_or_default()
    }
}
