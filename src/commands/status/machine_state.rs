//! What the kernel and systemd have at one moment.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use libmount::Mounted;

use super::state::{MissingMount, UnitFacts};
use crate::config::load::Configuration;
use crate::config::table::Entry;
use crate::diagnose::device_health::DeviceHealth;
use crate::engine::direct::blockers;
use crate::model::block_node::BlockNode;
use crate::model::holder::Holder;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::unit_name;
use crate::plan::{self, MapPlan, MountStep};
use crate::runtime::root::Root;
use crate::sys::journal::Journal;
use crate::sys::rbd::bus;
use crate::sys::systemd::{BriefState, Manager};
use crate::sys::{device, kmsg, mounts};

/// For finding the users of one image.
pub const HOLDER_SEARCH_TIMEOUT: Duration = Duration::from_secs(5);

/// For reading the journal.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The states by the names of the units.
type UnitStates = HashMap<String, BriefState>;

/// The machine beside the plan of what the configuration wants.
pub struct MachineState<'a> {
    /// What `map` would do on a machine where nothing is mapped.
    pub plan: MapPlan<'a>,
    /// What the kernel has mapped.
    pub mappings: Vec<Mapping>,
    /// Which devices the kernel has logged failed writes of.
    pub health: DeviceHealth,
    mounted: Vec<Mounted>,
    /// In bytes, by the numbers of the mappings.
    sizes: HashMap<u32, u64>,
    nodes: HashMap<u32, Vec<BlockNode>>,
    manager: Option<Manager>,
    /// Of the units that systemd has loaded. `None` if systemd is not running or does not answer.
    unit_states: Option<UnitStates>,
    journal: Journal,
}

impl<'a> MachineState<'a> {
    /// Reads it. Fails if the bus or the mounts cannot be read.
    pub fn read(root: &Root, config: &'a Configuration) -> Result<Self> {
        let plan = plan::map(&config.entries, &config.lines, &[]);
        let mappings = bus::list(root)?;
        let manager = connect(root);
        let unit_states = manager.as_ref().and_then(loaded_units);
        let mut sizes = HashMap::new();
        let mut nodes = HashMap::new();
        for mapping in &mappings {
            sizes.extend(device::size(root, &mapping.name()).map(|size| (mapping.id, size)));
            nodes.insert(mapping.id, device::nodes(root, &mapping.name()));
        }
        let mounted = mounts::list(root)?;
        let mut health = DeviceHealth::default();
        // The kernel log may be long, so it is read only if it can concern a mapping.
        if !mappings.is_empty() {
            health.update(&kmsg::KmsgReader::the_beginning(root).lines());
        }
        Ok(Self {
            plan,
            mappings,
            health,
            mounted,
            sizes,
            nodes,
            manager,
            unit_states,
            journal: Journal::new(root, JOURNAL_TIMEOUT),
        })
    }

    /// The mapping of an image. It may be mapped twice; the first one counts.
    pub fn mapping(&self, spec: &ImageSpec) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| mapping.spec == *spec)
    }

    /// The size of a mapping's disk in bytes, if the kernel has it.
    pub fn size(&self, mapping: &Mapping) -> Option<u64> {
        self.sizes.get(&mapping.id).copied()
    }

    /// The mount points that the configuration has on the image itself.
    pub fn wanted_targets(&self, spec: &ImageSpec) -> Vec<PathBuf> {
        let steps = self.steps_on(spec);
        steps.map(|step| step.entry.target.clone()).collect()
    }

    /// Whether anything is mounted on the path.
    pub fn is_mounted(&self, target: &Path) -> bool {
        self.mounted.iter().any(|mount| mount.target == target)
    }

    /// The mount points of the mapping's disk and partitions.
    pub fn mount_points(&self, mapping: &Mapping) -> Vec<PathBuf> {
        let nodes = self.nodes.get(&mapping.id).map_or(&[][..], Vec::as_slice);
        let mounts = self
            .mounted
            .iter()
            .filter(|mount| nodes.iter().any(|node| node.carries(mount)));
        mounts.map(|mount| mount.target.clone()).collect()
    }

    /// The first mount point where nothing is mounted, with the reason if its unit failed.
    pub fn missing_mount(&self, targets: &[PathBuf]) -> Option<MissingMount> {
        let target = targets.iter().find(|target| !self.is_mounted(target))?;
        let unit = unit_name::mount(target);
        let state = self.unit_states.as_ref().and_then(|units| units.get(&unit));
        let reason = if state.is_some_and(|state| state.active == "failed") {
            self.reason(&unit)
        } else {
            String::new()
        };
        Some(MissingMount {
            target: target.clone(),
            reason,
        })
    }

    /// The unit of an image that the configuration lists. `None` without systemd.
    pub fn unit(&self, entry: &Entry) -> Option<UnitFacts> {
        let states = self.unit_states.as_ref()?;
        let name = unit_name::instance(&entry.spec);
        // A unit that systemd has not loaded has never been started.
        let state = states
            .get(&name)
            .cloned()
            .unwrap_or_else(BriefState::inactive);
        let reason = if state.has_a_reason() {
            self.reason(&name)
        } else {
            String::new()
        };
        let is_deferred = states
            .get(unit_name::NOFAIL)
            .is_some_and(BriefState::is_active)
            && entry.is_nofail(self.steps_on(&entry.spec).map(|step| step.entry));
        Some(UnitFacts {
            name,
            active: state.active,
            reason,
            is_deferred,
        })
    }

    /// What uses a mapping or what is mounted on it. `None` if there is no such mapping or the search takes too long.
    pub fn holders(&self, root: &Root, id: u32) -> Option<Vec<Holder>> {
        let mapping = self.mappings.iter().find(|mapping| mapping.id == id)?;
        blockers::usage(root, mapping, HOLDER_SEARCH_TIMEOUT).holders
    }

    /// The last lines of the unit in the journal.
    pub fn journal_lines(&self, root: &Root, unit: &str) -> Vec<String> {
        if self.manager.is_none() {
            return Vec::new();
        }
        // Not `self.journal`: one time limit for all rows would leave none for the last ones.
        Journal::new(root, JOURNAL_TIMEOUT).lines(unit)
    }

    fn steps_on(&self, spec: &ImageSpec) -> impl Iterator<Item = &MountStep<'a>> {
        self.plan
            .mounts
            .iter()
            .filter(move |step| step.source_image == Some(spec))
    }

    fn reason(&self, unit: &str) -> String {
        self.manager
            .as_ref()
            .and_then(|manager| manager.failure_reason(unit, &self.journal).ok())
            .unwrap_or_default()
    }
}

/// Without systemd, status works all the same.
fn connect(root: &Root) -> Option<Manager> {
    if root.systemd().exists() {
        Manager::connect(root).ok()
    } else {
        None
    }
}

fn loaded_units(manager: &Manager) -> Option<UnitStates> {
    let patterns = [unit_name::ALL_INSTANCES, unit_name::NOFAIL, "*.mount"];
    manager.loaded_units(&patterns).ok()
}
