//! The direct engine: carries a plan out in this process, without asking systemd. It is what the units themselves run,
//! and what works where there is no systemd.

use std::time::Duration;

use crate::map;
use crate::plan::{self, MapPlan, MountStep};
use crate::report::Report;
use crate::root::Root;
use crate::sys::rbd::{self, Mapping};
use crate::sys::{mounts, notify};
use crate::unmap;

/// Maps every image of the plan and mounts what stands on those that are mapped now.
pub fn map(root: &Root, plan: &MapPlan<'_>, limit: Duration) -> Report {
    let mut report = Report::default();
    let mut mapped = Vec::new();
    for entry in &plan.images {
        notify::status("mapping");
        match map::image(root, entry, limit) {
            Ok(done) => {
                notify::status(&done.describe());
                report.done(&entry.spec, done.describe());
                mapped.push((&entry.spec, done.mapping));
            }
            Err(error) => {
                notify::status(&format!("{error:#}"));
                report.image_failed(&entry.spec, format!("{error:#}"));
            }
        }
    }
    for step in &plan.mounts {
        if let Some((_, mapping)) = mapped.iter().find(|(spec, _)| *spec == step.spec) {
            mount_entry(root, step, mapping, &mut report);
        }
    }
    report
}

/// Takes down what the plan names.
pub fn unmap(root: &Root, mappings: &[Mapping], limit: Duration) -> Report {
    let mut report = Report::default();
    unmap::mappings(root, mappings, limit, &mut report);
    report
}

fn mount_entry(root: &Root, step: &MountStep<'_>, mapping: &Mapping, report: &mut Report) {
    let target = &step.entry.target;
    let devices = rbd::block_numbers(root, mapping);
    match mounts::list(root).map(|mounted| plan::mount_points(&mounted, &devices).contains(target)) {
        Ok(true) => return report.done(step.spec, format!("already mounted on {}", target.display())),
        Ok(false) => {}
        Err(error) => return report.image_failed(step.spec, format!("{error:#}")),
    }
    match mounts::mount(step.entry) {
        Ok(()) => report.done(step.spec, format!("mounted on {}", target.display())),
        Err(error) => {
            report.image_failed(step.spec, format!("mounting {} on {}: {error}", step.entry.source, target.display()))
        }
    }
}
