//! With rbdmap.service, its images: `systemctl stop rbdmap` stops every instance, `systemctl restart rbdmap` none. At
//! shutdown, in which instances have no part, those that are not done yet; and those that would map again what is just being unmapped.
//!
//! A dependency cannot say that on every systemd: `StopPropagatedFrom=` hands on the stop that is in a restart since 256, and
//! `PartOf=` always did, to every application on our mounts.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::is_mapped;
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;
use crate::sys::systemd::{BriefState, Manager, SystemState};
use crate::sys::{notify, udev};

/// What systemd may take to read what udev has told it.
const SETTLE: Duration = Duration::from_millis(300);

/// How long systemd may take to hear of a device that is there already, or has gone.
const NEWS: Duration = Duration::from_secs(5);

/// Asks for the instances to be stopped, if rbdmap.service is being stopped for good. They are not waited for: they stop after
/// it. At shutdown, systemd stops them by itself.
pub fn stop_images(root: &Root) -> Result<()> {
    let manager = Manager::connect(root)?;
    if manager.system_state()? == SystemState::Stopping
        || manager.job_type(unit_name::SERVICE)?.as_deref() != Some("stop")
    {
        return Ok(());
    }
    let units = manager.active_units(&[unit_name::ALL_INSTANCES])?;
    manager.stop(&units, Duration::ZERO).map(drop)
}

/// At shutdown: ends what is still being mapped, or would be tried again, for nobody else does. Before a soft-reboot, which
/// keeps the state of units, every instance is stopped.
pub fn stop_unfinished(root: &Root, limit: Duration) -> Result<()> {
    let manager = Manager::connect(root)?;
    if manager.system_state()? != SystemState::Stopping {
        return Ok(());
    }
    let keeps_units = manager.has_job("soft-reboot.target")?;
    let states = manager.loaded_units(&[unit_name::ALL_INSTANCES])?;
    let to_stop =
        |state: &BriefState| state.active == "activating" || keeps_units && state.is_active();
    let units: Vec<String> = states
        .into_iter()
        .filter(|(_, state)| to_stop(state))
        .map(|(name, _)| name)
        .collect();
    if units.is_empty() {
        return Ok(());
    }
    notify::extend(limit * 2);
    manager.stop(&units, limit).map(drop)
}

/// Before images are unmapped, until systemd has come to their devices, as far as it has a unit for them. A program sees a new
/// device's link before systemd hears of the device, for udev tells when all its rules' programs are done (`RUN+=`, systemd
/// `src/udev/udev-worker.c`). systemd would start the image's unit then, with the image gone and nobody looking any more.
pub fn wait_for_devices(root: &Root, images: &[&ImageSpec]) -> Result<()> {
    let device = |spec: &&ImageSpec| unit_name::device(&Path::new("/dev").join(spec.link()));
    let is_required = |device: &String| {
        root.generated_units("generator")
            .join(format!("{device}.requires"))
            .exists()
    };
    let mut unseen: Vec<String> = images.iter().map(device).filter(is_required).collect();
    if unseen.is_empty() || !root.udev_control().exists() {
        return Ok(());
    }
    let manager = Manager::connect(root)?;
    let mut look = || -> Result<Option<()>> {
        let states = manager.loaded_units(&["dev-rbd-*.device"])?;
        unseen.retain(|device| !states.get(device).is_some_and(BriefState::is_active));
        Ok(unseen.is_empty().then_some(()))
    };
    Deadline::after(NEWS)
        .poll(|| look().transpose())
        .transpose()
        .map(drop)
}

/// After images were unmapped behind systemd's back: when a device appears, systemd starts the unit that it requires, and when
/// the device goes before that unit has run, it maps the image again.
pub fn stop_remapping(root: &Root, images: &[&ImageSpec], limit: Duration) -> Result<()> {
    if images.is_empty() || !root.systemd().exists() {
        return Ok(());
    }
    let (manager, deadline) = (Manager::connect(root)?, Deadline::after(limit));
    end_until_quiet(root, &manager, &not_mapped(root, images)?, &deadline)
}

/// After starts were ended: one may have mapped its image yet, and the stop unmapped it; systemd may hear of that device when
/// it has gone, and start the unit again.
pub fn stop_remapping_after_stop(
    root: &Root,
    interrupted: &[&ImageSpec],
    limit: Duration,
) -> Result<()> {
    if interrupted.is_empty() {
        return Ok(());
    }
    let (manager, deadline) = (Manager::connect(root)?, Deadline::after(limit));
    let gone = not_mapped(root, interrupted)?;
    await_news(root, &manager, &deadline)?;
    end_until_quiet(root, &manager, &gone, &deadline)
}

/// What could not be unmapped is left alone, and so is who uses it.
fn not_mapped<'a>(root: &Root, images: &[&'a ImageSpec]) -> Result<Vec<&'a ImageSpec>> {
    let mapped = bus::list(root)?;
    Ok(images
        .iter()
        .copied()
        .filter(|spec| !is_mapped(&mapped, spec))
        .collect())
}

/// Ends starts as often as it takes, for each of their mappings is a device that appears, and goes only when systemd has come to
/// it. Who waits for one is told by systemd. What somebody has mapped by hand meanwhile is theirs.
fn end_until_quiet(
    root: &Root,
    manager: &Manager,
    gone: &[&ImageSpec],
    deadline: &Deadline,
) -> Result<()> {
    while !deadline.remaining().is_zero() {
        // In this order: who is done starting at the second look has mapped it, and is not down yet at the third.
        let starting = manager.starting_units()?;
        let mapped = bus::list(root)?;
        let loaded = manager.loaded_units(&[unit_name::ALL_INSTANCES])?;
        let is_mapping = |unit: &String| loaded.get(unit).is_some_and(|state| !state.is_down());
        let (mut again, mut units) = (Vec::new(), Vec::new());
        for spec in gone {
            let unit = unit_name::instance(spec);
            let is_again = is_mapped(&mapped, spec) && is_mapping(&unit);
            again.extend(is_again.then_some(*spec));
            units.extend((is_again || starting.contains(&unit)).then_some(unit));
        }
        if units.is_empty() {
            break;
        }
        wait_for_devices(root, &again)?;
        manager.stop(&units, deadline.remaining())?;
        await_news(root, manager, deadline)?;
    }
    Ok(())
}

/// Until systemd has heard of every device that there was, if that does not take too long. It may be reloading: then it answers
/// when it is done, and only after that reads what udev told it.
fn await_news(root: &Root, manager: &Manager, deadline: &Deadline) -> Result<()> {
    if let Err(error) = udev::settle(root, &Deadline::after(NEWS.min(deadline.remaining()))) {
        tracing::debug!("{error:#}");
    }
    manager.system_state()?;
    sleep(SETTLE);
    Ok(())
}
