//! With rbdmap.service, its images: `systemctl stop rbdmap` stops every instance, `systemctl restart rbdmap` none. And at
//! shutdown, in which instances have no part, those that are not done yet.
//!
//! A dependency cannot say that on every systemd: `StopPropagatedFrom=` hands on the stop that is in a restart since 256, and
//! `PartOf=` always did, to every application on our mounts.

use std::time::Duration;

use anyhow::Result;

use crate::root::Root;
use crate::sys::notify;
use crate::sys::systemd::{BriefState, Manager, SystemState};

/// Asks for the instances to be stopped, if rbdmap.service is being stopped for good. They are not waited for: they stop after
/// it. At shutdown, systemd stops them by itself.
pub fn stop_images(root: &Root) -> Result<()> {
    let manager = Manager::connect(root)?;
    if manager.state()? == SystemState::Stopping || manager.job_of("rbdmap.service")?.as_deref() != Some("stop") {
        return Ok(());
    }
    let units = manager.up(&["rbdmap@*.service"])?;
    manager.stop(&units, Duration::ZERO, &mut |_| {}).map(drop)
}

/// At shutdown: ends what is still being mapped, or would be tried again, for nobody else does. Before a soft-reboot, which
/// keeps the state of units, every instance is stopped.
pub fn end_starts(root: &Root, limit: Duration) -> Result<()> {
    let manager = Manager::connect(root)?;
    if manager.state()? != SystemState::Stopping {
        return Ok(());
    }
    let keeps_units = manager.has_job("soft-reboot.target")?;
    let states = manager.loaded(&["rbdmap@*.service"])?;
    let to_stop = |state: &BriefState| state.active == "activating" || keeps_units && state.is_active();
    let units: Vec<String> = states.into_iter().filter(|(_, state)| to_stop(state)).map(|(name, _)| name).collect();
    if units.is_empty() {
        return Ok(());
    }
    notify::extend(limit * 2);
    manager.stop(&units, limit, &mut |_| {}).map(drop)
}
