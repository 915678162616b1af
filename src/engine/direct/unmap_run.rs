//! The state of one unmapping: every mapping that is to go, what stands on it, and what is under way. `down` drives it,
//! `blockers` reports what is left, `shutdown` decides how long to wait.

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

/// What a run is told beside its mappings.
#[derive(Debug, Clone, Copy)]
pub struct UnmapSettings<'a> {
    /// How long the run continues without progress.
    pub timeout: Duration,
    /// How many steps run at once.
    pub parallel: usize,
    /// The hooks that settings name, if hooks are to be run at all.
    pub hooks: Option<&'a DeclaredHooks>,
    /// If the system may be going down: what to go by then, in the place of the time.
    pub shutdown: Option<&'a ShutdownCheck<'a>>,
}

/// What has been done so far, and what is under way.
pub(super) struct UnmapRun<'a> {
    pub(super) root: &'a Root,
    pub(super) start: Instant,
    /// Restarts whenever something has gone.
    pub(super) patience: Deadline,
    pub(super) shutdown: Option<&'a ShutdownCheck<'a>>,
    pub(super) hope: ShutdownProgress,
    pub(super) losses: LostWrites,
    pub(super) items: Vec<UnmapItem>,
    pub(super) things: HashMap<LayerKey, LayerState>,
    pub(super) pool: JobPool<UnmapJobDone>,
    pub(super) report: Report,
}

/// One mapping that is to go.
pub(super) struct UnmapItem {
    pub(super) mapping: Mapping,
    pub(super) nodes: Vec<BlockNode>,
    pub(super) stage: UnmapStage,
    /// All that was ever seen on it.
    pub(super) things: HashSet<LayerKey>,
    /// When it may be tried to remove it.
    pub(super) not_before: Instant,
    /// Whether somebody had it open when that was tried.
    pub(super) was_busy: bool,
}

impl UnmapItem {
    pub(super) fn new(root: &Root, mapping: &Mapping, stage: UnmapStage) -> Self {
        let disk = BlockNode {
            name: mapping.name(),
            number: mapping.number,
            partition: None,
        };
        let mut nodes = device::nodes(root, &mapping.name());
        if !nodes.contains(&disk) {
            nodes.push(disk);
        }
        Self {
            mapping: mapping.clone(),
            nodes,
            stage,
            things: HashSet::new(),
            not_before: Instant::now(),
            was_busy: false,
        }
    }
}

/// How far a mapping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnmapStage {
    /// Its hook is running.
    Hook,
    /// Something stands on it, or it was found busy.
    Stack,
    /// The kernel is removing it.
    Removing,
    /// Gone, or given up.
    Over,
}

/// What a job came to.
pub(super) enum UnmapJobDone {
    Hook(usize, anyhow::Result<()>),
    Layer(LayerKey, LayerState),
    Removal(usize, Removal),
}
