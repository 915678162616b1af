//! What units are waiting for, told while somebody waits for them. Images' units say it in their StatusText=, which whoever typed
//! `rbdmap map` or `unmap` would not look at before it is over; a mount that hangs says nothing.

use std::collections::HashMap;

use crate::engine::progress::ProgressReporter;
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::runtime::root::Root;
use crate::sys::systemd::Manager;

/// At how many units to look each time, for systemd has better to do; the others' turn comes later.
const LOOKS: usize = 16;

/// A unit that is waited for.
pub struct WatchedUnit {
    /// Its name.
    pub unit: String,
    /// The image that it is told as being about.
    pub spec: ImageSpec,
    /// What its job does, where it has no status of its own to tell.
    pub job: Option<String>,
}

impl WatchedUnit {
    /// The unit of an image, which says itself what it waits for.
    pub fn instance(spec: &ImageSpec) -> Self {
        Self {
            unit: unit_name::instance(spec),
            spec: spec.clone(),
            job: None,
        }
    }
}

/// Tells what these units wait for, each thing once, until it is dropped.
pub fn tell(root: &Root, mut units: Vec<WatchedUnit>) -> ProgressReporter {
    let (root, mut told) = (root.clone(), HashMap::new());
    ProgressReporter::every_now_and_then(move || {
        // For this look only: systemd sends all its news to whoever is connected.
        let Ok(manager) = Manager::connect(&root) else {
            return;
        };
        for (awaited, wait) in waits(&manager, &units) {
            if told.insert(awaited.unit.clone(), wait.clone()).as_ref() != Some(&wait) {
                tracing::info!("{}: {wait}", awaited.spec);
            }
        }
        let looked_at = LOOKS.min(units.len());
        units.rotate_left(looked_at);
    })
}

/// Which of the units are being started or stopped and wait for something.
fn waits<'a>(manager: &Manager, units: &'a [WatchedUnit]) -> Vec<(&'a WatchedUnit, String)> {
    let at_work = manager.units_with_running_jobs().unwrap_or_default();
    let is_running = |awaited: &&WatchedUnit| at_work.contains(&awaited.unit);
    let text = |awaited: &'a WatchedUnit| match &awaited.job {
        Some(job) => Some((awaited, format!("waiting for {job}"))),
        None => Some((
            awaited,
            wait(&manager.unit_state(&awaited.unit).ok()?.status)?,
        )),
    };
    units
        .iter()
        .filter(is_running)
        .take(LOOKS)
        .filter_map(text)
        .collect()
}

/// The wait in a status, without how long it has been.
fn wait(status: &str) -> Option<String> {
    let is_wait = status.contains("waiting") || status.starts_with("trying again: ");
    is_wait.then(|| status.split(", for ").next().unwrap_or(status).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_the_same_however_long_it_lasts() {
        let text = "waiting for OSDs, or for whoever has its lock, to answer (the monitors do)";
        assert_eq!(wait(&format!("{text}, for 5 s now")).as_deref(), Some(text));
        assert_eq!(wait(text).as_deref(), Some(text));
        assert_eq!(wait("mapping"), None);
    }
}
