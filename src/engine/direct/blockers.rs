//! The end of an unmapping from which nothing more has come: says of each mapping that is left what is in the way, and who.

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
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::holders::{self, Held};
use crate::sys::mounts;
use crate::sys::rbd::bus;

/// How long a last try may take, at the end.
const LAST_TRY_LIMIT: Duration = Duration::from_secs(1);

/// By hand, what comes sooner is worth no word; and how long until somebody else may be in the way.
const REPORT_AFTER: Duration = Duration::from_secs(4);
const LOOK_PAUSE: Duration = Duration::from_secs(10);

/// Of how many images it is found out who uses them, each time.
const LOOKS: usize = 3;

/// How long looking for holders may take, at the end.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

impl UnmapRun<'_> {
    /// Reports every mapping that is left; at shutdown, if that is wanted, it is removed by force.
    pub(super) fn give_up(&mut self) {
        self.await_last_tries();
        let seen = mounts::look(self.root).unwrap_or_default();
        let picture = MountStack::new(&seen);
        for at in 0..self.items.len() {
            let item = &self.items[at];
            if item.stage == UnmapStage::Over {
                continue;
            }
            let (mapping, device) = (item.mapping.clone(), item.mapping.name());
            if item.stage == UnmapStage::Removing
                && bus::find(self.root, item.mapping.id).as_ref() != Some(&item.mapping)
            {
                self.report
                    .succeeded(Event::Unmapped, &mapping, format!("unmapped /dev/{device}"));
                continue;
            }
            let steps = picture.standing_on(&item.nodes);
            let why = self.obstacle(item, &steps);
            self.report.image_failed(
                Event::UnmapFailed,
                &mapping,
                format!("it stays mapped as /dev/{device}: {why}"),
            );
            if self.shutdown.is_some_and(ShutdownCheck::uses_force) {
                self.force(at, &steps);
            }
        }
    }

    /// Says what is waited for, when nobody is going down and somebody may wait for the answer.
    pub(super) fn tell_waits(&mut self) {
        if self.start.elapsed() < REPORT_AFTER || !self.hope.is_time(LOOK_PAUSE) {
            return;
        }
        let seen = mounts::look(self.root).unwrap_or_default();
        let picture = MountStack::new(&seen);
        // Looking for holders is reading all of /proc for each, and meanwhile nothing else is done.
        let busy: Vec<usize> = (0..self.items.len())
            .filter(|at| self.is_in_use(&self.items[*at]))
            .take(LOOKS)
            .collect();
        for at in busy {
            let item = &self.items[at];
            let sentence = match self.usage(item, &picture.standing_on(&item.nodes), LOOK_LIMIT) {
                DeviceUsage {
                    name,
                    holders: Some(holders),
                } if !holders.is_empty() => holder::describe(&name, &holders),
                // The kernel may be at it for good now, and what that waits for is told by who asked it.
                _ if item.stage == UnmapStage::Removing => continue,
                DeviceUsage { name, .. } => format!("{name} is in use"),
            };
            let spec = item.mapping.spec.clone();
            let status = UnitStatus::new(Activity::Blocked, sentence);
            progress::show(&status);
            self.hope.tell(&spec, &status);
        }
    }

    /// Whether it, or something on it, was tried and found in use. It may be being tried once more.
    pub(super) fn is_in_use(&self, item: &UnmapItem) -> bool {
        let is_busy = |key: &LayerKey| matches!(self.things.get(key), Some(LayerState::Again(_)));
        let is_left = matches!(item.stage, UnmapStage::Stack | UnmapStage::Removing);
        is_left && (item.was_busy || item.things.iter().any(is_busy))
    }

    /// What keeps a mapping from going.
    fn obstacle(&self, item: &UnmapItem, steps: &[TeardownStep<'_>]) -> String {
        let seconds = self.start.elapsed().as_secs();
        if item.stage == UnmapStage::Removing {
            return format!(
                "the kernel has not unmapped it for {seconds} s; is the cluster there?"
            );
        }
        self.known_obstacle(steps).unwrap_or_else(|| {
            let DeviceUsage { name, holders } = self.usage(item, steps, LOOK_LIMIT);
            holders.map_or_else(
                || format!("{name} is in use; `fuser -vm {name}` shows by whom"),
                |holders| holder::describe(&name, &holders),
            )
        })
    }

    /// As [`usage`], with what is known already.
    pub(super) fn usage(
        &self,
        item: &UnmapItem,
        steps: &[TeardownStep<'_>],
        limit: Duration,
    ) -> DeviceUsage {
        let name = steps
            .iter()
            .find_map(target)
            .unwrap_or_else(|| format!("/dev/{}", item.mapping.name()));
        let holders = look(self.root, &item.nodes, steps, limit);
        DeviceUsage { name, holders }
    }

    /// A try that is under way at the end ends in a moment, busy or not; only one that hangs does not.
    fn await_last_tries(&mut self) {
        let deadline = Deadline::after(LAST_TRY_LIMIT);
        while self
            .things
            .values()
            .any(|tried| matches!(tried, LayerState::UnderWay))
            && !deadline.remaining().is_zero()
        {
            if let Some(done) = self.pool.next(deadline.remaining()) {
                self.take(done);
            }
        }
    }

    /// What is in the way without being anybody's doing.
    fn known_obstacle(&self, steps: &[TeardownStep<'_>]) -> Option<String> {
        steps.iter().find_map(|step| {
            let name = target(step)?;
            match (
                self.things.get(&LayerKey::of(&step.layer)),
                step.hidden_below,
            ) {
                (Some(LayerState::UnderWay), _) => {
                    let seconds = self.start.elapsed().as_secs();
                    Some(format!(
                        "unmounting {name} has not ended for {seconds} s; is the cluster there?"
                    ))
                }
                (_, Some(above)) => Some(format!(
                    "{name} is hidden below the mount on {}; unmount that first",
                    above.display()
                )),
                _ => None,
            }
        })
    }
}

/// Who uses a device.
pub struct DeviceUsage {
    /// The topmost mount point, or the device where nothing is mounted.
    pub name: String,
    /// `None` if the search did not end in time.
    pub holders: Option<Vec<Holder>>,
}

/// Finds who uses a mapping.
pub fn usage(root: &Root, mapping: &Mapping, limit: Duration) -> DeviceUsage {
    let item = UnmapItem::new(root, mapping, UnmapStage::Stack);
    let seen = mounts::look(root).unwrap_or_default();
    let picture = MountStack::new(&seen);
    let steps = picture.standing_on(&item.nodes);
    let name = steps
        .iter()
        .find_map(target)
        .unwrap_or_else(|| format!("/dev/{}", mapping.name()));
    let holders = look(root, &item.nodes, &steps, limit);
    DeviceUsage { name, holders }
}

fn look(
    root: &Root,
    nodes: &[BlockNode],
    steps: &[TeardownStep<'_>],
    limit: Duration,
) -> Option<Vec<Holder>> {
    let mount_points = steps.iter().filter_map(mount_point).collect();
    let (root, held) = (
        root.clone(),
        Held {
            nodes: nodes.to_vec(),
            mount_points,
        },
    );
    Deadline::after(limit).run(move || holders::find(&root, &held))
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
