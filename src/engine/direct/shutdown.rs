//! How long a run in a unit waits at shutdown for what is in use. Adds the decision to [`UnmapRun`]. The network stays up
//! meanwhile: systemd stops it only after the unit that waits here.
//!
//! Two things are worth the wait. Applications that do not declare which mounts they need are stopped at the same time as
//! the mounts, and may take long to end (90 s by default, then systemd kills them). And a file system with much to write
//! back takes its time. A process that nobody stops and a cluster that does not answer are not worth it. So the run
//! continues while there is progress (`shutdown_progress`): systemd stops the unit of a process that uses the image, data is
//! written to the image, or other images are removed. Meanwhile the unit asks systemd for more time (sd_notify(3),
//! `EXTEND_TIMEOUT_USEC=`) and reports what it waits for.

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

/// How long the search for holders of one image may take.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(10);

/// The shortest time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// The time that each look asks systemd for, from then on.
const EXTENSION: Duration = Duration::from_secs(30);

/// How long an image may be in use without a holder that can be found, before that is reported.
const UNKNOWN_HOLDER_DELAY: Duration = Duration::from_secs(10);

/// How long the run continues without progress, at most.
const NO_PROGRESS_LIMIT: Duration = Duration::from_secs(20);

impl UnmapRun<'_> {
    /// Something was removed, so the rest may follow: the kernel removes hundreds of images one after the other.
    pub(super) fn note_progress(&mut self) {
        self.deadline.restart();
        self.progress.note(Instant::now());
        if self.shutdown.is_some() && self.start.elapsed() > EXTENSION {
            notify::extend(EXTENSION);
        }
    }

    /// Whether to wait no longer for what is left.
    pub(super) fn should_give_up(&mut self) -> bool {
        let now = Instant::now();
        let elapsed = self.start.elapsed();
        if self.progress.is_look_due()
            && bus::entries(self.root).is_ok_and(|mapped| self.progress.is_fewer(mapped.len()))
        {
            self.note_progress();
        }
        let Some(ShutdownCheck { timeouts, .. }) = self.shutdown else {
            self.report_users();
            return self.deadline.remaining().is_zero();
        };
        let is_early = elapsed < timeouts.unmap.min(timeouts.shutdown);
        // systemd sends all its signals to each client, so it must not be asked by hundreds of units that only wait for the
        // kernel.
        if is_early && (!self.progress.is_look_due() || self.waits_only_for_kernel()) {
            self.progress.start_look(LOOK_INTERVAL);
            return false;
        }
        let Some(manager) = self.shutdown.and_then(ShutdownCheck::manager) else {
            self.report_users();
            return self.deadline.elapsed() >= timeouts.unmap;
        };
        if elapsed >= timeouts.shutdown {
            return true;
        }
        let signs = self.look(manager);
        notify::extend(EXTENSION);
        // On a machine where a look takes long, looks must not take the CPU time of the processes that are ending.
        self.progress
            .look_after(LOOK_INTERVAL.max(now.elapsed() * 3));
        let limit = timeouts.unmap.min(NO_PROGRESS_LIMIT);
        !self.progress.continues(&signs, limit, now)
    }

    /// Looks for signs of progress, and reports who uses what.
    fn look(&mut self, manager: &Manager) -> ProgressSigns {
        let stopping = manager.stopping_units().unwrap_or_default();
        let snapshot = mounts::look(self.root).unwrap_or_default();
        let stack = MountStack::new(&snapshot);
        let mut signs = ProgressSigns::default();
        for item in &self.items {
            if item.stage == UnmapStage::Finished {
                continue;
            }
            signs.written_sectors += item
                .nodes
                .first()
                .and_then(|disk| device::written(self.root, &disk.name))
                .unwrap_or(0);
            // Nobody uses an image that the kernel removes. At the first look, most of hundreds wait for their removal.
            if item.stage == UnmapStage::Removing {
                continue;
            }
            let usage = item.usage(self.root, &stack.standing_on(&item.nodes), SEARCH_TIMEOUT);
            let Some(holders) = usage.holders else {
                // A holder that was not found in time may belong to any of the units that are being stopped.
                signs.is_stopping |= !stopping.is_empty();
                continue;
            };
            signs.is_stopping |= holders
                .iter()
                .any(|holder| is_being_stopped(holder, &stopping));
            let reason = holder::describe(&usage.name, &holders);
            let status = UnitStatus::new(Activity::Blocked, reason);
            // A program that holds a device for a moment, such as udev's, has often ended before the search finds it.
            if !holders.is_empty() || self.start.elapsed() > UNKNOWN_HOLDER_DELAY {
                self.progress.report_once(&item.mapping.spec, &status);
            }
            progress::show(&status);
        }
        signs
    }

    /// Removes a mapping by force, as the last resort. Its mounts are detached, so that they are out of sight. If the kernel
    /// does not remove it in time, everything stays as it is.
    pub(super) fn force(&mut self, at: usize, steps: &[TeardownStep<'_>]) {
        let UnmapItem { mapping, .. } = &self.items[at];
        let spec = &mapping.spec;
        let device = mapping.name();
        if let Err(error) = unmap_image::remove_by_force(self.root, mapping) {
            let text = format!("removing /dev/{device} by force: {error:#}");
            self.report.image_failed(Event::UnmapFailed, spec, text);
            return;
        }
        for step in steps {
            if let Layer::Mount(mount) = step.layer
                && let Err(error) = libmount::detach(&mount.target)
            {
                tracing::warn!("{spec}: {error}");
            }
        }
        let text = format!(
            "removed /dev/{device} by force because shutdown_force is set: data that was not written yet is lost"
        );
        self.report.image_failed(Event::ForcedUnmap, spec, text);
    }
}

/// Whether a shutdown ends this use. `stopping`: the units that systemd is stopping.
fn is_being_stopped(holder: &Holder, stopping: &[String]) -> bool {
    match holder {
        // A process that itself waits for the cluster does not end, such as one of LVM's programs, which read every disk.
        Holder::Process(process, _) | Holder::Namespace(process, _) => {
            !process.waits_for_disk
                && process
                    .unit
                    .as_ref()
                    .is_some_and(|unit| stopping.contains(unit))
        }
        // Which unit has set up a device is unknown, so it may be any that is being stopped.
        Holder::Device(..) | Holder::Loop(..) | Holder::Swap(_) => !stopping.is_empty(),
        // Whether it is still written back shows in the written sectors.
        Holder::FileSystem(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::holder::Process;

    fn process_of(unit: &str) -> Process {
        Process {
            pid: 9,
            command: "x".into(),
            user: None,
            unit: Some(unit.to_owned()),
            waits_for_disk: unit.starts_with("stuck"),
        }
    }

    #[test]
    fn a_holder_is_waited_for_if_its_own_unit_is_being_stopped() {
        let stopping = ["database.service".to_owned(), "stuck.service".to_owned()];
        let database = process_of("database.service");
        let rows = [
            (Holder::Process(database.clone(), "/srv".into()), true),
            (
                Holder::Process(process_of("other.service"), "/srv".into()),
                false,
            ),
            (
                Holder::Process(process_of("stuck.service"), "/dev/rbd0".into()),
                false,
            ),
            (Holder::Namespace(database, "/srv".into()), true),
            (Holder::Device("dm-0".into(), None), true),
            (Holder::FileSystem("ext4".into(), "rbd0".into()), false),
        ];
        for (holder, expected) in rows {
            assert_eq!(is_being_stopped(&holder, &stopping), expected, "{holder:?}");
            assert!(!is_being_stopped(&holder, &[]));
        }
    }
}
