//! Removes one mapping on which nothing stands any more: the write to the bus, and then the links below /dev/rbd, which udev
//! removes, or this process where udevd does not run.

use std::time::Duration;

use anyhow::{Result, bail};
use nix::errno::Errno;

use crate::engine::progress;
use crate::model::block_node::BlockNode;
use crate::model::mapping::Mapping;
use crate::report::event::Event;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::rbd::bus::{self, BusAccess, BusError};
use crate::sys::rbd::image_lock;
use crate::sys::{device, link, link_maker};

/// How long udev may take to remove the link of a device that is gone.
const LINK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the kernel may take to remove a mapping by force.
const FORCE_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// The image is not mapped any more.
    Done,
    /// The device is open.
    InUse,
    /// The mapping cannot be removed. The reason does not name the image.
    Failed(String),
}

/// Makes one attempt.
pub fn attempt(root: &Root, mapping: &Mapping, deadline: &Deadline) -> Removal {
    let wait_for_lock = Wait {
        deadline,
        on_delay: &|| progress::report_wait(Event::UnmapWaits, mapping, image_lock::HOLDER),
    };
    let lock = match image_lock::image(root, &mapping.spec, wait_for_lock) {
        Ok(lock) => lock,
        Err(error) => return Removal::Failed(format!("{error:#}")),
    };
    // While this process waited for the lock, another may have unmapped the image, and the kernel may have given its number
    // to another image.
    if !is_mapped(root, mapping) {
        return Removal::Done;
    }
    // The names of the partitions; the kernel does not have them any more once the mapping is removed.
    let nodes = device::nodes(root, &mapping.name());
    let subject = format!(
        "the kernel to unmap /dev/{}, for which it needs the cluster",
        mapping.name()
    );
    let wait = Wait {
        deadline,
        on_delay: &|| progress::report_wait(Event::UnmapWaits, mapping, &subject),
    };
    let removal = match bus::remove(root, mapping.id, BusAccess { lock: &lock, wait }) {
        Ok(()) => Removal::Done,
        Err(error) => from_error(root, mapping, &error, deadline),
    };
    if removal == Removal::Done {
        wait_for_links(root, mapping, &nodes);
    }
    removal
}

fn is_mapped(root: &Root, mapping: &Mapping) -> bool {
    bus::find(root, mapping.id).as_ref() == Some(mapping)
}

/// What an error of the write means.
fn from_error(root: &Root, mapping: &Mapping, error: &BusError, deadline: &Deadline) -> Removal {
    let device = mapping.name();
    match error {
        BusError::Kernel(error) => match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            // Another process has removed it.
            Errno::ENOENT => Removal::Done,
            // EBUSY: the device is open. EINPROGRESS: another request to remove it is running.
            Errno::EBUSY | Errno::EINPROGRESS => Removal::InUse,
            _ => Removal::Failed(format!("unmapping /dev/{device}: {error}")),
        },
        BusError::Open(path, error) => Removal::Failed(format!(
            "{} cannot be opened: {error}; run rbdmap as root",
            path.display()
        )),
        BusError::Key(error) => Removal::Failed(error.to_string()),
        BusError::Unprivileged(reason) => Removal::Failed((*reason).to_owned()),
        BusError::NoAnswer => Removal::Failed(format!(
            "the kernel did not unmap /dev/{device} within {} s; check that the cluster is reachable",
            deadline.limit().as_secs()
        )),
        // The kernel may have completed the request of the process that was killed.
        BusError::Killed if !is_mapped(root, mapping) => Removal::Done,
        BusError::Killed => Removal::Failed(format!(
            "the process that asked the kernel to unmap /dev/{device} was killed; run the command again"
        )),
    }
}

/// Removes the mapping even if its device is open.
pub fn remove_by_force(root: &Root, mapping: &Mapping) -> Result<()> {
    let deadline = Deadline::after(FORCE_TIMEOUT);
    let wait = Wait::silent(&deadline);
    let lock = image_lock::image(root, &mapping.spec, wait)?;
    match bus::remove_by_force(root, mapping.id, BusAccess { lock: &lock, wait }) {
        Ok(()) => Ok(()),
        Err(BusError::Kernel(error)) => Err(error.into()),
        Err(_) => bail!(
            "the kernel did not remove it within {} s, because it waits for writes that are in progress",
            FORCE_TIMEOUT.as_secs()
        ),
    }
}

/// Waits until the links are gone, so that the caller's next step does not find them. A link that stays is only reported.
fn wait_for_links(root: &Root, mapping: &Mapping, nodes: &[BlockNode]) {
    let spec = &mapping.spec;
    if !root.udev_control().exists() {
        // Nobody else removes them.
        if let Err(error) = link_maker::remove(root, spec, nodes) {
            tracing::warn!("{spec}: unmapped, but its link is left: {error:#}");
        }
        return;
    }
    let gone =
        Deadline::after(LINK_TIMEOUT).poll(|| (!link::link_leads_to(root, mapping)).then_some(()));
    if gone.is_none() {
        tracing::warn!(
            "{spec}: unmapped, but udev did not remove the link /dev/{}",
            spec.link().display()
        );
    }
}
