//! Maps through systemd: starts the instances and mount units of a plan, all at once, after systemd has reloaded if the files
//! changed. What has no mount unit is then mounted by the direct engine.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::connection::connect;
use super::failure_reason::FailureReasons;
use super::generated_units;
use super::job_options::JobOptions;
use super::job_progress;
use super::planned_unit::{PlannedUnit, UnitKind, planned_units};
use crate::config::table::Entry;
use crate::engine::direct::map_run::MapSettings;
use crate::engine::direct::retry_policy::RetryPolicy;
use crate::engine::direct::up;
use crate::engine::write_errors;
use crate::model::hook_call::HookPolicy;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::{Mapping, is_mapped};
use crate::model::unit_name;
use crate::plan::MapPlan;
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::rbd::mapping_cache::MappingCache;
use crate::sys::systemd::{BriefState, JobOutcome, JobReport, Manager};

/// Asks systemd to start the instances and mounts of the plan.
pub fn map(
    root: &Root,
    plan: &MapPlan<'_>,
    settings: MapSettings,
    options: JobOptions,
) -> Result<Report> {
    let manager = connect(root)?;
    reload_manager_if_stale(root, &manager)?;
    let mappings = MappingCache::new(root);
    let run = StartRun {
        root,
        plan,
        manager,
        before: mappings.mappings()?,
        mappings,
        settings,
        options,
    };
    run.map()
}

/// Makes systemd reload its units if the files from which they are generated have changed.
pub fn reload_if_stale(root: &Root) -> Result<()> {
    reload_manager_if_stale(root, &connect(root)?)
}

fn reload_manager_if_stale(root: &Root, manager: &Manager) -> Result<()> {
    if generated_units::are_stale(root) {
        manager.reload()
    } else {
        Ok(())
    }
}

/// One command.
struct StartRun<'a> {
    root: &'a Root,
    plan: &'a MapPlan<'a>,
    manager: Manager,
    /// What was mapped before anything was started.
    before: Vec<Mapping>,
    mappings: MappingCache,
    settings: MapSettings,
    options: JobOptions,
}

/// The results of the jobs so far.
struct JobResults<'a> {
    reasons: FailureReasons<'a>,
    report: Report,
    /// Mount units that systemd did not start because a unit that they require failed.
    not_started: HashSet<String>,
}

impl StartRun<'_> {
    fn map(&self) -> Result<Report> {
        let mut units = planned_units(self.root, self.plan);
        let names: Vec<String> = units.keys().cloned().collect();
        let states = self.manager.unit_states(&names)?;
        // The generator writes no mount unit for some entries; those are mounted directly.
        units.retain(|name, unit| {
            !unit.is_mount() || states.get(name).is_some_and(|state| state.load == "loaded")
        });
        self.make_startable(&states)?;
        let watched = units
            .iter()
            .map(|(name, unit)| unit.watched(name))
            .collect();
        let reporter = self
            .options
            .block
            .then(|| job_progress::report(self.root, watched));
        let JobResults {
            mut report,
            not_started,
            ..
        } = self.start(&units)?;
        drop(reporter);
        self.report_other_needs(&not_started, &mut report)?;
        let mounts = units.values().filter(|unit| unit.is_mount()).count();
        if self.options.block && mounts < self.plan.mounts.len() + self.plan.refused.len() {
            report.merge(self.mount_directly()?);
        } else {
            self.warn_about_write_errors();
        }
        Ok(report)
    }

    /// Resets and stops the units that would not start otherwise: a unit that has failed too often, and an instance that is
    /// active although its image is not mapped, because somebody unmapped it without systemd. An instance that systemd
    /// restarts again and again is stopped too, so that it starts now and the first failure is reported.
    fn make_startable(&self, states: &HashMap<String, BriefState>) -> Result<()> {
        for (unit, state) in states {
            // A unit that has failed too often does not start until it is reset.
            if state.active == "failed" {
                self.manager.reset_failed(unit)?;
            }
        }
        let mut stale = Vec::new();
        for entry in &self.plan.images {
            let instance = unit_name::instance(&entry.spec);
            if !is_mapped(&self.before, &entry.spec) && self.is_stale(&instance, states) {
                stale.push(instance);
            }
        }
        if !stale.is_empty() {
            self.manager.stop(&stale, self.settings.timeout)?;
        }
        Ok(())
    }

    fn is_stale(&self, instance: &str, states: &HashMap<String, BriefState>) -> bool {
        let Some(state) = states.get(instance) else {
            return false;
        };
        state.is_active()
            || state.active == "activating" && self.manager.restart_count(instance).unwrap_or(0) > 0
    }

    /// Starts the units and reports the result of each.
    fn start(&self, units: &HashMap<String, PlannedUnit<'_>>) -> Result<JobResults<'_>> {
        let names: Vec<String> = units.keys().cloned().collect();
        let timeout = self.options.job_timeout(self.settings.timeout);
        let mut results = JobResults {
            reasons: FailureReasons::new(self.root, &self.manager),
            report: Report::default(),
            not_started: HashSet::new(),
        };
        self.manager.start(&names, timeout, &mut |job| {
            if let Some(unit) = units.get(&job.unit) {
                self.take(job, unit, &mut results);
            }
        })?;
        Ok(results)
    }

    fn take(&self, job: &JobReport, unit: &PlannedUnit<'_>, results: &mut JobResults<'_>) {
        let spec = unit.spec;
        let report = &mut results.report;
        match (&job.outcome, unit.kind) {
            (JobOutcome::Done, UnitKind::Mount(target)) => {
                let text = format!("mounted on {}", target.display());
                report.succeeded(Event::Mounted, spec, text);
            }
            (JobOutcome::Done, UnitKind::Instance) => {
                report.succeeded(Event::Mapped, spec, self.describe(spec));
            }
            (JobOutcome::Done, UnitKind::Hook) => {}
            (JobOutcome::StillRunning, UnitKind::Instance) if !self.options.block => {
                report.succeeded(Event::JobQueued, spec, "systemd is mapping it");
            }
            (JobOutcome::StillRunning, _) if !self.options.block => {}
            (JobOutcome::StillRunning, UnitKind::Mount(target)) => {
                let text = format!(
                    "not mounted on {} yet; systemd continues its job",
                    target.display()
                );
                report.image_failed(unit.failure_event(), spec, text);
            }
            // The job of the image itself reports its failure.
            (JobOutcome::Dependency, UnitKind::Hook) => {}
            // report_other_needs reports the others, when it is known what is mapped.
            (JobOutcome::Dependency, UnitKind::Mount(_)) => {
                results.not_started.insert(job.unit.clone());
            }
            _ => {
                let text = unit.failure(&results.reasons.for_job(job));
                report.image_failed(unit.failure_event(), spec, text);
            }
        }
    }

    /// Reports mounts that were not started although all their images are mapped: something else that they need has failed,
    /// such as the check of the file system.
    fn report_other_needs(&self, not_started: &HashSet<String>, report: &mut Report) -> Result<()> {
        if not_started.is_empty() {
            return Ok(());
        }
        let mapped = self.mappings.mappings()?;
        for step in &self.plan.mounts {
            let has_images = step.images.iter().all(|spec| is_mapped(&mapped, spec));
            if has_images && not_started.contains(&unit_name::mount(&step.entry.target)) {
                let text = format!(
                    "not mounted on {}: something that it needs has failed; `systemctl --failed` shows what",
                    step.entry.target.display()
                );
                report.image_failed(Event::MountFailed, step.images[0], text);
            }
        }
        Ok(())
    }

    /// Mounts what has no mount unit, on the images that are mapped now. The failures of the others are reported already.
    fn mount_directly(&self) -> Result<Report> {
        let mapped = self.mappings.mappings()?;
        let images: Vec<&Entry> = self
            .plan
            .images
            .iter()
            .copied()
            .filter(|entry| is_mapped(&mapped, &entry.spec))
            .collect();
        let plan = MapPlan {
            images,
            ..self.plan.clone()
        };
        let settings = MapSettings {
            // Hooks have units of their own.
            hooks: HookPolicy::Skip,
            retry: RetryPolicy::UntilTimeout,
            ..self.settings
        };
        Ok(up::map(self.root, &plan, settings))
    }

    fn warn_about_write_errors(&self) {
        let wanted = self.before.iter().filter(|mapping| {
            self.plan
                .images
                .iter()
                .any(|entry| entry.spec == mapping.spec)
        });
        write_errors::warn_about(self.root, wanted);
    }

    fn describe(&self, spec: &ImageSpec) -> String {
        match self.mappings.of_image(spec).unwrap_or_default() {
            Some(mapping) if self.before.contains(&mapping) => {
                format!("already mapped as /dev/{}", mapping.name())
            }
            Some(mapping) => format!("mapped as /dev/{}", mapping.name()),
            None => "was mapped, but is not mapped any more".to_owned(),
        }
    }
}
