//! Removes one mapping on which nothing stands: the write to the bus, then its links, which udev takes away or, where no
//! udevd runs, we do.

use std::time::Duration;

use nix::errno::Errno;

use crate::deadline::Deadline;
use crate::root::Root;
use crate::sys::rbd::{self, BusError, Mapping};
use crate::sys::{device, link, lock};

/// Between two looks at the link of a device that is gone.
const LINK_PAUSE: Duration = Duration::from_millis(10);
/// How long udev may take to remove the link of a device that is gone.
const LINK_LIMIT: Duration = Duration::from_secs(5);

/// What a try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It is not mapped any more.
    Gone,
    /// Somebody has it open.
    Busy,
    /// It cannot be removed; a sentence without the image's name.
    Failed(String),
}

/// Tries once.
pub fn attempt(root: &Root, mapping: &Mapping, deadline: &Deadline) -> Removal {
    let _lock = match lock::image(root, &mapping.spec, deadline) {
        Ok(lock) => lock,
        Err(error) => return Removal::Failed(format!("{error:#}")),
    };
    // While we waited, another of us may have unmapped it, and the number may be another image's now.
    if rbd::find(root, mapping.id).as_ref() != Some(mapping) {
        return Removal::Gone;
    }
    let nodes = device::nodes(root, &mapping.name());
    let removal = match rbd::remove(root, mapping.id) {
        Ok(()) => Removal::Gone,
        Err(BusError::Kernel(error)) => match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            Errno::ENOENT => Removal::Gone,
            Errno::EBUSY | Errno::EINPROGRESS => Removal::Busy,
            _ => Removal::Failed(format!("unmapping /dev/{}: {error}", mapping.name())),
        },
        Err(BusError::Open(path, error)) => {
            Removal::Failed(format!("{} cannot be opened: {error}; rbdmap must run as root", path.display()))
        }
        Err(BusError::Key(error)) => Removal::Failed(error.to_string()),
        Err(BusError::NoAnswer) => Removal::Busy,
    };
    if removal == Removal::Gone {
        await_no_link(root, mapping, &nodes);
    }
    removal
}

/// Has the link taken away, so that what follows finds nothing left. A link that stays is told, no more.
fn await_no_link(root: &Root, mapping: &Mapping, nodes: &[device::Node]) {
    let spec = &mapping.spec;
    if !root.udev_control().exists() {
        if let Err(error) = link::remove(root, spec, nodes) {
            tracing::warn!("{spec}: unmapped, but its link is left: {error:#}");
        }
        return;
    }
    let gone = || (!device::link_leads_to(root, mapping)).then_some(());
    if Deadline::after(LINK_LIMIT).poll(LINK_PAUSE, gone).is_none() {
        tracing::warn!("{spec}: unmapped, but udev left the link /dev/{}", spec.link().display());
    }
}
