//! Images that boot does not wait for. Asks systemd to start each as soon as one of its monitors answers, and the rest when
//! boot has finished.
//!
//! systemd considers boot finished when no start job is left (systemd `src/core/manager.c`, manager_check_finished), and the unit
//! of an image that waits for monitors has one, whatever `Wants=` or order it has. So until a monitor answers, this process
//! waits instead. Its own unit has started, and so delays nothing.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::connection::connect;
use crate::ceph::file_cache::FileCache;
use crate::ceph::request::{self, Request};
use crate::config::table::Entry;
use crate::engine::direct::monitor_wait::MonitorSet;
use crate::engine::progress;
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::model::unit_status::{Activity, UnitStatus};
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::rbd::monitor_probe;
use crate::sys::systemd::{JobOutcome, SystemState};

/// How long monitors may take to answer before they are asked again.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The units of images, sorted by what they wait for.
#[derive(Default)]
struct SortedUnits {
    /// Images whose monitors are not known. Their units report what is missing.
    at_once: Vec<String>,
    by_monitors: HashMap<MonitorSet, Vec<String>>,
}

/// Asks systemd to start these units of images, and returns when it has been asked for the last.
pub fn start_nofail(root: &Root, entries: &[Entry], units: &[String]) -> Result<()> {
    let sorted = SortedUnits::new(root, entries, units);
    start(root, &sorted.at_once)?;
    let waiting: usize = sorted.by_monitors.values().map(Vec::len).sum();
    if waiting > 0 {
        let subject = format!("the monitors of {waiting} images, or for the end of boot");
        progress::show(&UnitStatus::new(Activity::WaitingFor, subject));
    }
    // The images of one cluster do not wait for another cluster's monitors.
    thread::scope(|scope| {
        // All threads are started before the first is waited for.
        let mut threads = Vec::new();
        for (monitors, units) in &sorted.by_monitors {
            threads.push(scope.spawn(|| start_when_reachable(root, monitors, units)));
        }
        let mut result = Ok(());
        for thread in threads {
            let ended = thread.join();
            result = result.and(ended.unwrap_or_else(|_| Err(anyhow!("a thread panicked"))));
        }
        result
    })
}

/// Whether systemd is still starting what belongs to boot.
pub fn is_booting(root: &Root) -> Result<bool> {
    Ok(belongs_to_boot(&connect(root)?.system_state()?))
}

/// Whether systemd has restarted the unit of one of these images by itself since somebody requested its start.
pub fn has_restarted(root: &Root, specs: &[String]) -> Result<bool> {
    let manager = connect(root)?;
    for text in specs {
        let spec: ImageSpec = text.parse()?;
        if manager.restart_count(&unit_name::instance(&spec))? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn belongs_to_boot(state: &SystemState) -> bool {
    matches!(state, SystemState::Initializing | SystemState::Starting)
}

impl SortedUnits {
    fn new(root: &Root, entries: &[Entry], units: &[String]) -> Self {
        let entries: HashMap<String, &Entry> = entries
            .iter()
            .map(|entry| (unit_name::instance(&entry.spec), entry))
            .collect();
        let files = FileCache::new(root);
        let mut sorted = Self::default();
        for unit in units {
            let request = entries
                .get(unit)
                .and_then(|entry| find_request(&files, entry));
            match request {
                Some(request) => {
                    let messenger = request.messenger();
                    sorted
                        .by_monitors
                        .entry((request.monitors, messenger))
                        .or_default()
                        .push(unit.clone());
                }
                None => sorted.at_once.push(unit.clone()),
            }
        }
        sorted
    }
}

fn find_request(files: &FileCache, entry: &Entry) -> Option<Request> {
    let resolved = request::resolve(files, entry).ok()?;
    resolved.request(PROBE_TIMEOUT).ok()
}

fn start_when_reachable(root: &Root, monitors: &MonitorSet, units: &[String]) -> Result<()> {
    // Boot finishes, or systemd stops this process, so the wait has an end.
    let may_start = Deadline::after(Duration::MAX).poll(|| may_start(root, monitors));
    if may_start.unwrap_or(false) {
        start(root, units)
    } else {
        Ok(())
    }
}

/// Whether the units can be started: a monitor answers or boot has finished. `None` while neither is so; never during a
/// shutdown.
fn may_start(root: &Root, (monitors, messenger): &MonitorSet) -> Option<bool> {
    let deadline = Deadline::after(PROBE_TIMEOUT);
    if monitor_probe::greeters(monitors, *messenger, &deadline).is_ok() {
        return Some(true);
    }
    // A new connection each time, because none survives `systemctl daemon-reexec`.
    match connect(root).and_then(|manager| manager.system_state()) {
        Ok(state) if belongs_to_boot(&state) => None,
        Ok(state) => Some(state != SystemState::Stopping),
        Err(error) => {
            tracing::debug!("{error:#}");
            None
        }
    }
}

/// Starts units without waiting for them. They report about themselves, unless systemd refuses to start them.
fn start(root: &Root, units: &[String]) -> Result<()> {
    if units.is_empty() {
        return Ok(());
    }
    for job in connect(root)?.start(units, Duration::ZERO, &mut |_| {})? {
        if let JobOutcome::Refused(reason) = job.outcome {
            tracing::warn!("{} is not started: {reason}", job.unit);
        }
    }
    Ok(())
}
