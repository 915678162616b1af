//! Maps and mounts in this process, without systemd. The units run it, and so does a machine without systemd.
//!
//! Images are mapped in parallel. An fstab entry is mounted as soon as the images that it needs are mapped and what it stands
//! on is mounted. The hook of an image runs when all mounts on the image are finished. So what is slow or fails delays only
//! what stands on it. File systems are neither checked nor made nor grown here: systemd does that in units of its own, such as
//! systemd-fsck@.service.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use super::map_image::Mapped;
use super::map_run::{ImageState, MapJobDone, MapRun, MapSettings, MountStage};
use super::mount_job::MountJob;
use crate::config::table::Entry;
use crate::diagnose::MapFailure;
use crate::engine::hook::ImageHook;
use crate::engine::write_errors;
use crate::model::hook_call::{HookCall, HookPolicy};
use crate::model::image_spec::ImageSpec;
use crate::plan::MapPlan;
use crate::plan::fstab_graph::MountStep;
use crate::report::event::{Event, Subject};
use crate::report::failures::Report;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::notify;

/// Maps every image of the plan, mounts what stands on those that are mapped, and runs the hooks of those that were not
/// mapped before.
pub fn map(root: &Root, plan: &MapPlan<'_>, settings: MapSettings) -> Report {
    let mut run = MapRun::new(root, plan, settings);
    notify::status("mapping");
    for refused in &plan.refused {
        let target = refused.entry.target.display();
        run.report
            .failed(format!("not mounted on {target}: {}", refused.why));
    }
    run.map_images();
    loop {
        // Each result may make a mount or a hook ready.
        run.start_mounts();
        if settings.hooks == HookPolicy::Run {
            run.start_hooks();
        }
        // Every job ends within its own time limit.
        match run.pool.next(Duration::MAX) {
            Some(done) => run.take(done),
            None => break,
        }
    }
    write_errors::warn_about(root, run.already_mapped());
    run.report
}

impl<'a> MapRun<'a> {
    fn map_images(&mut self) {
        // These need neither a lock nor a thread.
        for (entry, mapped) in self.mapper.already_mapped(&self.plan.images) {
            self.take_image(entry, Ok(mapped));
        }
        for (at, entry) in self.plan.images.iter().enumerate() {
            if !matches!(self.images.get(&entry.spec), Some(ImageState::Mapping)) {
                continue;
            }
            let mapper = Arc::clone(&self.mapper);
            let entry = (*entry).clone();
            let settings = self.settings;
            self.pool.submit(move || {
                let result = mapper.map(&entry, settings.origin, settings.timeout);
                MapJobDone::Image(at, result)
            });
        }
    }

    fn take(&mut self, done: MapJobDone) {
        match done {
            MapJobDone::Image(at, result) => self.take_image(self.plan.images[at], result),
            MapJobDone::Mount(at, Ok(text)) => {
                let spec = self.plan.mounts[at].images[0];
                self.report.succeeded(Event::Mounted, spec, text);
                self.mounts[at] = MountStage::Mounted;
            }
            MapJobDone::Mount(at, Err(error)) => self.mount_failed(at, format!("{error:#}")),
            MapJobDone::Hook(_, Ok(())) => {}
            MapJobDone::Hook(spec, Err(error)) => {
                self.report
                    .image_failed(Event::HookFailed, &spec, format!("{error:#}"));
            }
        }
    }

    fn take_image(&mut self, entry: &'a Entry, result: Result<Mapped, MapFailure>) {
        let state = match result {
            Ok(mapped) => {
                let text = mapped.describe();
                notify::status(&text);
                self.report.succeeded(Event::Mapped, &mapped.mapping, text);
                ImageState::Mapped {
                    mapping: mapped.mapping,
                    was_mapped: mapped.was_mapped,
                }
            }
            Err(failure) => {
                // The last status of a unit that fails is its reason in `rbdmap status` and in the report of `rbdmap map`.
                notify::status(&failure.to_string());
                let about = Subject::from(&entry.spec).with_errno(failure.errno);
                self.report.image_failed(Event::MapFailed, about, failure);
                ImageState::Failed
            }
        };
        self.images.insert(&entry.spec, state);
    }

    fn mount_failed(&mut self, at: usize, text: String) {
        let spec = self.plan.mounts[at].images[0];
        self.report.image_failed(Event::MountFailed, spec, text);
        self.mounts[at] = MountStage::Failed;
    }

    /// Starts every mount that is ready, and gives up those that cannot become ready.
    fn start_mounts(&mut self) {
        let plan = self.plan;
        // What a mount needs comes before it in the plan, so failures propagate in one pass.
        for (at, step) in plan.mounts.iter().enumerate() {
            if self.mounts[at] != MountStage::Waiting {
                continue;
            }
            if let Some(need) = self.missing_need(step) {
                let target = step.entry.target.display();
                self.mount_failed(at, format!("not mounted on {target}: it needs {need}"));
            } else if self.is_ready(step) {
                self.mounts[at] = MountStage::Running;
                let job = self.mount_job(step);
                self.pool.submit(move || MapJobDone::Mount(at, job.run()));
            }
        }
    }

    fn mount_job(&self, step: &MountStep<'_>) -> MountJob {
        MountJob {
            root: self.root.clone(),
            spec: step.images[0].clone(),
            entry: step.entry.clone(),
            own: step
                .source_image
                .and_then(|spec| self.mapping_of(spec))
                .cloned(),
            elsewhere: step
                .elsewhere
                .iter()
                .map(|target| target.to_path_buf())
                .collect(),
            timeout: self.settings.timeout,
        }
    }

    /// Starts the hook of every new mapping whose mounts are finished.
    fn start_hooks(&mut self) {
        for entry in &self.plan.images {
            let is_due = matches!(
                self.images.get(&entry.spec),
                Some(ImageState::Mapped {
                    was_mapped: false,
                    ..
                })
            ) && !self.has_open_mounts(&entry.spec);
            if is_due {
                self.start_hook(entry);
            }
        }
    }

    fn start_hook(&mut self, entry: &'a Entry) {
        let Some(mapping) = self.mapping_of(&entry.spec).cloned() else {
            return;
        };
        self.images.insert(&entry.spec, ImageState::Hooked(mapping));
        let root = self.root.clone();
        let spec: ImageSpec = entry.spec.clone();
        let declared = entry.hook.clone();
        let timeout = self.settings.timeout;
        self.pool.submit(move || {
            let hook = ImageHook {
                spec: &spec,
                declared: declared.as_deref(),
            };
            let result = hook.run(&root, HookCall::Map, &Deadline::after(timeout));
            MapJobDone::Hook(spec, result)
        });
    }
}
