//! Stops the units that would map an image again after it was unmapped, and the units of all images when rbdmap.service stops.
//!
//! systemd starts the unit of an image when it notices the device of the image, and it may notice the device late: after the
//! image was unmapped again.
//!
//! `systemctl stop rbdmap` stops every instance, `systemctl restart rbdmap` none. No dependency does both on every systemd:
//! `StopPropagatedFrom=` propagates also the stop that is part of a restart since version 256, and `PartOf=` always did, to
//! every application on our mounts. At shutdown, only instances that are still starting are stopped.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use crate::model::image_spec::ImageSpec;
use crate::model::mapping::is_mapped;
use crate::model::unit_name;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;
use crate::sys::systemd::{BriefState, Manager, SystemState};
use crate::sys::{notify, udev};

/// How long systemd may take to read what udev has sent.
const READ_DELAY: Duration = Duration::from_millis(300);

/// How long systemd may take to notice a device that exists, or that has gone.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(5);

/// Requests the stop of every instance, if rbdmap.service is being stopped for good.
pub fn stop_images(root: &Root) -> Result<()> {
    let manager = Manager::connect(root)?;
    // At shutdown, systemd stops them by itself.
    if manager.system_state()? == SystemState::Stopping
        || manager.job_type(unit_name::SERVICE)?.as_deref() != Some("stop")
    {
        return Ok(());
    }
    let units = manager.active_units(&[unit_name::ALL_INSTANCES])?;
    // Without waiting: the instances are ordered to stop after rbdmap.service, which runs this.
    manager.stop(&units, Duration::ZERO).map(drop)
}

/// At shutdown: stops the instances that are still starting or wait for a restart, because nobody else stops them.
pub fn stop_unfinished(root: &Root, timeout: Duration) -> Result<()> {
    // Not by `connect`, which fails during a shutdown.
    let manager = Manager::connect(root)?;
    if manager.system_state()? != SystemState::Stopping {
        return Ok(());
    }
    // A soft-reboot keeps the state of units: an instance that stays active would not map its image afterwards.
    let keeps_units = manager.has_job("soft-reboot.target")?;
    let states = manager.loaded_units(&[unit_name::ALL_INSTANCES])?;
    let units: Vec<String> = states
        .into_iter()
        .filter(|(_, state)| state.active == "activating" || keeps_units && state.is_active())
        .map(|(name, _)| name)
        .collect();
    if units.is_empty() {
        return Ok(());
    }
    // For these jobs, and for the images that are unmapped afterwards.
    notify::extend(timeout * 2);
    manager.stop(&units, timeout).map(drop)
}

/// Before images are unmapped: waits until systemd has noticed their devices, as far as a unit requires them.
///
/// A program sees the link of a new device before systemd notices the device, because udev reports it when the programs of all
/// its rules have ended (`RUN+=`, systemd `src/udev/udev-worker.c`). If the image were unmapped in between, systemd would start
/// its unit afterwards, when nobody looks any more.
pub fn wait_for_devices(root: &Root, images: &[&ImageSpec]) -> Result<()> {
    let mut unnoticed: Vec<String> = images
        .iter()
        .map(|spec| unit_name::device(&Path::new("/dev").join(spec.link())))
        .filter(|device| is_required(root, device))
        .collect();
    if unnoticed.is_empty() || !root.udev_control().exists() {
        return Ok(());
    }
    let manager = Manager::connect(root)?;
    let noticed = Deadline::after(NOTICE_TIMEOUT).poll(|| {
        let states = match manager.loaded_units(&["dev-rbd-*.device"]) {
            Ok(states) => states,
            Err(error) => return Some(Err(error)),
        };
        unnoticed.retain(|device| !states.get(device).is_some_and(BriefState::is_active));
        unnoticed.is_empty().then_some(Ok(()))
    });
    noticed.unwrap_or(Ok(()))
}

/// Whether the generator has written a unit that the device requires.
fn is_required(root: &Root, device: &str) -> bool {
    root.generated_units("generator")
        .join(format!("{device}.requires"))
        .exists()
}

/// After images were unmapped without systemd: stops the units that map them again. When a device appears, systemd starts the
/// unit that it requires, and if the device has gone before that unit runs, the unit maps the image again.
pub fn stop_remapping(root: &Root, images: &[&ImageSpec], timeout: Duration) -> Result<()> {
    if images.is_empty() || !root.systemd().exists() {
        return Ok(());
    }
    let manager = Manager::connect(root)?;
    let deadline = Deadline::after(timeout);
    stop_until_quiet(root, &manager, &not_mapped(root, images)?, &deadline)
}

/// After starts were interrupted: stops the units that map their images again. Such a start may still have mapped its image, which
/// the stop has unmapped again. systemd may notice that device when it has gone, and then starts the unit again.
pub fn stop_remapping_after_stop(
    root: &Root,
    interrupted: &[&ImageSpec],
    timeout: Duration,
) -> Result<()> {
    if interrupted.is_empty() {
        return Ok(());
    }
    let manager = Manager::connect(root)?;
    let deadline = Deadline::after(timeout);
    let gone = not_mapped(root, interrupted)?;
    wait_for_notice(root, &manager, &deadline)?;
    stop_until_quiet(root, &manager, &gone, &deadline)
}

/// The images that are not mapped. An image that could not be unmapped is left alone, and so are its users.
fn not_mapped<'a>(root: &Root, images: &[&'a ImageSpec]) -> Result<Vec<&'a ImageSpec>> {
    let mapped = bus::list(root)?;
    Ok(images
        .iter()
        .copied()
        .filter(|spec| !is_mapped(&mapped, spec))
        .collect())
}

/// Stops units that map one of these images again, until none is left or time is up. One pass is not enough: each mapping of
/// theirs is another device that appears, and it goes only after systemd has noticed it. An image that somebody has mapped by
/// hand meanwhile is left alone.
fn stop_until_quiet(
    root: &Root,
    manager: &Manager,
    gone: &[&ImageSpec],
    deadline: &Deadline,
) -> Result<()> {
    while !deadline.remaining().is_zero() {
        // In this order: a unit that finishes its start between the first and the second look has mapped its image by the
        // second, and is not down yet at the third.
        let starting = manager.starting_units()?;
        let mapped = bus::list(root)?;
        let loaded = manager.loaded_units(&[unit_name::ALL_INSTANCES])?;
        let mut mapped_again = Vec::new();
        let mut units = Vec::new();
        for spec in gone {
            let unit = unit_name::instance(spec);
            let is_up = loaded.get(&unit).is_some_and(|state| !state.is_down());
            let is_mapped_again = is_mapped(&mapped, spec) && is_up;
            if is_mapped_again {
                mapped_again.push(*spec);
            }
            if is_mapped_again || starting.contains(&unit) {
                units.push(unit);
            }
        }
        if units.is_empty() {
            break;
        }
        wait_for_devices(root, &mapped_again)?;
        // systemd reports to whoever waits for one of these units that it was stopped.
        manager.stop(&units, deadline.remaining())?;
        wait_for_notice(root, manager, deadline)?;
    }
    Ok(())
}

/// Waits until systemd has noticed every device that there was, for a limited time.
fn wait_for_notice(root: &Root, manager: &Manager, deadline: &Deadline) -> Result<()> {
    let limit = NOTICE_TIMEOUT.min(deadline.remaining());
    if let Err(error) = udev::settle(root, &Deadline::after(limit)) {
        tracing::debug!("{error}");
    }
    // systemd may be reloading: then it answers when it has finished, and only afterwards reads what udev has sent.
    manager.system_state()?;
    sleep(READ_DELAY);
    Ok(())
}
