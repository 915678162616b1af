//! What keeps a mapping from being unmapped, and who. Adds to [`UnmapRun`] the reports while it waits and at its end.

use std::path::PathBuf;
use std::time::Duration;

use super::layer::{LayerKey, LayerState};
use super::shutdown_check::ShutdownCheck;
use super::unmap_run::{UnmapItem, UnmapRun, UnmapStage};
use crate::engine::progress;
use crate::model::block_node::BlockNode;
use crate::model::holder::{self, Holder};
use crate::model::mapping::Mapping;
use crate::model::unit_status::{Activity, UnitStatus};
use crate::plan::teardown::{Layer, MountStack, TeardownStep};
use crate::report::event::Event;
use crate::runtime::deadline::{Deadline, REPORT_AFTER};
use crate::runtime::root::Root;
use crate::sys::holders::{self, Held};
use crate::sys::mounts;
use crate::sys::rbd::bus;

/// How long attempts that run at the end may take.
const LAST_ATTEMPTS_TIMEOUT: Duration = Duration::from_secs(1);

/// The time between two reports of who uses what.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// For how many images each report names who uses them. The search reads all of /proc for each, and nothing else happens
/// meanwhile.
const IMAGES_PER_REPORT: usize = 3;

/// How long the search for holders may take.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Who uses a mapping.
pub struct DeviceUsage {
    /// The topmost mount point, or the device where nothing is mounted.
    pub name: String,
    /// `None` if the search did not end in time.
    pub holders: Option<Vec<Holder>>,
}

/// Finds who uses a mapping.
pub fn usage(root: &Root, mapping: &Mapping, limit: Duration) -> DeviceUsage {
    let item = UnmapItem::new(root, mapping, UnmapStage::Layers);
    let snapshot = mounts::look(root).unwrap_or_default();
    let steps = MountStack::new(&snapshot).standing_on(&item.nodes);
    item.usage(root, &steps, limit)
}

impl UnmapItem {
    /// Finds who uses the mapping or the layers on it.
    pub(super) fn usage(
        &self,
        root: &Root,
        steps: &[TeardownStep<'_>],
        limit: Duration,
    ) -> DeviceUsage {
        let name = steps
            .iter()
            .find_map(target)
            .unwrap_or_else(|| format!("/dev/{}", self.mapping.name()));
        let mount_points = steps.iter().filter_map(mount_point).collect();
        let holders = find_holders(root, &self.nodes, mount_points, limit);
        DeviceUsage { name, holders }
    }
}

/// `None` if the search does not end in time; it may block where a disk does not answer.
fn find_holders(
    root: &Root,
    nodes: &[BlockNode],
    mount_points: Vec<PathBuf>,
    limit: Duration,
) -> Option<Vec<Holder>> {
    let root = root.clone();
    let held = Held {
        nodes: nodes.to_vec(),
        mount_points,
    };
    Deadline::after(limit).run(move || holders::find(&root, &held))
}

impl UnmapRun<'_> {
    /// Reports every mapping that is left, and removes it by force if the settings want that at shutdown.
    pub(super) fn give_up(&mut self) {
        self.wait_for_last_attempts();
        let snapshot = mounts::look(self.root).unwrap_or_default();
        let stack = MountStack::new(&snapshot);
        for at in 0..self.items.len() {
            let item = &self.items[at];
            if item.stage == UnmapStage::Finished {
                continue;
            }
            let mapping = item.mapping.clone();
            let device = mapping.name();
            // The kernel may have completed a removal whose result has not arrived here.
            if item.stage == UnmapStage::Removing
                && bus::find(self.root, mapping.id).as_ref() != Some(&mapping)
            {
                self.report
                    .succeeded(Event::Unmapped, &mapping, format!("unmapped /dev/{device}"));
                continue;
            }
            let steps = stack.standing_on(&item.nodes);
            let reason = self.obstacle(item, &steps);
            self.report.image_failed(
                Event::UnmapFailed,
                &mapping,
                format!("it stays mapped as /dev/{device}: {reason}"),
            );
            if self.shutdown.is_some_and(ShutdownCheck::uses_force) {
                self.force(at, &steps);
            }
        }
    }

    /// An attempt that runs at the end takes a moment, whether the layer is in use or not, unless it hangs.
    fn wait_for_last_attempts(&mut self) {
        let deadline = Deadline::after(LAST_ATTEMPTS_TIMEOUT);
        while self.is_removing_layers() && !deadline.remaining().is_zero() {
            if let Some(done) = self.pool.next(deadline.remaining()) {
                self.take(done);
            }
        }
    }

    fn is_removing_layers(&self) -> bool {
        self.layers
            .values()
            .any(|state| matches!(state, LayerState::Running))
    }

    /// Why a mapping is still there.
    fn obstacle(&self, item: &UnmapItem, steps: &[TeardownStep<'_>]) -> String {
        if item.stage == UnmapStage::Removing {
            return format!(
                "the kernel did not unmap it within {} s; check that the cluster is reachable",
                self.start.elapsed().as_secs()
            );
        }
        if let Some(reason) = steps.iter().find_map(|step| self.known_obstacle(step)) {
            return reason;
        }
        let DeviceUsage { name, holders } = item.usage(self.root, steps, SEARCH_TIMEOUT);
        match holders {
            Some(holders) => holder::describe(&name, &holders),
            None => format!("{name} is in use; `fuser -vm {name}` shows the processes"),
        }
    }

    /// Why a layer is still there, if no process is the reason.
    fn known_obstacle(&self, step: &TeardownStep<'_>) -> Option<String> {
        let name = target(step)?;
        if let Some(LayerState::Running) = self.layers.get(&LayerKey::new(&step.layer)) {
            return Some(format!(
                "unmounting {name} has not finished after {} s; check that the cluster is reachable",
                self.start.elapsed().as_secs()
            ));
        }
        step.hidden_below.map(|above| {
            format!(
                "{name} is hidden below the mount on {}; unmount that mount first",
                above.display()
            )
        })
    }

    /// Reports who uses what is left. For a run outside of a shutdown, where somebody may wait for the answer.
    pub(super) fn report_users(&mut self) {
        if self.start.elapsed() < REPORT_AFTER || !self.progress.start_look(REPORT_INTERVAL) {
            return;
        }
        let snapshot = mounts::look(self.root).unwrap_or_default();
        let stack = MountStack::new(&snapshot);
        let in_use: Vec<&UnmapItem> = self
            .items
            .iter()
            .filter(|item| self.is_in_use(item))
            .take(IMAGES_PER_REPORT)
            .collect();
        for item in in_use {
            let DeviceUsage { name, holders } =
                item.usage(self.root, &stack.standing_on(&item.nodes), SEARCH_TIMEOUT);
            let reason = match holders {
                Some(holders) if !holders.is_empty() => holder::describe(&name, &holders),
                // The kernel may have begun the removal; the job that asked for it then reports what the kernel waits for.
                _ if item.stage == UnmapStage::Removing => continue,
                _ => format!("{name} is in use"),
            };
            let status = UnitStatus::new(Activity::Blocked, reason);
            progress::show(&status);
            self.progress.report_once(&item.mapping.spec, &status);
        }
    }
}

fn mount_point(step: &TeardownStep<'_>) -> Option<PathBuf> {
    match step.layer {
        Layer::Mount(mount) => Some(mount.target.clone()),
        Layer::Loop(_) => None,
    }
}

fn target(step: &TeardownStep<'_>) -> Option<String> {
    mount_point(step).map(|target| target.display().to_string())
}
