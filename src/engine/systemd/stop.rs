//! Downward: the instances of the mappings are stopped, which takes their mounts with them; what no unit holds is taken
//! down here.

use std::collections::{BTreeSet, HashMap};

use std::time::Duration;

use anyhow::Result;

use super::job_progress::{self, WatchedUnit};
use super::{JOURNAL, JobOptions, connect, stop_remapping, stop_remapping_after_stop, why};
use crate::config::table::Entry;
use crate::engine::direct::{down, unmap_run::UnmapSettings};
use crate::engine::write_errors::LostWrites;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::unit_name;
use crate::plan::teardown::{Layer, MountStack};
use crate::plan::{Target, UnmapPlan};
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::journal::Journal;
use crate::sys::rbd::bus;
use crate::sys::systemd::{JobOutcome, JobReport, Manager};
use crate::sys::{device, mounts};

/// What is to go.
pub struct StopRequest<'a> {
    /// The mappings, and names that are not mapped.
    pub plan: &'a UnmapPlan,
    /// Images whose instances are stopped as well, mapped or not.
    pub table: &'a [Entry],
}

/// Has systemd stop the instances of the plan's mappings; what it does not hold is taken down here.
pub fn unmap(
    root: &Root,
    order: &StopRequest<'_>,
    settings: UnmapSettings,
    asking: JobOptions,
) -> Result<Report> {
    let (manager, StopRequest { plan, table }) = (connect(root)?, order);
    let mut report = Report::default();
    let limit = asking.limit(settings.timeout);
    let absent = plan.absent.iter().filter_map(|target| match target {
        Target::Image(spec) => Some(spec),
        Target::Device(_) => None,
    });
    let mapped = plan.mappings.iter().map(|mapping| &mapping.spec);
    let specs = mapped
        .chain(absent)
        .chain(table.iter().map(|entry| &entry.spec))
        .collect();
    let SortedImages {
        held,
        interrupted,
        mut failed,
        users,
    } = sort(&manager, specs, asking, &report)?;
    stop_users(&manager, users, limit)?;
    // With everything goes what would have some of it started yet. Where it does not run, asking would have systemd load it, and
    // with it every image's unit.
    let has_aside = !table.is_empty()
        && (manager.has_job(unit_name::NOFAIL)?
            || !manager.active_units(&[unit_name::NOFAIL])?.is_empty());
    let aside = has_aside.then(|| unit_name::NOFAIL.to_owned());
    let names: Vec<String> = aside.into_iter().chain(held.keys().cloned()).collect();
    let waits = asking
        .block
        .then(|| job_progress::report(root, awaited(root, &held, &plan.mappings)));
    let jobs = stop(&manager, &names, &interrupted, limit)?;
    drop(waits);
    let journal = Journal::new(root, JOURNAL);
    for job in jobs {
        let is_fine = job.outcome == JobOutcome::Done
            || !asking.block && job.outcome == JobOutcome::StillRunning;
        if let (Some(spec), false) = (held.get(&job.unit), is_fine) {
            failed.insert(spec, why(&manager, &journal, &job));
        }
    }
    forget_interrupted(&manager, &held, &failed)?;
    if !asking.block {
        let asked = held.values().filter(|spec| !failed.contains_key(*spec));
        asked.for_each(|spec| report.succeeded(Event::JobQueued, *spec, "systemd is unmapping it"));
        failed
            .iter()
            .for_each(|(spec, why)| report.image_failed(Event::UnmapFailed, *spec, why));
        return Ok(report);
    }
    let (left, gone) = split(root, &plan.mappings)?;
    let mut losses = LostWrites::new(root);
    for mapping in &gone {
        report.succeeded(
            Event::Unmapped,
            mapping,
            format!("unmapped /dev/{}", mapping.name()),
        );
        losses.report(mapping, &mut report);
    }
    // What a unit tried and could not do is told; what no unit held is done here.
    let (tried, ours): (Vec<Mapping>, Vec<Mapping>) =
        left.into_iter().partition(|m| failed.contains_key(&m.spec));
    tried.iter().for_each(|mapping| {
        report.image_failed(Event::UnmapFailed, &mapping.spec, &failed[&mapping.spec])
    });
    // Of an image that is not known to be ours, or not mapped, only its unit tells; who is not root knows no more.
    let is_told = |spec: &ImageSpec| {
        tried
            .iter()
            .chain(&gone)
            .any(|mapping| mapping.spec == *spec)
    };
    failed
        .iter()
        .filter(|(spec, _)| !is_told(spec))
        .for_each(|(spec, why)| report.image_failed(Event::UnmapFailed, *spec, why));
    report.merge(down::unmap(root, &ours, settings));
    let ours: Vec<&ImageSpec> = ours.iter().map(|mapping| &mapping.spec).collect();
    stop_remapping(root, &ours, settings.timeout)
        .and_then(|()| stop_remapping_after_stop(root, &interrupted, settings.timeout))
        .unwrap_or_else(|error| tracing::debug!("{error:#}"));
    Ok(report)
}

/// Stops the units. A start that is interrupted may have mapped its image yet; systemd then hears of the device and starts the
/// unit anew, in the place of our stop. What is started so is stopped again.
fn stop(
    manager: &Manager,
    names: &[String],
    interrupted: &[&ImageSpec],
    limit: Duration,
) -> Result<Vec<JobReport>> {
    let is_started_anew = |job: &JobReport| {
        job.outcome == JobOutcome::Canceled
            && interrupted
                .iter()
                .any(|spec| unit_name::instance(spec) == job.unit)
    };
    let (deadline, mut done, mut names) = (Deadline::after(limit), Vec::new(), names.to_vec());
    loop {
        let jobs = manager.stop(&names, deadline.remaining())?;
        let (anew, rest): (Vec<JobReport>, Vec<JobReport>) =
            jobs.into_iter().partition(is_started_anew);
        done.extend(rest);
        if anew.is_empty() || deadline.remaining().is_zero() {
            done.extend(anew);
            return Ok(done);
        }
        names = anew.into_iter().map(|job| job.unit).collect();
    }
}

/// The instances that are to be stopped, and the hooks and mounts that go before them.
fn awaited(
    root: &Root,
    held: &HashMap<String, &ImageSpec>,
    mappings: &[Mapping],
) -> Vec<WatchedUnit> {
    let seen = mounts::look(root).unwrap_or_default();
    let picture = MountStack::new(&seen);
    let mut awaited: Vec<WatchedUnit> = held
        .values()
        .map(|spec| WatchedUnit::instance(spec))
        .collect();
    awaited.extend(held.values().map(|spec| WatchedUnit::hook(spec)));
    for mapping in mappings {
        for step in picture.standing_on(&device::nodes(root, &mapping.name())) {
            let Layer::Mount(mount) = step.layer else {
                continue;
            };
            let job = Some(format!("the unmounting of {}", mount.target.display()));
            awaited.push(WatchedUnit {
                unit: unit_name::mount(&mount.target),
                spec: mapping.spec.clone(),
                job,
            });
        }
    }
    awaited
}

/// A start that has been ended by our stop failed, to systemd; to whoever wanted that it did not.
fn forget_interrupted(
    manager: &Manager,
    held: &HashMap<String, &ImageSpec>,
    failed: &HashMap<&ImageSpec, String>,
) -> Result<()> {
    let states = manager.loaded_units(&[unit_name::ALL_INSTANCES])?;
    let is_failed = |unit: &&String| {
        states
            .get(*unit)
            .is_some_and(|state| state.active == "failed")
    };
    let stopped = held
        .iter()
        .filter(|(_, spec)| !failed.contains_key(*spec))
        .map(|(unit, _)| unit);
    stopped
        .filter(is_failed)
        .try_for_each(|unit| manager.reset_failed(unit))
}

/// What can be done about images that systemd holds.
#[derive(Default)]
struct SortedImages<'a> {
    /// By their instances, which are to be stopped.
    held: HashMap<String, &'a ImageSpec>,
    /// Those of them whose start is not done yet.
    interrupted: Vec<&'a ImageSpec>,
    /// Those that are left, and why.
    failed: HashMap<&'a ImageSpec, String>,
    /// Services that are stopped before.
    users: BTreeSet<String>,
}

fn sort<'a>(
    manager: &Manager,
    specs: Vec<&'a ImageSpec>,
    asking: JobOptions,
    report: &Report,
) -> Result<SortedImages<'a>> {
    let (states, mut sorted) = (
        manager.loaded_units(&[unit_name::ALL_INSTANCES])?,
        SortedImages::default(),
    );
    for spec in specs {
        let instance = unit_name::instance(spec);
        let Some(state) = states
            .get(&instance)
            .filter(|state| state.is_up_or_starting())
        else {
            continue;
        };
        let services = manager.services_that_need(&instance)?;
        let names = services.join(" ");
        if !services.is_empty() && !asking.stop_users {
            let why = "would be stopped with it";
            let remedy = format!("`systemctl stop {names}` first, or say --stop-users");
            sorted
                .failed
                .insert(spec, format!("left mapped: {names} {why}; {remedy}"));
            continue;
        }
        if !services.is_empty() {
            let again = format!("`systemctl start {names}` starts again, and maps it for that");
            report.succeeded(Event::JobQueued, spec, format!("stopping {names}; {again}"));
        }
        sorted.users.extend(services);
        if !state.is_active() {
            sorted.interrupted.push(spec);
        }
        sorted.held.insert(instance, spec);
    }
    Ok(sorted)
}

/// By themselves and first, so that what they say at their end is theirs. With the images' mounts they would be stopped anyhow.
fn stop_users(manager: &Manager, users: BTreeSet<String>, limit: Duration) -> Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    manager
        .stop(&users.into_iter().collect::<Vec<_>>(), limit)
        .map(drop)
}

/// The mappings that are still there, and those that are gone.
fn split(root: &Root, mappings: &[Mapping]) -> Result<(Vec<Mapping>, Vec<Mapping>)> {
    let now = bus::list(root)?;
    Ok(mappings
        .iter()
        .cloned()
        .partition(|mapping| now.contains(mapping)))
}
