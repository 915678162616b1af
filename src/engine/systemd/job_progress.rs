//! Reports what units wait for, while a command waits for these units. The unit of an image states what it waits for in its
//! StatusText, which a user who typed `rbdmap map` would see only after the command has ended. Mount units and hooks state
//! nothing; for them, the job itself is reported.

use std::collections::HashMap;

use crate::engine::progress::ProgressReporter;
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::model::unit_status::{Activity, UnitStatus};
use crate::runtime::root::Root;
use crate::sys::systemd::Manager;

/// How many units one look asks systemd about, because each costs PID 1 time; the next look asks about the next ones.
const UNITS_PER_LOOK: usize = 16;

/// A unit whose job a command waits for.
pub struct WatchedUnit {
    /// Its name.
    pub unit: String,
    /// The image that reports about it name.
    pub spec: ImageSpec,
    /// What its job does, for a unit that has no StatusText.
    pub job: Option<String>,
}

impl WatchedUnit {
    /// The unit of an image, which has a StatusText.
    pub fn instance(spec: &ImageSpec) -> Self {
        Self {
            unit: unit_name::instance(spec),
            spec: spec.clone(),
            job: None,
        }
    }

    /// The unit that runs the hook of an image.
    pub fn hook(spec: &ImageSpec) -> Self {
        Self {
            unit: unit_name::hook(spec),
            spec: spec.clone(),
            job: Some("its hook".to_owned()),
        }
    }

    fn status(&self, manager: &Manager) -> Option<UnitStatus> {
        match &self.job {
            Some(job) => Some(UnitStatus::new(Activity::WaitingFor, job.as_str())),
            None => manager.unit_state(&self.unit).ok()?.status.parse().ok(),
        }
    }
}

/// Reports what these units wait for, each wait once, until the result is dropped.
pub fn report(root: &Root, mut units: Vec<WatchedUnit>) -> ProgressReporter {
    let root = root.clone();
    let mut reported = HashMap::new();
    ProgressReporter::start(move || {
        // Connected for one look only: systemd sends all its signals to every client that is connected.
        let Ok(manager) = Manager::connect(&root) else {
            return;
        };
        for (watched, status) in waits(&manager, &units) {
            let previous = reported.insert(watched.unit.clone(), status.clone());
            if previous.as_ref() != Some(&status) {
                tracing::info!("{}: {status}", watched.spec);
            }
        }
        // The next look begins with the units that this one did not reach.
        let looked_at = UNITS_PER_LOOK.min(units.len());
        units.rotate_left(looked_at);
    })
}

/// The units among the first that are starting or stopping and wait for something, without the time that they have waited.
fn waits<'a>(manager: &Manager, units: &'a [WatchedUnit]) -> Vec<(&'a WatchedUnit, UnitStatus)> {
    let running = manager.units_with_running_jobs().unwrap_or_default();
    units
        .iter()
        // A unit whose job waits for other jobs has no status yet.
        .filter(|watched| running.contains(&watched.unit))
        .take(UNITS_PER_LOOK)
        .filter_map(|watched| Some((watched, watched.status(manager)?.without_time())))
        .collect()
}
