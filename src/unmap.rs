//! Takes mappings down, in this process, from what the kernel says: unmount everything on them, the last mounted first,
//! then remove them. Which mappings is decided by the plan.
//!
//! Both steps are tried again while something holds on: after a last close udev's probing has the device open for a
//! moment (ceph `src/krbd.cc`, do_krbd_remove: 250 ms), and at shutdown applications are still ending. What is gone
//! already is success.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use nix::errno::Errno;

use crate::deadline::Deadline;
use crate::plan;
use crate::report::Report;
use crate::root::Root;
use crate::sys::rbd::{self, BusError, Mapping};
use crate::sys::{device, lock, mounts, notify};

/// Between two tries while a device or a file system is in use.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at the link of a device that is gone.
const LINK_PAUSE: Duration = Duration::from_millis(10);
/// How long udev may take to remove the link of a device that is gone.
const LINK_LIMIT: Duration = Duration::from_secs(5);

/// Takes the mappings down, each independently of the others' failures.
pub fn mappings(root: &Root, mappings: &[Mapping], limit: Duration, report: &mut Report) {
    let deadline = Deadline::after(limit);
    if let Err(error) = unmount_all(root, mappings, &deadline) {
        report.failed(format!("{error:#}"));
    }
    for mapping in mappings {
        match unmap(root, mapping, &deadline) {
            Ok(()) => report.done(&mapping.spec, format!("unmapped /dev/{}", mapping.name())),
            Err(error) => report.image_failed(&mapping.spec, format!("{error:#}")),
        }
    }
}

/// Unmounts all that stands on the mappings, across all of them, since one may be mounted inside another. Ends when
/// nothing is left, or at the deadline with what is in the way.
fn unmount_all(root: &Root, mappings: &[Mapping], deadline: &Deadline) -> Result<()> {
    let devices: Vec<(u32, u32)> = mappings.iter().flat_map(|mapping| rbd::block_numbers(root, mapping)).collect();
    let mut obstacle = None;
    let gone = deadline.poll(BUSY_PAUSE, || match unmount_round(root, &devices) {
        Ok(None) => Some(Ok(())),
        Ok(Some(busy)) => {
            notify::status(&busy);
            obstacle = Some(busy);
            None
        }
        Err(error) => Some(Err(error)),
    });
    gone.unwrap_or_else(|| bail!("{}", obstacle.unwrap_or_default()))
}

/// One try at every mount; the answer is what could not be unmounted because it is in use.
fn unmount_round(root: &Root, devices: &[(u32, u32)]) -> Result<Option<String>> {
    let mut busy = None;
    for target in plan::mount_points(&mounts::list(root)?, devices) {
        match libmount::unmount(&target) {
            Ok(()) => tracing::info!("unmounted {}", target.display()),
            Err(error) if error.is_busy() => {
                busy = Some(format!("{} is in use; `fuser -vm {0}` shows by whom", target.display()));
            }
            Err(error) => return Err(anyhow!("unmounting {}: {error}", target.display())),
        }
    }
    Ok(busy)
}

fn unmap(root: &Root, mapping: &Mapping, deadline: &Deadline) -> Result<()> {
    let _lock = lock::image(root, &mapping.spec, deadline)?;
    if let Some(target) = plan::mount_points(&mounts::list(root)?, &rbd::block_numbers(root, mapping)).first() {
        bail!("it stays mapped as /dev/{}: still mounted on {}", mapping.name(), target.display());
    }
    let device = format!("/dev/{}", mapping.name());
    let removed = deadline.poll(BUSY_PAUSE, || match rbd::remove(root, mapping.id) {
        Ok(()) => Some(Ok(())),
        Err(BusError::Kernel(error)) => match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            Errno::ENOENT => Some(Ok(())),
            Errno::EBUSY | Errno::EINPROGRESS => None,
            _ => Some(Err(anyhow!("unmapping {device}: {error}"))),
        },
        Err(BusError::Open(path, error)) => {
            Some(Err(anyhow!("{} cannot be opened: {error}; rbdmap must run as root", path.display())))
        }
        Err(BusError::Key(_) | BusError::NoAnswer) => None,
    });
    removed.unwrap_or_else(|| {
        bail!(
            "it stays mapped: {device} has been in use for {} s; `fuser -v {device}` and `lsblk {device}` show by whom",
            deadline.limit().as_secs()
        )
    })?;
    await_no_link(root, mapping);
    Ok(())
}

/// Waits for udev to take the link away, so that what follows finds nothing left. A link that stays is told, no more.
fn await_no_link(root: &Root, mapping: &Mapping) {
    let deadline = Deadline::after(LINK_LIMIT);
    let gone = || (!root.udev_control().exists() || !device::link_leads_to(root, mapping)).then_some(());
    if deadline.poll(LINK_PAUSE, gone).is_none() {
        tracing::warn!("{}: unmapped, but udev left the link /dev/{}", mapping.spec, mapping.spec.link().display());
    }
}
