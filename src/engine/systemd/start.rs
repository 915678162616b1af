//! Upward: instances and mounts are started, all at once, after systemd has read the files if they changed.
//!
//! What systemd has no unit for is mounted here afterwards.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;

use super::job_progress::{self, WatchedUnit};
use super::{JOURNAL, JobOptions, connect, is_mapped, why};
use crate::config::table::Entry;
use crate::engine::direct::map_run::MapSettings;
use crate::engine::direct::retry_policy::RetryPolicy;
use crate::engine::direct::up;
use crate::engine::{hook, write_errors};
use crate::model::hook_call::HookPolicy;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::unit_name;
use crate::plan::MapPlan;
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::journal::Journal;
use crate::sys::rbd::mapping_cache::MappingCache;
use crate::sys::systemd::{BriefState, JobOutcome, JobReport, Manager};

/// Has systemd start the instances and mounts of the plan.
pub fn map(
    root: &Root,
    plan: &MapPlan<'_>,
    settings: MapSettings,
    asking: JobOptions,
) -> Result<Report> {
    let manager = connect(root)?;
    reload_manager_if_stale(root, &manager)?;
    let listing = MappingCache::new(root);
    let work = StartRun {
        root,
        manager,
        before: listing.mappings()?,
        listing,
        settings,
        asking,
    };
    let mut units = subjects(root, plan);
    let states = work
        .manager
        .unit_states(&units.keys().cloned().collect::<Vec<_>>())?;
    units.retain(|name, (_, what)| {
        !matches!(what, What::Mount(_))
            || states.get(name).is_some_and(|state| state.load == "loaded")
    });
    work.revive(plan, &states)?;
    let awaited = units
        .iter()
        .map(|(unit, (spec, what))| what.awaited(unit, spec))
        .collect();
    let waits = asking.block.then(|| job_progress::report(root, awaited));
    let mut report = Report::default();
    let lost = work.start(&units, &mut report)?;
    drop(waits);
    work.tell_of_other_needs(plan, &lost, &mut report)?;
    let mounts = units
        .values()
        .filter(|(_, what)| matches!(what, What::Mount(_)))
        .count();
    if asking.block && mounts < plan.mounts.len() + plan.refused.len() {
        report.merge(work.mount_the_rest(plan)?);
    } else {
        let is_wanted =
            |mapping: &&Mapping| plan.images.iter().any(|entry| entry.spec == mapping.spec);
        write_errors::warn_about(root, work.before.iter().filter(is_wanted));
    }
    Ok(report)
}

/// Has systemd read the files again if they have changed.
pub fn reload_if_stale(root: &Root) -> Result<()> {
    reload_manager_if_stale(root, &connect(root)?)
}

fn reload_manager_if_stale(root: &Root, manager: &Manager) -> Result<()> {
    if units_are_stale(root) {
        manager.reload()
    } else {
        Ok(())
    }
}

/// What a unit does.
#[derive(Clone, Copy)]
enum What<'a> {
    Map,
    Mount(&'a Path),
    Hook,
}

impl What<'_> {
    fn awaited(self, unit: &str, spec: &ImageSpec) -> WatchedUnit {
        let job = match self {
            Self::Map => None,
            Self::Mount(target) => Some(format!("the mounting on {}", target.display())),
            Self::Hook => Some("its hook".to_owned()),
        };
        WatchedUnit {
            unit: unit.to_owned(),
            spec: spec.clone(),
            job,
        }
    }

    fn in_vain(self, why: &str) -> String {
        match self {
            Self::Mount(target) => format!("not mounted on {}: {why}", target.display()),
            Self::Map | Self::Hook => why.to_owned(),
        }
    }

    fn failed(self) -> Event {
        match self {
            Self::Map => Event::MapFailed,
            Self::Mount(_) => Event::MountFailed,
            Self::Hook => Event::HookFailed,
        }
    }
}

/// The image that a unit is about, and what it does.
type Subject<'a> = (&'a ImageSpec, What<'a>);

/// The units of the plan: an instance for each image, a mount for each line, and the hooks.
fn subjects<'p>(root: &Root, plan: &MapPlan<'p>) -> HashMap<String, Subject<'p>> {
    let instances = plan
        .images
        .iter()
        .map(|entry| (unit_name::instance(&entry.spec), (&entry.spec, What::Map)));
    let mounts = plan.mounts.iter().map(|step| {
        let target = step.entry.target.as_path();
        (
            unit_name::mount(target),
            (step.images[0], What::Mount(target)),
        )
    });
    let hooked = hook::entries_with_hook(root, plan.images.iter().copied());
    let hooks = hooked
        .into_iter()
        .map(|entry| (unit_name::hook(&entry.spec), (&entry.spec, What::Hook)));
    instances.chain(mounts).chain(hooks).collect()
}

struct StartRun<'a> {
    root: &'a Root,
    manager: Manager,
    /// What was mapped before anything was started.
    before: Vec<Mapping>,
    listing: MappingCache,
    settings: MapSettings,
    asking: JobOptions,
}

impl StartRun<'_> {
    /// An instance that is active while its image is not mapped (somebody unmapped it without systemd) would not start,
    /// nor would a unit that has failed too often. One that is tried again and again begins anew, and says at once how it fails.
    fn revive(&self, plan: &MapPlan<'_>, states: &HashMap<String, BriefState>) -> Result<()> {
        for (unit, _) in states.iter().filter(|(_, state)| state.active == "failed") {
            self.manager.reset_failed(unit)?;
        }
        let unmapped = plan
            .images
            .iter()
            .filter(|entry| !is_mapped(&self.before, &entry.spec));
        let instances = unmapped.map(|entry| unit_name::instance(&entry.spec));
        let is_stale = |instance: &String| {
            states.get(instance).is_some_and(|state| {
                let restarts = || self.manager.restart_count(instance).unwrap_or(0);
                state.is_active() || state.active == "activating" && restarts() > 0
            })
        };
        let stale: Vec<String> = instances.filter(is_stale).collect();
        if !stale.is_empty() {
            self.manager.stop(&stale, self.settings.timeout)?;
        }
        Ok(())
    }

    /// Starts them and tells what comes of them; the mounts that were not even tried.
    fn start(
        &self,
        units: &HashMap<String, Subject<'_>>,
        report: &mut Report,
    ) -> Result<HashSet<String>> {
        let names: Vec<String> = units.keys().cloned().collect();
        let (mut lost, journal) = (HashSet::new(), Journal::new(self.root, JOURNAL));
        let mut told = |job: &JobReport| {
            let Some((spec, what)) = units.get(&job.unit) else {
                return;
            };
            match (&job.outcome, what) {
                (JobOutcome::Done, What::Mount(target)) => report.succeeded(
                    Event::Mounted,
                    *spec,
                    format!("mounted on {}", target.display()),
                ),
                (JobOutcome::Done, What::Map) => {
                    report.succeeded(Event::Mapped, *spec, self.describe(spec))
                }
                (JobOutcome::Done, What::Hook) => {}
                (JobOutcome::StillRunning, What::Map) if !self.asking.block => {
                    report.succeeded(Event::JobQueued, *spec, "systemd is mapping it")
                }
                (JobOutcome::StillRunning, _) if !self.asking.block => {}
                (JobOutcome::StillRunning, What::Mount(target)) => {
                    let text = format!(
                        "not mounted on {} yet; systemd goes on with it",
                        target.display()
                    );
                    report.image_failed(what.failed(), *spec, text);
                }
                // The image's own failure is told by its own job, others' afterwards.
                (JobOutcome::Dependency, What::Hook) => {}
                (JobOutcome::Dependency, What::Mount(_)) => {
                    lost.insert(job.unit.clone());
                }
                _ => {
                    let why = why(&self.manager, &journal, job);
                    report.image_failed(what.failed(), *spec, what.in_vain(&why));
                }
            }
        };
        self.manager
            .start(&names, self.asking.limit(self.settings.timeout), &mut told)?;
        Ok(lost)
    }

    /// What is not mounted though all its images are mapped: something else that it needs has failed, such as its fsck.
    fn tell_of_other_needs(
        &self,
        plan: &MapPlan<'_>,
        lost: &HashSet<String>,
        report: &mut Report,
    ) -> Result<()> {
        if lost.is_empty() {
            return Ok(());
        }
        let mapped = self.listing.mappings()?;
        for step in &plan.mounts {
            let has_images = step.images.iter().all(|spec| is_mapped(&mapped, spec));
            if has_images && lost.contains(&unit_name::mount(&step.entry.target)) {
                let target = step.entry.target.display();
                let text = format!(
                    "not mounted on {target}: something that it needs has failed; `systemctl --failed` shows what"
                );
                report.image_failed(Event::MountFailed, step.images[0], text);
            }
        }
        Ok(())
    }

    /// On those images that are mapped by now; the others have been told of.
    fn mount_the_rest(&self, plan: &MapPlan<'_>) -> Result<Report> {
        let mapped = self.listing.mappings()?;
        let images = plan
            .images
            .iter()
            .copied()
            .filter(|entry: &&Entry| is_mapped(&mapped, &entry.spec))
            .collect();
        let rest = MapPlan {
            images,
            ..plan.clone()
        };
        Ok(up::map(
            self.root,
            &rest,
            MapSettings {
                hooks: HookPolicy::Skip,
                retry: RetryPolicy::UntilTimeout,
                ..self.settings
            },
        ))
    }

    fn describe(&self, spec: &ImageSpec) -> String {
        match self.listing.of_image(spec).unwrap_or_default() {
            Some(mapping) if self.before.contains(&mapping) => {
                format!("already mapped as /dev/{}", mapping.name())
            }
            Some(mapping) => format!("mapped as /dev/{}", mapping.name()),
            None => "was mapped, and is no longer".to_owned(),
        }
    }
}

/// Whether table, fstab or settings changed after systemd last ran its generators, which begins with new folders.
fn units_are_stale(root: &Root) -> bool {
    let modified = |path: &Path| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    let generated: Option<SystemTime> = ["generator", "generator.early"]
        .iter()
        .filter_map(|folder| modified(&root.generated_units(folder)))
        .min();
    let inputs = [
        root.table(),
        root.fstab(),
        root.settings(),
        root.settings_fragments(),
    ]
    .iter()
    .filter_map(|path| modified(path))
    .max();
    is_stale(inputs, generated, SystemTime::now())
}

/// What was generated at a time that is still to come, before the clock was set back, tells nothing.
fn is_stale(inputs: Option<SystemTime>, generated: Option<SystemTime>, now: SystemTime) -> bool {
    match (inputs, generated) {
        (Some(inputs), Some(generated)) => inputs >= generated || generated > now,
        (inputs, None) => inputs.is_some(),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn units_are_made_again_for_what_has_changed_and_when_the_clock_was_set_back() {
        let at = |hour: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(hour * 3600);
        let is_stale = |inputs: Option<u64>, generated: Option<u64>| {
            is_stale(inputs.map(at), generated.map(at), at(10))
        };
        assert!(!is_stale(Some(1), Some(2)) && !is_stale(None, Some(2)) && !is_stale(None, None));
        assert!(
            is_stale(Some(2), Some(2)) && is_stale(Some(3), Some(2)) && is_stale(Some(1), None)
        );
        assert!(is_stale(Some(9), Some(11)), "made by a clock that was fast");
    }
}
