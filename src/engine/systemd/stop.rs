//! Unmaps through systemd: stops the instances of the mappings, and with them systemd stops their mounts. Mappings that no unit
//! holds are unmapped by the direct engine.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;

use super::connection::connect;
use super::failure_reason::FailureReasons;
use super::job_options::JobOptions;
use super::job_progress::{self, WatchedUnit};
use super::remap_race::{stop_remapping, stop_remapping_after_stop};
use super::sorted_images::SortedImages;
use crate::config::table::Entry;
use crate::engine::direct::down;
use crate::engine::direct::unmap_run::UnmapSettings;
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
use crate::sys::rbd::bus;
use crate::sys::systemd::{JobOutcome, JobReport, Manager};
use crate::sys::{device, mounts};

/// What to unmap.
pub struct StopRequest<'a> {
    /// The mappings, and the names that are not mapped.
    pub plan: &'a UnmapPlan,
    /// Entries whose instances are stopped as well, whether the image is mapped or not.
    pub table: &'a [Entry],
}

impl<'a> StopRequest<'a> {
    /// The images whose instances are stopped.
    fn specs(&self) -> Vec<&'a ImageSpec> {
        let mapped = self.plan.mappings.iter().map(|mapping| &mapping.spec);
        let absent = self.plan.absent.iter().filter_map(|target| match target {
            Target::Image(spec) => Some(spec),
            Target::Device(_) => None,
        });
        let listed = self.table.iter().map(|entry| &entry.spec);
        mapped.chain(absent).chain(listed).collect()
    }
}

/// Asks systemd to stop the instances of the request, and unmaps what no instance holds.
pub fn unmap(
    root: &Root,
    request: &StopRequest<'_>,
    settings: UnmapSettings,
    options: JobOptions,
) -> Result<Report> {
    let run = StopRun {
        root,
        manager: connect(root)?,
        settings,
        options,
    };
    run.unmap(request)
}

/// One command.
struct StopRun<'a> {
    root: &'a Root,
    manager: Manager,
    settings: UnmapSettings<'a>,
    options: JobOptions,
}

impl StopRun<'_> {
    fn unmap(&self, request: &StopRequest<'_>) -> Result<Report> {
        let mut report = Report::default();
        let mut images = SortedImages::new(&self.manager, request.specs(), self.options, &report)?;
        self.stop_services(&images)?;
        let mut units = Vec::new();
        if !request.table.is_empty() && self.starts_nofail_images()? {
            units.push(unit_name::NOFAIL.to_owned());
        }
        units.extend(images.held.keys().cloned());
        let reporter = self.options.block.then(|| {
            let watched = watched_units(self.root, &images, &request.plan.mappings);
            job_progress::report(self.root, watched)
        });
        let jobs = self.stop(units, &images)?;
        drop(reporter);
        self.take_failures(&jobs, &mut images);
        self.reset_interrupted(&images)?;
        if !self.options.block {
            report_queued(&images, &mut report);
            return Ok(report);
        }
        let ours = self.report_results(&request.plan.mappings, &images, &mut report)?;
        report.merge(down::unmap(self.root, &ours, self.settings));
        // What was requested is done, so this is not reported as a failure.
        if let Err(error) = self.stop_remapping(&ours, &images) {
            tracing::debug!("{error:#}");
        }
        Ok(report)
    }

    fn job_timeout(&self) -> Duration {
        self.options.job_timeout(self.settings.timeout)
    }

    /// Stops the services on the images. They would be stopped with the mounts anyway, but if they are stopped first and by
    /// themselves, the jobs of the images report only about the images.
    fn stop_services(&self, images: &SortedImages<'_>) -> Result<()> {
        if images.services.is_empty() {
            return Ok(());
        }
        let services: Vec<String> = images.services.iter().cloned().collect();
        self.manager.stop(&services, self.job_timeout()).map(drop)
    }

    /// Whether the unit that starts images after boot is still at work; it would start some of them after they were stopped.
    /// If it is not loaded, a stop job would make systemd load it, and with it the unit of every image.
    fn starts_nofail_images(&self) -> Result<bool> {
        Ok(self.manager.has_job(unit_name::NOFAIL)?
            || !self.manager.active_units(&[unit_name::NOFAIL])?.is_empty())
    }

    /// Stops the units. A start that the stop interrupts may still have mapped its image. systemd then notices the device and
    /// starts the unit again, which cancels our stop job, so such a unit is stopped again.
    fn stop(&self, units: Vec<String>, images: &SortedImages<'_>) -> Result<Vec<JobReport>> {
        let interrupted: HashSet<String> = images
            .interrupted
            .iter()
            .map(|spec| unit_name::instance(spec))
            .collect();
        let deadline = Deadline::after(self.job_timeout());
        let mut ended = Vec::new();
        let mut units = units;
        loop {
            let jobs = self.manager.stop(&units, deadline.remaining())?;
            let (started_again, rest): (Vec<JobReport>, Vec<JobReport>) =
                jobs.into_iter().partition(|job| {
                    job.outcome == JobOutcome::Canceled && interrupted.contains(&job.unit)
                });
            ended.extend(rest);
            if started_again.is_empty() || deadline.remaining().is_zero() {
                ended.extend(started_again);
                return Ok(ended);
            }
            units = started_again.into_iter().map(|job| job.unit).collect();
        }
    }

    fn take_failures(&self, jobs: &[JobReport], images: &mut SortedImages<'_>) {
        // Only now, because the time limit of the journal starts here.
        let reasons = FailureReasons::new(self.root, &self.manager);
        for job in jobs {
            let is_fine = job.outcome == JobOutcome::Done
                || !self.options.block && job.outcome == JobOutcome::StillRunning;
            if let Some(spec) = images.held.get(&job.unit)
                && !is_fine
            {
                images.failed.insert(*spec, reasons.for_job(job));
            }
        }
    }

    /// For systemd, a start that our stop has interrupted has failed. For the caller it has not.
    fn reset_interrupted(&self, images: &SortedImages<'_>) -> Result<()> {
        let states = self.manager.loaded_units(&[unit_name::ALL_INSTANCES])?;
        for (unit, _) in images.stopped() {
            if states
                .get(unit)
                .is_some_and(|state| state.active == "failed")
            {
                self.manager.reset_failed(unit)?;
            }
        }
        Ok(())
    }

    /// Reports what the jobs have come to. Returns the mappings that no unit held, which are left for this process.
    fn report_results(
        &self,
        mappings: &[Mapping],
        images: &SortedImages<'_>,
        report: &mut Report,
    ) -> Result<Vec<Mapping>> {
        // A stop job is `done` also if the unit failed to stop, so the kernel's list decides.
        let now = bus::list(self.root)?;
        let (left, gone): (Vec<Mapping>, Vec<Mapping>) = mappings
            .iter()
            .cloned()
            .partition(|mapping| now.contains(mapping));
        let mut lost_writes = LostWrites::new(self.root);
        for mapping in &gone {
            let text = format!("unmapped /dev/{}", mapping.name());
            report.succeeded(Event::Unmapped, mapping, text);
            lost_writes.report(mapping, report);
        }
        let (failed, ours): (Vec<Mapping>, Vec<Mapping>) = left
            .into_iter()
            .partition(|mapping| images.failed.contains_key(&mapping.spec));
        for mapping in &failed {
            let reason = &images.failed[&mapping.spec];
            report.image_failed(Event::UnmapFailed, &mapping.spec, reason);
        }
        // An image that is not mapped has only its unit as a source. So has an image that is not known to be ours, because
        // only root can see that.
        for (spec, reason) in &images.failed {
            let is_reported = failed
                .iter()
                .chain(&gone)
                .any(|mapping| mapping.spec == **spec);
            if !is_reported {
                report.image_failed(Event::UnmapFailed, *spec, reason);
            }
        }
        Ok(ours)
    }

    fn stop_remapping(&self, ours: &[Mapping], images: &SortedImages<'_>) -> Result<()> {
        let timeout = self.settings.timeout;
        let specs: Vec<&ImageSpec> = ours.iter().map(|mapping| &mapping.spec).collect();
        stop_remapping(self.root, &specs, timeout)?;
        stop_remapping_after_stop(self.root, &images.interrupted, timeout)
    }
}

fn report_queued(images: &SortedImages<'_>, report: &mut Report) {
    for (_, spec) in images.stopped() {
        report.succeeded(Event::JobQueued, spec, "systemd is unmapping it");
    }
    for (spec, reason) in &images.failed {
        report.image_failed(Event::UnmapFailed, *spec, reason);
    }
}

/// The instances that are stopped, and the hooks and mounts that are stopped before them.
fn watched_units(root: &Root, images: &SortedImages<'_>, mappings: &[Mapping]) -> Vec<WatchedUnit> {
    let specs = images.held.values();
    let instances = specs.clone().map(|spec| WatchedUnit::instance(spec));
    let hooks = specs.map(|spec| WatchedUnit::hook(spec));
    let mut watched: Vec<WatchedUnit> = instances.chain(hooks).collect();
    let snapshot = mounts::look(root).unwrap_or_default();
    let stack = MountStack::new(&snapshot);
    for mapping in mappings {
        for step in stack.standing_on(&device::nodes(root, &mapping.name())) {
            let Layer::Mount(mount) = step.layer else {
                continue;
            };
            watched.push(WatchedUnit {
                unit: unit_name::mount(&mount.target),
                spec: mapping.spec.clone(),
                job: Some(format!("{} to be unmounted", mount.target.display())),
            });
        }
    }
    watched
}
