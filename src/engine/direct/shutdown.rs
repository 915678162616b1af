//! At shutdown: for how long what is in use is waited for. The network stays up meanwhile, for systemd stops it only after
//! the unit that waits here.
//!
//! Applications that do not say which mounts they need are stopped at the same time as these, and may take long to end
//! (90 s if their units say nothing, then systemd kills them); and a file system with much to write back takes its time.
//! Both are worth waiting for. A process that nobody stops and a cluster that does not answer are not. So the wait goes on
//! as long as there is hope (`hope`): systemd is stopping the unit of a holder, the image is being written to, or others go.
//! systemd is asked for more time meanwhile (sd_notify(3), EXTEND_TIMEOUT_USEC=), and told for whom.

use std::time::{Duration, Instant};

use super::shutdown_check::ShutdownCheck;
use super::shutdown_progress::ProgressSigns;
use super::unmap_image;
use super::unmap_run::{UnmapItem, UnmapRun, UnmapStage};
use crate::engine::progress;
use crate::model::holder::{self, Holder};
use crate::model::unit_status::{Activity, UnitStatus};
use crate::plan::teardown::{Layer, MountStack, TeardownStep};
use crate::report::event::Event;
use crate::sys::rbd::bus;
use crate::sys::systemd::Manager;
use crate::sys::{device, mounts, notify};

/// How long a look for holders may take.
const LOOK_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// What systemd is asked for at each look, from then on.
const EXTENSION: Duration = Duration::from_secs(30);

/// How long nobody may be found to use what is in use before that is told.
const NOBODY_FOUND: Duration = Duration::from_secs(10);

/// How long to go on without hope, at most.
const WITHOUT_HOPE: Duration = Duration::from_secs(20);

impl UnmapRun<'_> {
    /// Something has gone, and so may the rest: of hundreds, the kernel takes one after the other.
    pub(super) fn go_on(&mut self) {
        self.patience.restart();
        self.hope.something_went(Instant::now());
        if self.shutdown.is_some() && self.start.elapsed() > EXTENSION {
            notify::extend(EXTENSION);
        }
    }

    /// Whether to go on no longer with what is left.
    pub(super) fn is_over(&mut self) -> bool {
        let (now, elapsed) = (Instant::now(), self.start.elapsed());
        if self.hope.may_look()
            && bus::entries(self.root).is_ok_and(|mapped| self.hope.is_fewer(mapped.len()))
        {
            self.go_on();
        }
        let Some(ShutdownCheck { timeouts, .. }) = self.shutdown else {
            self.tell_waits();
            return self.patience.remaining().is_zero();
        };
        let is_early = elapsed < timeouts.unmap.min(timeouts.shutdown);
        // Of many units that wait for the kernel at a time, each that asks systemd has it send all its news once more.
        if is_early && (!self.hope.may_look() || self.is_up_to_the_kernel()) {
            self.hope.is_time(LOOK_PAUSE);
            return false;
        }
        let Some(manager) = self.shutdown.and_then(ShutdownCheck::manager) else {
            self.tell_waits();
            return self.patience.elapsed() >= timeouts.unmap;
        };
        if elapsed >= timeouts.shutdown {
            return true;
        }
        let signs = self.look(manager);
        notify::extend(EXTENSION);
        // On a machine where looking takes long, it is not to take the time of those who are ending.
        self.hope
            .look_again_after(LOOK_PAUSE.max(now.elapsed() * 3));
        !self
            .hope
            .remains(&signs, timeouts.unmap.min(WITHOUT_HOPE), now)
    }

    fn look(&mut self, manager: &Manager) -> ProgressSigns {
        let stopping = manager.stopping_units().unwrap_or_default();
        let seen = mounts::look(self.root).unwrap_or_default();
        let picture = MountStack::new(&seen);
        let mut signs = ProgressSigns::default();
        for item in self
            .items
            .iter()
            .filter(|item| item.stage != UnmapStage::Over)
        {
            signs.written += item
                .nodes
                .first()
                .and_then(|disk| device::written(self.root, &disk.name))
                .unwrap_or(0);
            // What the kernel is removing nobody uses; of many, most are still in the queue for that at the first look.
            if item.stage == UnmapStage::Removing {
                continue;
            }
            let usage = self.usage(item, &picture.standing_on(&item.nodes), LOOK_LIMIT);
            // Who has not been found in time may be anybody who is being stopped.
            let Some(holders) = usage.holders else {
                signs.stopping |= !stopping.is_empty();
                continue;
            };
            signs.stopping |= holders
                .iter()
                .any(|holder| is_being_stopped(holder, &stopping));
            let status =
                UnitStatus::new(Activity::Blocked, holder::describe(&usage.name, &holders));
            // Who holds it for a moment, such as udev, has often gone before it is found.
            if !holders.is_empty() || self.start.elapsed() > NOBODY_FOUND {
                self.hope.tell(&item.mapping.spec, &status);
            }
            progress::show(&status);
        }
        signs
    }

    /// The last resort. What the kernel does not give back in time is left to it; what was mounted on a device that is gone
    /// is taken out of sight.
    pub(super) fn force(&mut self, item: usize, steps: &[TeardownStep<'_>]) {
        let UnmapItem { mapping, .. } = &self.items[item];
        let spec = mapping.spec.clone();
        let forced = unmap_image::by_force(self.root, mapping);
        let mounted = steps.iter().filter_map(|step| match step.layer {
            Layer::Mount(mount) if forced.is_ok() => Some(&mount.target),
            _ => None,
        });
        for error in mounted.filter_map(|target| libmount::detach(target).err()) {
            tracing::warn!("{spec}: {error}");
        }
        match forced {
            Ok(()) => self.report.image_failed(
                Event::ForcedUnmap,
                &spec,
                format!(
                    "removed /dev/{} by force, as shutdown_force says: what had not been written is lost",
                    mapping.name()
                ),
            ),
            Err(why) => self.report.image_failed(
                Event::UnmapFailed,
                &spec,
                format!("removing /dev/{} by force: {why}", mapping.name()),
            ),
        }
    }
}

/// A process by its unit, unless it waits for the cluster itself, as LVM's programs do, which read every disk; for what is
/// no process, anybody who is being stopped may be who holds it.
fn is_being_stopped(holder: &Holder, stopping: &[String]) -> bool {
    match holder {
        Holder::Process(process, _) | Holder::Namespace(process, _) => {
            !process.waits_for_disk
                && process
                    .unit
                    .as_ref()
                    .is_some_and(|unit| stopping.contains(unit))
        }
        Holder::Device(..) | Holder::Loop(..) | Holder::Swap(_) => !stopping.is_empty(),
        // It is written to, or it is not.
        Holder::FileSystem(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::holder::Process;

    #[test]
    fn a_holder_is_worth_waiting_for_if_its_own_unit_is_being_stopped() {
        let stopping = ["database.service".to_owned(), "stuck.service".to_owned()];
        let process = |unit: &str| Process {
            pid: 9,
            command: "x".into(),
            user: None,
            unit: Some(unit.to_owned()),
            waits_for_disk: unit.starts_with("stuck"),
        };
        let rows = [
            (
                Holder::Process(process("database.service"), "/srv".into()),
                true,
            ),
            (
                Holder::Process(process("other.service"), "/srv".into()),
                false,
            ),
            (
                Holder::Process(process("stuck.service"), "/dev/rbd0".into()),
                false,
            ),
            (
                Holder::Namespace(process("database.service"), "/srv".into()),
                true,
            ),
            (Holder::Device("dm-0".into(), None), true),
            (Holder::FileSystem("ext4".into(), "rbd0".into()), false),
        ];
        for (holder, worth_it) in rows {
            assert_eq!(is_being_stopped(&holder, &stopping), worth_it, "{holder:?}");
            assert!(!is_being_stopped(&holder, &[]));
        }
    }
}
