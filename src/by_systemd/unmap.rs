//! Downward: the instances of the mappings are stopped, which takes their mounts with them; what no unit holds is taken
//! down here.

use std::collections::HashMap;

use anyhow::Result;

use super::{GRACE, connect, why};
use crate::config::table::Entry;
use crate::image::ImageSpec;
use crate::plan::{Target, UnmapPlan};
use crate::report::Report;
use crate::root::Root;
use crate::sys::rbd::{self, Mapping};
use crate::sys::systemd::{BriefState, JobOutcome, JobReport};
use crate::unit;
use crate::unmap::{self, Manner};

/// Has systemd stop the instances of the plan's mappings; what it does not hold is taken down here.
pub fn unmap(root: &Root, plan: &UnmapPlan, table: &[Entry], manner: Manner) -> Result<Report> {
    let manager = connect(root)?;
    let absent = plan.absent.iter().filter_map(|target| match target {
        Target::Image(spec) => Some(spec),
        Target::Device(_) => None,
    });
    let mapped = plan.mappings.iter().map(|mapping| &mapping.spec);
    let mut held: HashMap<String, &ImageSpec> = HashMap::new();
    let mut failed: HashMap<&ImageSpec, String> = HashMap::new();
    let specs: Vec<&ImageSpec> = mapped.chain(absent).chain(table.iter().map(|entry| &entry.spec)).collect();
    let states = manager.brief(&specs.iter().map(|spec| unit::instance(spec)).collect::<Vec<_>>())?;
    for spec in specs {
        let instance = unit::instance(spec);
        if !states.get(&instance).is_some_and(BriefState::is_wanted_up) {
            continue;
        }
        let services = manager.services_that_need(&instance)?;
        if !services.is_empty() {
            let services = services.join(" ");
            failed.insert(
                spec,
                format!("left mapped: {services} would be stopped with it; `systemctl stop {services}` first"),
            );
        } else {
            held.insert(instance, spec);
        }
    }
    let names: Vec<String> = held.keys().cloned().collect();
    let mut told = |job: &JobReport| {
        if let (Some(spec), false) = (held.get(&job.unit), job.outcome == JobOutcome::Done) {
            failed.insert(spec, why(&manager, job));
        }
    };
    manager.stop(&names, manner.limits.time + GRACE, &mut told)?;
    let mut report = Report::default();
    let (left, gone) = split(root, &plan.mappings)?;
    gone.iter().for_each(|mapping| report.done(&mapping.spec, format!("unmapped /dev/{}", mapping.name())));
    // What a unit tried and could not do is told; what no unit held is done here.
    let (tried, ours): (Vec<Mapping>, Vec<Mapping>) = left.into_iter().partition(|m| failed.contains_key(&m.spec));
    tried.iter().for_each(|mapping| report.image_failed(&mapping.spec, &failed[&mapping.spec]));
    report.include(unmap::mappings(root, &ours, manner));
    Ok(report)
}

/// The mappings that are still there, and those that are gone.
fn split(root: &Root, mappings: &[Mapping]) -> Result<(Vec<Mapping>, Vec<Mapping>)> {
    let now = rbd::list(root)?;
    Ok(mappings.iter().cloned().partition(|mapping| now.contains(mapping)))
}
