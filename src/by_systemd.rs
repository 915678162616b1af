//! The systemd engine: asks PID 1 to start or stop the units that the generator has rendered from the same plan,
//! follows the jobs, and tells what came of each image in the unit's own words.
//!
//! Starting the units beside their mounts is all: order, dependencies and time-outs are systemd's. What systemd does
//! not hold, such as a mapping made with `--direct`, is taken down here as the direct engine would.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

use crate::config::table::Entry;
use crate::image::ImageSpec;
use crate::plan::{MapPlan, Target, UnmapPlan};
use crate::report::Report;
use crate::root::Root;
use crate::sys::rbd::{self, Mapping};
use crate::sys::systemd::{JobOutcome, JobReport, Manager, SystemState};
use crate::{direct, unit};

/// What systemd needs beyond the limit of the program that a unit runs.
const GRACE: Duration = Duration::from_secs(15);

/// Has systemd start the instances and mounts of the plan.
pub fn map(root: &Root, plan: &MapPlan<'_>, limit: Duration) -> Result<Report> {
    let manager = connect(root)?;
    if units_are_stale(root) {
        manager.reload()?;
    }
    let mut units: HashMap<String, (&ImageSpec, Option<&Path>)> =
        plan.images.iter().map(|entry| (unit::instance(&entry.spec), (&entry.spec, None))).collect();
    for step in &plan.mounts {
        units.insert(unit::mount(&step.entry.target), (step.images[0], Some(&step.entry.target)));
    }
    let before = rbd::list(root)?;
    let names: Vec<String> = units.keys().cloned().collect();
    for name in &names {
        manager.reset_failed(name)?;
    }
    let mut report = Report::default();
    for line in &plan.refused {
        report.failed(format!("not mounted on {}: {}", line.entry.target.display(), line.why));
    }
    let mut told = |job: &JobReport| {
        let Some((spec, target)) = units.get(&job.unit) else { return };
        match (&job.outcome, target) {
            (JobOutcome::Done, Some(target)) => report.done(spec, format!("mounted on {}", target.display())),
            (JobOutcome::Done, None) => report.done(spec, describe(root, spec, &before)),
            // The image's own failure is told by its own job.
            (JobOutcome::Dependency, Some(_)) => {}
            _ => report.image_failed(spec, why(&manager, job)),
        }
    };
    manager.start(&names, limit + GRACE, &mut told)?;
    Ok(report)
}

/// Has systemd stop the instances of the plan's mappings; what it does not hold is taken down here.
pub fn unmap(root: &Root, plan: &UnmapPlan, table: &[Entry], limit: Duration) -> Result<Report> {
    let manager = connect(root)?;
    let absent = plan.absent.iter().filter_map(|target| match target {
        Target::Image(spec) => Some(spec),
        Target::Device(_) => None,
    });
    let mapped = plan.mappings.iter().map(|mapping| &mapping.spec);
    let mut held: HashMap<String, &ImageSpec> = HashMap::new();
    let mut failed: HashMap<&ImageSpec, String> = HashMap::new();
    for spec in mapped.chain(absent).chain(table.iter().map(|entry| &entry.spec)) {
        let instance = unit::instance(spec);
        let services = manager.services_that_need(&instance)?;
        if !services.is_empty() {
            let services = services.join(" ");
            failed.insert(
                spec,
                format!("left mapped: {services} would be stopped with it; `systemctl stop {services}` first"),
            );
        } else if manager.unit(&instance)?.is_active() {
            held.insert(instance, spec);
        }
    }
    let names: Vec<String> = held.keys().cloned().collect();
    let mut told = |job: &JobReport| {
        if let (Some(spec), false) = (held.get(&job.unit), job.outcome == JobOutcome::Done) {
            failed.insert(spec, why(&manager, job));
        }
    };
    manager.stop(&names, limit + GRACE, &mut told)?;
    let mut report = Report::default();
    let (left, gone) = split(root, &plan.mappings)?;
    gone.iter().for_each(|mapping| report.done(&mapping.spec, format!("unmapped /dev/{}", mapping.name())));
    // What a unit tried and could not do is told; what no unit held is done here.
    let (tried, ours): (Vec<Mapping>, Vec<Mapping>) = left.into_iter().partition(|m| failed.contains_key(&m.spec));
    tried.iter().for_each(|mapping| report.image_failed(&mapping.spec, &failed[&mapping.spec]));
    report.include(direct::unmap(root, &ours, limit, plan.hooks));
    Ok(report)
}

/// A connection to a manager that takes jobs.
fn connect(root: &Root) -> Result<Manager> {
    let manager = Manager::connect(root)?;
    if manager.state()? == SystemState::Stopping {
        bail!("the system is shutting down: systemd takes no new work, and unmaps all images by itself");
    }
    Ok(manager)
}

/// Whether table or fstab changed after systemd last ran its generators, which begins with new folders.
fn units_are_stale(root: &Root) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let generated: Option<SystemTime> =
        ["generator", "generator.early"].iter().filter_map(|folder| modified(&root.generated_units(folder))).min();
    let inputs = [root.table(), root.fstab()].iter().filter_map(|path| modified(path)).max();
    match (inputs, generated) {
        (Some(inputs), Some(generated)) => inputs >= generated,
        (inputs, None) => inputs.is_some(),
        (None, _) => false,
    }
}

/// The mappings that are still there, and those that are gone.
fn split(root: &Root, mappings: &[Mapping]) -> Result<(Vec<Mapping>, Vec<Mapping>)> {
    let now = rbd::list(root)?;
    Ok(mappings.iter().cloned().partition(|mapping| now.contains(mapping)))
}

fn describe(root: &Root, spec: &ImageSpec, before: &[Mapping]) -> String {
    let now = rbd::list(root).unwrap_or_default();
    match now.iter().find(|mapping| mapping.spec == *spec) {
        Some(mapping) if before.contains(mapping) => format!("already mapped as /dev/{}", mapping.name()),
        Some(mapping) => format!("mapped as /dev/{}", mapping.name()),
        None => "its unit is active, but it is not mapped: somebody unmapped it behind systemd's back".to_owned(),
    }
}

/// Why a job did not do its work: the unit's own words where it has any.
fn why(manager: &Manager, job: &JobReport) -> String {
    let own = manager.unit(&job.unit).map(|unit| unit.reason()).unwrap_or_default();
    match &job.outcome {
        JobOutcome::Failed if !own.is_empty() => own,
        _ => job.to_string(),
    }
}
