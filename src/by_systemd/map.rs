//! Upward: instances and mounts are started, all at once, after systemd has read the files if they changed.
//!
//! systemd orders what stands on a device by itself; what stands on other mounts (binds, overlays, loop files), and mounts
//! for which no unit is generated, are made here afterwards.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;

use super::{GRACE, connect, why};
use crate::config::table::Entry;
use crate::direct::{self, Limits, Manner};
use crate::hook::Hooks;
use crate::image::ImageSpec;
use crate::plan::MapPlan;
use crate::report::Report;
use crate::root::Root;
use crate::sys::rbd::{self, Mapping};
use crate::sys::systemd::{BriefState, JobOutcome, JobReport, Manager};
use crate::tag::Origin;
use crate::unit;

/// Has systemd start the instances and mounts of the plan.
pub fn map(root: &Root, plan: &MapPlan<'_>, limits: Limits) -> Result<Report> {
    let manager = connect(root)?;
    if units_are_stale(root) {
        manager.reload()?;
    }
    let work = Work { root, manager, before: rbd::list(root)?, limits };
    let mut units = subjects(plan);
    let states = work.manager.brief(&units.keys().cloned().collect::<Vec<_>>())?;
    units.retain(|name, (_, target)| target.is_none() || states.get(name).is_some_and(|state| state.load == "loaded"));
    work.revive(plan, &states)?;
    let mut report = work.start(&units)?;
    if units.len() < plan.images.len() + plan.mounts.len() + plan.refused.len() {
        report.include(work.mount_the_rest(plan)?);
    }
    Ok(report)
}

/// The image that a unit is about, and the mount point if it is a mount.
type Subject<'a> = (&'a ImageSpec, Option<&'a Path>);

/// The units of the plan: an instance for each image, and a mount for each line that stands on one itself: what stands on
/// other mounts, systemd could not order.
fn subjects<'p>(plan: &MapPlan<'p>) -> HashMap<String, Subject<'p>> {
    let instances = plan.images.iter().map(|entry| (unit::instance(&entry.spec), (&entry.spec, None)));
    let mounts = plan.mounts.iter().filter_map(|step| {
        step.own.map(|spec| (unit::mount(&step.entry.target), (spec, Some(step.entry.target.as_path()))))
    });
    instances.chain(mounts).collect()
}

struct Work<'a> {
    root: &'a Root,
    manager: Manager,
    /// What was mapped before anything was started.
    before: Vec<Mapping>,
    limits: Limits,
}

impl Work<'_> {
    /// An instance that is active while its image is not mapped (somebody unmapped it without systemd) would not start,
    /// nor would a unit that has failed too often.
    fn revive(&self, plan: &MapPlan<'_>, states: &HashMap<String, BriefState>) -> Result<()> {
        for (unit, _) in states.iter().filter(|(_, state)| state.active == "failed") {
            self.manager.reset_failed(unit)?;
        }
        let unmapped = plan.images.iter().filter(|entry| !is_mapped(&self.before, &entry.spec));
        let instances = unmapped.map(|entry| unit::instance(&entry.spec));
        let stale: Vec<String> =
            instances.filter(|instance| states.get(instance).is_some_and(BriefState::is_active)).collect();
        if !stale.is_empty() {
            self.manager.stop(&stale, self.limits.time, &mut |_| {})?;
        }
        Ok(())
    }

    fn start(&self, units: &HashMap<String, Subject<'_>>) -> Result<Report> {
        let names: Vec<String> = units.keys().cloned().collect();
        let mut report = Report::default();
        let mut told = |job: &JobReport| {
            let Some((spec, target)) = units.get(&job.unit) else { return };
            match (&job.outcome, target) {
                (JobOutcome::Done, Some(target)) => report.done(spec, format!("mounted on {}", target.display())),
                (JobOutcome::Done, None) => report.done(spec, self.describe(spec)),
                // The image's own failure is told by its own job.
                (JobOutcome::Dependency, Some(_)) => {}
                _ => report.image_failed(spec, why(&self.manager, job)),
            }
        };
        self.manager.start(&names, self.limits.time + GRACE, &mut told)?;
        Ok(report)
    }

    /// On those images that are mapped by now; the others have been told of.
    fn mount_the_rest(&self, plan: &MapPlan<'_>) -> Result<Report> {
        let mapped = rbd::list(self.root)?;
        let images = plan.images.iter().copied().filter(|entry: &&Entry| is_mapped(&mapped, &entry.spec)).collect();
        let rest = MapPlan { images, ..plan.clone() };
        Ok(direct::map(self.root, &rest, Manner { origin: Origin::Table, limits: self.limits, hooks: Hooks::Skip }))
    }

    fn describe(&self, spec: &ImageSpec) -> String {
        let now = rbd::list(self.root).unwrap_or_default();
        match now.iter().find(|mapping| mapping.spec == *spec) {
            Some(mapping) if self.before.contains(mapping) => format!("already mapped as /dev/{}", mapping.name()),
            Some(mapping) => format!("mapped as /dev/{}", mapping.name()),
            None => "was mapped, and is no longer".to_owned(),
        }
    }
}

fn is_mapped(mappings: &[Mapping], spec: &ImageSpec) -> bool {
    mappings.iter().any(|mapping| mapping.spec == *spec)
}

/// Whether table, fstab or settings changed after systemd last ran its generators, which begins with new folders.
fn units_are_stale(root: &Root) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let generated: Option<SystemTime> =
        ["generator", "generator.early"].iter().filter_map(|folder| modified(&root.generated_units(folder))).min();
    let inputs = [root.table(), root.fstab(), root.settings()].iter().filter_map(|path| modified(path)).max();
    match (inputs, generated) {
        (Some(inputs), Some(generated)) => inputs >= generated,
        (inputs, None) => inputs.is_some(),
        (None, _) => false,
    }
}
