//! Images that boot does not wait for: systemd is asked for each when a monitor of it greets, and for the rest when boot is over.
//!
//! The surprise: boot is over when no unit is being started any more (systemd `src/core/manager.c`, manager_check_finished), and
//! a unit that waits for monitors, with whatever `Wants=` and without any order, is being started. So until then they are
//! waited for here, in a process that has been started and holds up nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::connect;
use crate::ceph::file_cache::FileCache;
use crate::ceph::request;
use crate::config::table::Entry;
use crate::engine::progress;
use crate::model::image_spec::ImageSpec;
use crate::model::messenger::Messenger;
use crate::model::unit_name;
use crate::model::unit_status::{Activity, UnitStatus};
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::rbd::monitor_probe;
use crate::sys::systemd::{JobOutcome, SystemState};

/// How long monitors may take to greet before they are asked again.
const GREETING: Duration = Duration::from_secs(1);

/// Monitors, and how they are spoken to.
type Whom = (Vec<SocketAddr>, Messenger);

/// Has systemd start these units of images, and returns when it has been asked for the last.
pub fn start_nofail(root: &Root, entries: &[Entry], units: &[String]) -> Result<()> {
    let (at_once, by_monitors) = sort(root, entries, units);
    start(root, &at_once)?;
    if let Some(units) = by_monitors.values().map(Vec::len).reduce(|a, b| a + b) {
        let subject = format!("the monitors of {units} images, or for the end of boot");
        progress::show(&UnitStatus::new(Activity::WaitingFor, subject));
    }
    let wait = |whom: &Whom, units: &[String]| {
        if wait(root, whom) {
            start(root, units)
        } else {
            Ok(())
        }
    };
    // Those of one cluster do not wait for another's monitors.
    thread::scope(|scope| {
        let waits: Vec<_> = by_monitors
            .iter()
            .map(|(whom, units)| scope.spawn(|| wait(whom, units)))
            .collect();
        let ended = waits.into_iter().map(|wait| {
            wait.join()
                .unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
        });
        ended.collect()
    })
}

/// Whether systemd is still starting what the machine boots with.
pub fn is_booting(root: &Root) -> Result<bool> {
    Ok(goes_on_booting(&connect(root)?.system_state()?))
}

/// Whether systemd has started the unit of one of these images again by itself, since somebody asked for it.
pub fn has_restarted(root: &Root, specs: &[String]) -> Result<bool> {
    let manager = connect(root)?;
    let restarts = |text: &String| {
        let spec: ImageSpec = text.parse()?;
        manager.restart_count(&unit_name::instance(&spec))
    };
    specs
        .iter()
        .map(restarts)
        .try_fold(false, |any, restarts| Ok(any || restarts? > 0))
}

fn goes_on_booting(state: &SystemState) -> bool {
    matches!(state, SystemState::Initializing | SystemState::Starting)
}

/// Units by the monitors that they need. Those of which nothing can be found out are the first: they say what is missing.
fn sort(
    root: &Root,
    entries: &[Entry],
    units: &[String],
) -> (Vec<String>, HashMap<Whom, Vec<String>>) {
    let entries: HashMap<String, &Entry> = entries
        .iter()
        .map(|entry| (unit_name::instance(&entry.spec), entry))
        .collect();
    let sources = FileCache::new(root);
    let (mut at_once, mut by_monitors) = (Vec::new(), HashMap::<Whom, Vec<String>>::new());
    for unit in units {
        let request = entries.get(unit).and_then(|entry| {
            let resolved = request::resolve(&sources, entry).ok()?;
            resolved.request(GREETING).ok()
        });
        match request {
            Some(request) => {
                let messenger = request.messenger();
                by_monitors
                    .entry((request.monitors, messenger))
                    .or_default()
                    .push(unit.clone());
            }
            None => at_once.push(unit.clone()),
        }
    }
    (at_once, by_monitors)
}

/// Until a monitor greets or boot is over; whether they are to be started, which they are not at shutdown.
fn wait(root: &Root, (monitors, messenger): &Whom) -> bool {
    let look = || {
        if monitor_probe::greeters(monitors, *messenger, &Deadline::after(GREETING)).is_ok() {
            return Some(true);
        }
        // Each time by a connection of its own, for none outlives `systemctl daemon-reexec`.
        match connect(root).and_then(|manager| manager.system_state()) {
            Ok(state) => (!goes_on_booting(&state)).then_some(state != SystemState::Stopping),
            Err(error) => {
                tracing::debug!("{error:#}");
                None
            }
        }
    };
    // The boot of a machine ends, or somebody ends this.
    Deadline::after(Duration::MAX).poll(look).unwrap_or(false)
}

/// They tell of themselves; but not if systemd does not take them.
fn start(root: &Root, units: &[String]) -> Result<()> {
    if units.is_empty() {
        return Ok(());
    }
    for job in connect(root)?.start(units, Duration::ZERO, &mut |_| {})? {
        if let JobOutcome::Refused(why) = job.outcome {
            tracing::warn!("{} is not started: {why}", job.unit);
        }
    }
    Ok(())
}
