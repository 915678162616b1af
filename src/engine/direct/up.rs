//! The direct engine: carries a plan out in this process, without asking systemd. It is what the units themselves run,
//! and what works where there is no systemd.
//!
//! Images are mapped in parallel; each entry of fstab is mounted as soon as the images that it needs are mapped and
//! what it stands on is mounted; an image's hook is run when nothing of it is waited for any more. So what is slow or
//! fails holds up nothing but what stands on it. File systems are not checked: fsck, like making and growing them, is
//! systemd's (systemd-fsck@.service), and happens where its units mount.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::map_image::{Mapped, Mapper, RetryPolicy};
use super::mount_job::MountJob;
use crate::config::table::Entry;
use crate::diagnose::MapFailure;
use crate::engine::hook::ImageHook;
use crate::engine::write_errors;
use crate::model::hook_call::{HookCall, HookPolicy};
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;
use crate::plan::MapPlan;
use crate::plan::fstab_graph::MountStep;
use crate::report::event::{Event, Subject};
use crate::report::failures::Report;
use crate::runtime::deadline::Deadline;
use crate::runtime::job_pool::JobPool;
use crate::runtime::root::Root;
use crate::sys::notify;

/// What a run is told beside its plan.
#[derive(Debug, Clone, Copy)]
pub struct MapSettings {
    /// Who asks for the mappings.
    pub origin: Origin,
    /// How long each image, mount and hook may take.
    pub timeout: Duration,
    /// How many images, mounts and hooks run at once.
    pub parallel: usize,
    /// Whether the hooks of new mappings are run.
    pub hooks: HookPolicy,
    /// How long monitors that do not answer are asked.
    pub retry: RetryPolicy,
}

/// Maps every image of the plan, mounts what stands on those that are mapped now, and runs the hooks of those that
/// were not mapped before.
pub fn map(root: &Root, plan: &MapPlan<'_>, manner: MapSettings) -> Report {
    let images = plan
        .images
        .iter()
        .map(|entry| (&entry.spec, ImageState::Awaited))
        .collect();
    let steps = vec![MountStage::Waiting; plan.mounts.len()];
    let (mapper, pool) = (
        Arc::new(Mapper::new(root, manner.retry)),
        JobPool::new(manner.parallel),
    );
    let mut work = MapRun {
        root,
        plan,
        manner,
        mapper,
        images,
        steps,
        pool,
        report: Report::default(),
    };
    notify::status("mapping");
    for line in &plan.refused {
        work.report.failed(format!(
            "not mounted on {}: {}",
            line.entry.target.display(),
            line.why
        ));
    }
    work.map_images();
    loop {
        work.mount_what_can_be();
        if manner.hooks == HookPolicy::Run {
            work.run_hooks();
        }
        // Every job ends by itself within its limit.
        match work.pool.next(Duration::MAX) {
            Some(done) => work.take(done),
            None => {
                write_errors::warn_about(root, work.adopted());
                return work.report;
            }
        }
    }
}

/// How far an image is.
enum ImageState {
    /// Being mapped.
    Awaited,
    /// Mapped; whether it was before.
    Mapped { mapping: Mapping, adopted: bool },
    /// Mapped, and its hook has been called.
    Hooked(Mapping),
    /// Not to be had.
    Failed,
}

/// How far a mount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MountStage {
    Waiting,
    Running,
    Mounted,
    Failed,
}

/// What a job came to. Images and steps by their place in the plan.
enum MapJobDone {
    ImageState(usize, Result<Mapped>),
    Step(usize, Result<String, String>),
    Hook(ImageSpec, Result<()>),
}

/// What has been done so far, and what is under way.
struct MapRun<'a> {
    root: &'a Root,
    plan: &'a MapPlan<'a>,
    manner: MapSettings,
    mapper: Arc<Mapper>,
    images: HashMap<&'a ImageSpec, ImageState>,
    steps: Vec<MountStage>,
    pool: JobPool<MapJobDone>,
    report: Report,
}

impl<'a> MapRun<'a> {
    fn map_images(&mut self) {
        for (entry, mapped) in self.mapper.adopted(&self.plan.images) {
            self.take_image(entry, Ok(mapped));
        }
        for (at, entry) in self.plan.images.iter().enumerate() {
            if matches!(self.images.get(&entry.spec), Some(ImageState::Awaited)) {
                self.map_image(at, entry);
            }
        }
    }

    fn map_image(&mut self, at: usize, entry: &Entry) {
        let (mapper, entry, manner) = (Arc::clone(&self.mapper), entry.clone(), self.manner);
        self.pool.submit(move || {
            MapJobDone::ImageState(at, mapper.image(&entry, manner.origin, manner.timeout))
        });
    }

    fn take(&mut self, done: MapJobDone) {
        match done {
            MapJobDone::ImageState(at, result) => self.take_image(self.plan.images[at], result),
            MapJobDone::Step(at, Ok(what)) => {
                self.report
                    .succeeded(Event::Mounted, self.plan.mounts[at].images[0], what);
                self.steps[at] = MountStage::Mounted;
            }
            MapJobDone::Step(at, Err(why)) => self.lose(at, &why),
            MapJobDone::Hook(_, Ok(())) => {}
            MapJobDone::Hook(spec, Err(why)) => {
                self.report
                    .image_failed(Event::HookFailed, &spec, format!("{why:#}"))
            }
        }
    }

    fn take_image(&mut self, entry: &'a Entry, result: Result<Mapped>) {
        let text = match &result {
            Ok(mapped) => mapped.describe(),
            Err(error) => format!("{error:#}"),
        };
        notify::status(&text);
        let image = match result {
            Ok(mapped) => {
                self.report.succeeded(Event::Mapped, &mapped.mapping, text);
                ImageState::Mapped {
                    mapping: mapped.mapping,
                    adopted: mapped.adopted,
                }
            }
            Err(error) => {
                let errno = error
                    .downcast_ref::<MapFailure>()
                    .and_then(|failure| failure.errno);
                self.report.image_failed(
                    Event::MapFailed,
                    Subject::from(&entry.spec).errno(errno),
                    text,
                );
                ImageState::Failed
            }
        };
        self.images.insert(&entry.spec, image);
    }

    /// What was mapped before.
    fn adopted(&self) -> impl Iterator<Item = &Mapping> {
        self.images.values().filter_map(|image| match image {
            ImageState::Mapped {
                mapping,
                adopted: true,
            } => Some(mapping),
            _ => None,
        })
    }

    fn lose(&mut self, at: usize, why: &str) {
        self.report
            .image_failed(Event::MountFailed, self.plan.mounts[at].images[0], why);
        self.steps[at] = MountStage::Failed;
    }

    /// Starts every mount whose time has come, and gives up those whose time cannot come. What a step needs is before
    /// it in the list, so one walk is enough.
    fn mount_what_can_be(&mut self) {
        for (at, step) in self.plan.mounts.iter().enumerate() {
            if self.steps[at] != MountStage::Waiting {
                continue;
            }
            let target = step.entry.target.display();
            if let Some(missing) = self.what_is_lost(step) {
                self.lose(at, &format!("not mounted on {target}: it needs {missing}"));
            } else if self.is_ready(step) {
                self.steps[at] = MountStage::Running;
                let job = self.mount_job(step);
                self.pool.submit(move || MapJobDone::Step(at, job.run()));
            }
        }
    }

    fn mount_job(&self, step: &MountStep<'_>) -> MountJob {
        let own = step.own.and_then(|spec| match self.images.get(spec) {
            Some(ImageState::Mapped { mapping, .. } | ImageState::Hooked(mapping)) => {
                Some(mapping.clone())
            }
            _ => None,
        });
        let elsewhere = step
            .elsewhere
            .iter()
            .map(|target| target.to_path_buf())
            .collect();
        let (spec, limit) = (step.images[0].clone(), self.manner.timeout);
        MountJob {
            root: self.root.clone(),
            spec,
            entry: step.entry.clone(),
            own,
            elsewhere,
            limit,
        }
    }

    /// What the step can wait for in vain, in words.
    fn what_is_lost(&self, step: &MountStep<'_>) -> Option<String> {
        let mount = step
            .after
            .iter()
            .find(|need| self.steps[**need] == MountStage::Failed);
        let mount = mount.map(|need| {
            format!(
                "{}, which is not mounted",
                self.plan.mounts[*need].entry.target.display()
            )
        });
        let image = step
            .images
            .iter()
            .find(|spec| matches!(self.images.get(*spec), Some(ImageState::Failed)));
        mount.or_else(|| image.map(|spec| format!("{spec}, which is not mapped")))
    }

    /// Images that this plan does not map are not waited for: what stands on them is mounted already, or it fails.
    fn is_ready(&self, step: &MountStep<'_>) -> bool {
        let is_mapped = |spec: &&ImageSpec| {
            !matches!(
                self.images.get(*spec),
                Some(ImageState::Awaited | ImageState::Failed)
            )
        };
        step.images.iter().all(is_mapped)
            && step
                .after
                .iter()
                .all(|need| self.steps[*need] == MountStage::Mounted)
    }

    /// Starts the hook of every image that is new and of which nothing is waited for.
    fn run_hooks(&mut self) {
        let is_open =
            |at: &usize| matches!(self.steps[*at], MountStage::Waiting | MountStage::Running);
        let open: Vec<usize> = (0..self.steps.len()).filter(is_open).collect();
        for (spec, image) in &mut self.images {
            let ImageState::Mapped {
                mapping,
                adopted: false,
            } = image
            else {
                continue;
            };
            if open
                .iter()
                .any(|at| self.plan.mounts[*at].images.contains(spec))
            {
                continue;
            }
            *image = ImageState::Hooked(mapping.clone());
            let (root, spec, limit) = (self.root.clone(), (*spec).clone(), self.manner.timeout);
            let own = self
                .plan
                .images
                .iter()
                .find(|entry| entry.spec == spec)
                .and_then(|entry| entry.hook.clone());
            self.pool.submit(move || {
                let hook = ImageHook {
                    spec: &spec,
                    declared: own.as_deref(),
                };
                let result = hook.run(&root, HookCall::Map, &Deadline::after(limit));
                MapJobDone::Hook(spec, result)
            });
        }
    }
}
