//! The systemd engine: asks PID 1 to start or stop the units that the generator has rendered from the same plan,
//! follows the jobs, and tells what came of each image in the unit's own words.
//!
//! Order, dependencies and time-outs are systemd's. What it has no unit for, or does not hold, such as a mapping made with
//! `--direct`, is done here as the direct engine would.

mod dependents;
mod job_progress;
mod nofail;
mod remap_race;
mod start;
mod stop;

use std::time::Duration;

use anyhow::{Result, bail};

use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::runtime::root::Root;
use crate::sys::journal::Journal;
use crate::sys::systemd::{JobOutcome, JobReport, Manager, SystemState};

pub use dependents::start_dependents;
pub use nofail::{has_restarted, is_booting, start_nofail};
pub use remap_race::{
    stop_images, stop_remapping, stop_remapping_after_stop, stop_unfinished, wait_for_devices,
};
pub use start::{map, reload_if_stale};
pub use stop::{StopRequest, unmap};

/// How systemd is asked.
#[derive(Debug, Clone, Copy)]
pub struct JobOptions {
    /// Whether they are followed at all.
    pub block: bool,
    /// Whether services that need what is to go are stopped first.
    pub stop_users: bool,
}

impl JobOptions {
    /// How long jobs are followed whose program has this time limit.
    fn limit(self, timeout: Duration) -> Duration {
        if self.block {
            timeout + GRACE
        } else {
            Duration::ZERO
        }
    }
}

/// How long the journal may be looked into for the words of units that failed, in all.
const JOURNAL: Duration = Duration::from_secs(10);

/// What systemd needs beyond the limit of the program that a unit runs.
const GRACE: Duration = Duration::from_secs(15);

/// A connection to a manager that takes jobs.
fn connect(root: &Root) -> Result<Manager> {
    let manager = Manager::connect(root)?;
    if manager.system_state()? == SystemState::Stopping {
        bail!(
            "the system is shutting down: systemd takes no new work, and unmaps all images by itself"
        );
    }
    Ok(manager)
}

/// Whether an image is among them, by its name.
fn is_mapped(mappings: &[Mapping], spec: &ImageSpec) -> bool {
    mappings.iter().any(|mapping| mapping.spec == *spec)
}

/// Why a job did not do its work: the unit's own words where it has any.
fn why(manager: &Manager, journal: &Journal, job: &JobReport) -> String {
    let words = match &job.outcome {
        JobOutcome::Failed => manager
            .failure_reason(&job.unit, journal)
            .unwrap_or_default(),
        JobOutcome::StillRunning => match manager.unit_state(&job.unit).map(|unit| unit.status) {
            Ok(status) if !status.is_empty() => format!("{status}; systemd goes on with it"),
            _ => String::new(),
        },
        _ => String::new(),
    };
    if words.is_empty() {
        job.to_string()
    } else {
        words
    }
}
