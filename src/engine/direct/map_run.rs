//! The state of one run that maps: the images, the mounts on them, and the jobs that are running. `up` starts the jobs and
//! takes their results.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::map_image::{Mapped, Mapper};
use super::retry_policy::RetryPolicy;
use crate::diagnose::MapFailure;
use crate::model::hook_call::HookPolicy;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;
use crate::plan::MapPlan;
use crate::plan::fstab_graph::MountStep;
use crate::report::failures::Report;
use crate::runtime::job_pool::JobPool;
use crate::runtime::root::Root;

/// How a run maps its plan.
#[derive(Debug, Clone, Copy)]
pub struct MapSettings {
    /// Who asks for the mappings.
    pub origin: Origin,
    /// How long each image, mount and hook may take.
    pub timeout: Duration,
    /// How many images, mounts and hooks run at once.
    pub parallel: usize,
    /// Whether the hooks of new mappings run.
    pub hooks: HookPolicy,
    /// How long an image that cannot be mapped now is retried.
    pub retry: RetryPolicy,
}

/// How far an image is.
pub(super) enum ImageState {
    /// It is being mapped.
    Mapping,
    /// It is mapped.
    Mapped { mapping: Mapping, was_mapped: bool },
    /// It is mapped, and its hook was started.
    Hooked(Mapping),
    /// It cannot be mapped.
    Failed,
}

/// How far a mount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MountStage {
    Waiting,
    Running,
    Mounted,
    Failed,
}

/// The result of a job. Images and mounts are identified by their index in the plan.
pub(super) enum MapJobDone {
    Image(usize, Result<Mapped, MapFailure>),
    Mount(usize, anyhow::Result<String>),
    Hook(ImageSpec, anyhow::Result<()>),
}

/// One run.
pub(super) struct MapRun<'a> {
    pub(super) root: &'a Root,
    pub(super) plan: &'a MapPlan<'a>,
    pub(super) settings: MapSettings,
    pub(super) mapper: Arc<Mapper>,
    pub(super) images: HashMap<&'a ImageSpec, ImageState>,
    pub(super) mounts: Vec<MountStage>,
    pub(super) pool: JobPool<MapJobDone>,
    pub(super) report: Report,
}

impl<'a> MapRun<'a> {
    pub(super) fn new(root: &'a Root, plan: &'a MapPlan<'a>, settings: MapSettings) -> Self {
        let images = plan
            .images
            .iter()
            .map(|entry| (&entry.spec, ImageState::Mapping))
            .collect();
        Self {
            root,
            plan,
            settings,
            mapper: Arc::new(Mapper::new(root, settings.retry)),
            images,
            mounts: vec![MountStage::Waiting; plan.mounts.len()],
            pool: JobPool::new(settings.parallel),
            report: Report::default(),
        }
    }

    /// The mappings that existed before the run.
    pub(super) fn already_mapped(&self) -> impl Iterator<Item = &Mapping> {
        self.images.values().filter_map(|image| match image {
            ImageState::Mapped {
                mapping,
                was_mapped: true,
            } => Some(mapping),
            _ => None,
        })
    }

    /// The mapping of an image, if this run has it.
    pub(super) fn mapping_of(&self, spec: &ImageSpec) -> Option<&Mapping> {
        match self.images.get(spec) {
            Some(ImageState::Mapped { mapping, .. } | ImageState::Hooked(mapping)) => Some(mapping),
            _ => None,
        }
    }

    /// What the mount needs and will not get, as the object of a message.
    pub(super) fn missing_need(&self, step: &MountStep<'_>) -> Option<String> {
        let mount = step
            .after
            .iter()
            .find(|at| self.mounts[**at] == MountStage::Failed);
        if let Some(at) = mount {
            let target = self.plan.mounts[*at].entry.target.display();
            return Some(format!("{target}, which is not mounted"));
        }
        let image = step
            .images
            .iter()
            .find(|spec| matches!(self.images.get(*spec), Some(ImageState::Failed)))?;
        Some(format!("{image}, which is not mapped"))
    }

    /// Whether everything that the mount needs is mapped and mounted. Images outside of the plan do not delay it: what stands
    /// on them is mounted already, or the mount fails.
    pub(super) fn is_ready(&self, step: &MountStep<'_>) -> bool {
        // `None` is an image outside of the plan.
        let has_images = step.images.iter().all(|spec| {
            !matches!(
                self.images.get(*spec),
                Some(ImageState::Mapping | ImageState::Failed)
            )
        });
        let has_mounts = step
            .after
            .iter()
            .all(|at| self.mounts[*at] == MountStage::Mounted);
        has_images && has_mounts
    }

    /// Whether a mount that needs the image is not finished.
    pub(super) fn has_open_mounts(&self, spec: &ImageSpec) -> bool {
        self.plan
            .mounts
            .iter()
            .zip(&self.mounts)
            .any(|(step, stage)| {
                matches!(stage, MountStage::Waiting | MountStage::Running)
                    && step.images.contains(&spec)
            })
    }
}
