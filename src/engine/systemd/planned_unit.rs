//! The units that a plan to map needs: the instance of each image, the mount unit of each fstab entry, and the units of hooks.

use std::collections::HashMap;
use std::path::Path;

use super::job_progress::WatchedUnit;
use crate::engine::hook;
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::plan::MapPlan;
use crate::report::event::Event;
use crate::runtime::root::Root;

/// What a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind<'a> {
    /// It maps an image.
    Instance,
    /// It mounts something at this mount point.
    Mount(&'a Path),
    /// It runs a hook.
    Hook,
}

/// One unit of the plan.
#[derive(Debug, Clone, Copy)]
pub struct PlannedUnit<'a> {
    /// The image that reports about the unit name.
    pub spec: &'a ImageSpec,
    /// What the unit does.
    pub kind: UnitKind<'a>,
}

impl PlannedUnit<'_> {
    /// Whether the unit mounts something.
    pub fn is_mount(&self) -> bool {
        matches!(self.kind, UnitKind::Mount(_))
    }

    /// The unit as `job_progress` reports about it.
    pub fn watched(&self, name: &str) -> WatchedUnit {
        match self.kind {
            UnitKind::Instance => WatchedUnit::instance(self.spec),
            UnitKind::Hook => WatchedUnit::hook(self.spec),
            UnitKind::Mount(target) => WatchedUnit {
                unit: name.to_owned(),
                spec: self.spec.clone(),
                job: Some(format!("the mount on {} to finish", target.display())),
            },
        }
    }

    /// The message for a unit that did not do its work.
    pub fn failure(&self, reason: &str) -> String {
        match self.kind {
            UnitKind::Mount(target) => format!("not mounted on {}: {reason}", target.display()),
            UnitKind::Instance | UnitKind::Hook => reason.to_owned(),
        }
    }

    /// The event for a unit that did not do its work.
    pub fn failure_event(&self) -> Event {
        match self.kind {
            UnitKind::Instance => Event::MapFailed,
            UnitKind::Mount(_) => Event::MountFailed,
            UnitKind::Hook => Event::HookFailed,
        }
    }
}

/// The units of the plan, by name.
pub fn planned_units<'p>(root: &Root, plan: &MapPlan<'p>) -> HashMap<String, PlannedUnit<'p>> {
    let mut units = HashMap::new();
    for entry in &plan.images {
        let spec = &entry.spec;
        let kind = UnitKind::Instance;
        units.insert(unit_name::instance(spec), PlannedUnit { spec, kind });
    }
    for step in &plan.mounts {
        let target = step.entry.target.as_path();
        // A step always needs at least one image.
        let spec = step.images[0];
        let kind = UnitKind::Mount(target);
        units.insert(unit_name::mount(target), PlannedUnit { spec, kind });
    }
    for entry in hook::entries_with_hook(root, plan.images.iter().copied()) {
        let spec = &entry.spec;
        let kind = UnitKind::Hook;
        units.insert(unit_name::hook(spec), PlannedUnit { spec, kind });
    }
    units
}
