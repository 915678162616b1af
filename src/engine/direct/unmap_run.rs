//! The state of one run that unmaps: the mappings, what stands on each, and the jobs that are running. `down` starts the jobs
//! and takes their results, `shutdown` decides how long the run waits, `blockers` reports what is left; each of these files
//! adds its own methods to [`UnmapRun`].

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::layer::{LayerKey, LayerState};
use super::shutdown_check::ShutdownCheck;
use super::shutdown_progress::ShutdownProgress;
use super::unmap_image::Removal;
use crate::engine::write_errors::LostWrites;
use crate::model::block_node::BlockNode;
use crate::model::hook_call::DeclaredHooks;
use crate::model::mapping::Mapping;
use crate::report::failures::Report;
use crate::runtime::deadline::Deadline;
use crate::runtime::job_pool::JobPool;
use crate::runtime::root::Root;
use crate::sys::device;

/// How a run unmaps its mappings.
#[derive(Debug, Clone, Copy)]
pub struct UnmapSettings<'a> {
    /// How long the run continues without progress.
    pub timeout: Duration,
    /// How many steps run at once.
    pub parallel: usize,
    /// The hooks that the settings declare, if the run calls hooks at all.
    pub hooks: Option<&'a DeclaredHooks>,
    /// For a run in a unit, which the shutdown of the system may have stopped.
    pub shutdown: Option<&'a ShutdownCheck<'a>>,
}

/// One run.
pub(super) struct UnmapRun<'a> {
    pub(super) root: &'a Root,
    pub(super) start: Instant,
    /// Starts again with each progress.
    pub(super) deadline: Deadline,
    pub(super) shutdown: Option<&'a ShutdownCheck<'a>>,
    pub(super) progress: ShutdownProgress,
    pub(super) lost_writes: LostWrites,
    pub(super) items: Vec<UnmapItem>,
    pub(super) layers: HashMap<LayerKey, LayerState>,
    pub(super) pool: JobPool<UnmapJobDone>,
    pub(super) report: Report,
}

/// One mapping to remove.
pub(super) struct UnmapItem {
    pub(super) mapping: Mapping,
    pub(super) nodes: Vec<BlockNode>,
    pub(super) stage: UnmapStage,
    /// Every layer that any look has found on it.
    pub(super) layers: HashSet<LayerKey>,
    /// The time before which no further attempt is made.
    pub(super) retry_at: Instant,
    /// Whether the kernel refused to remove it because it was in use.
    pub(super) was_in_use: bool,
}

/// How far a mapping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnmapStage {
    /// Its hook runs.
    Hook,
    /// Layers stand on it, or it was in use at the last attempt.
    Layers,
    /// The kernel removes it.
    Removing,
    /// It is removed, or the run has given it up.
    Finished,
}

/// The result of a job. Mappings are identified by their index in the run.
pub(super) enum UnmapJobDone {
    Hook(usize, anyhow::Result<()>),
    Layer(LayerKey, LayerState),
    Removal(usize, Removal),
}

impl<'a> UnmapRun<'a> {
    pub(super) fn new(root: &'a Root, mappings: &[Mapping], settings: UnmapSettings<'a>) -> Self {
        let stage = if settings.hooks.is_some() {
            UnmapStage::Hook
        } else {
            UnmapStage::Layers
        };
        let items = mappings
            .iter()
            .map(|mapping| UnmapItem::new(root, mapping, stage))
            .collect();
        Self {
            root,
            start: Instant::now(),
            deadline: Deadline::after(settings.timeout),
            shutdown: settings.shutdown,
            progress: ShutdownProgress::new(),
            lost_writes: LostWrites::new(root),
            items,
            layers: HashMap::new(),
            pool: JobPool::new(settings.parallel),
            report: Report::default(),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.items
            .iter()
            .all(|item| item.stage == UnmapStage::Finished)
    }

    /// Whether there is nothing to start: only the kernel and hooks are at work. With hundreds of mappings, this is so most of
    /// the time.
    pub(super) fn only_waits(&self) -> bool {
        self.items
            .iter()
            .all(|item| item.stage != UnmapStage::Layers)
    }

    /// Whether the run only waits, and no attempt has found anything in use, so that looking for its users is useless.
    pub(super) fn waits_only_for_kernel(&self) -> bool {
        self.only_waits() && !self.items.iter().any(|item| self.is_in_use(item))
    }

    /// Whether an attempt found the mapping, or a layer on it, in use. Another attempt may be running.
    pub(super) fn is_in_use(&self, item: &UnmapItem) -> bool {
        let is_left = matches!(item.stage, UnmapStage::Layers | UnmapStage::Removing);
        is_left
            && (item.was_in_use
                || item
                    .layers
                    .iter()
                    .any(|key| matches!(self.layers.get(key), Some(LayerState::RetryAt(_)))))
    }
}

impl UnmapItem {
    pub(super) fn new(root: &Root, mapping: &Mapping, stage: UnmapStage) -> Self {
        let disk = BlockNode {
            name: mapping.name(),
            number: mapping.number,
            partition: None,
        };
        let mut nodes = device::nodes(root, &mapping.name());
        // The disk itself counts even if /sys does not list it.
        if !nodes.contains(&disk) {
            nodes.push(disk);
        }
        Self {
            mapping: mapping.clone(),
            nodes,
            stage,
            layers: HashSet::new(),
            retry_at: Instant::now(),
            was_in_use: false,
        }
    }

    /// Whether it is time to remove a layer, or the mapping.
    pub(super) fn is_due(&self) -> bool {
        self.stage == UnmapStage::Layers && self.retry_at <= Instant::now()
    }
}
