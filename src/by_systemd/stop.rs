//! With rbdmap.service, its images: `systemctl stop rbdmap` stops every instance, `systemctl restart rbdmap` none. At
//! shutdown, in which instances have no part, those that are not done yet; and those that would map again what was just unmapped.
//!
//! A dependency cannot say that on every systemd: `StopPropagatedFrom=` hands on the stop that is in a restart since 256, and
//! `PartOf=` always did, to every application on our mounts.

use std::time::Duration;

use anyhow::Result;

use crate::image::ImageSpec;
use crate::root::Root;
use crate::sys::notify;
use crate::sys::systemd::{BriefState, Manager, SystemState};
use crate::unit;

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

/// After images were unmapped behind systemd's back: when a device appears, systemd starts the unit that it requires, and when
/// the device goes before that unit has run, it maps the image again. That is ended; who waits for it is told by systemd.
pub fn end_starts_of(root: &Root, images: &[&ImageSpec], limit: Duration) -> Result<()> {
    if images.is_empty() || !root.systemd().exists() {
        return Ok(());
    }
    let manager = Manager::connect(root)?;
    let starting = manager.being_started()?;
    let units: Vec<String> =
        images.iter().map(|spec| unit::instance(spec)).filter(|unit| starting.contains(unit)).collect();
    if units.is_empty() {
        return Ok(());
    }
    manager.stop(&units, limit, &mut |_| {}).map(drop)
}
