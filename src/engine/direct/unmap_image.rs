//! Removes one mapping on which nothing stands: the write to the bus, then its links, which udev takes away or, where no
//! udevd runs, we do.

use std::time::Duration;

use nix::errno::Errno;

use crate::engine::progress;
use crate::model::block_node::BlockNode;
use crate::model::mapping::Mapping;
use crate::report::event::Event;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::rbd::bus::{self, BusAccess, BusError};
use crate::sys::rbd::image_lock;
use crate::sys::{device, link};

/// How long udev may take to remove the link of a device that is gone.
const LINK_LIMIT: Duration = Duration::from_secs(5);

/// How long a removal by force is waited for.
const FORCE_LIMIT: Duration = Duration::from_secs(10);

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
    let say = |what: &str| progress::report_wait(Event::UnmapWaits, mapping, what);
    let lock = match image_lock::image(
        root,
        &mapping.spec,
        Wait {
            deadline,
            on_delay: &|| say(image_lock::WHOSE),
        },
    ) {
        Ok(lock) => lock,
        Err(error) => return Removal::Failed(format!("{error:#}")),
    };
    // While we waited, another of us may have unmapped it, and the number may be another image's now.
    if bus::find(root, mapping.id).as_ref() != Some(mapping) {
        return Removal::Gone;
    }
    let nodes = device::nodes(root, &mapping.name());
    let unmapping = || {
        say(&format!(
            "the kernel to unmap /dev/{}, which waits for the cluster",
            mapping.name()
        ))
    };
    let wait = Wait {
        deadline,
        on_delay: &unmapping,
    };
    let removal = match bus::remove(root, mapping.id, BusAccess { lock: &lock, wait }) {
        Ok(()) => Removal::Gone,
        Err(BusError::Kernel(error)) => match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            Errno::ENOENT => Removal::Gone,
            Errno::EBUSY | Errno::EINPROGRESS => Removal::Busy,
            _ => Removal::Failed(format!("unmapping /dev/{}: {error}", mapping.name())),
        },
        Err(BusError::Open(path, error)) => Removal::Failed(format!(
            "{} cannot be opened: {error}; rbdmap must run as root",
            path.display()
        )),
        Err(BusError::Key(error)) => Removal::Failed(error.to_string()),
        Err(BusError::Unprivileged(why)) => Removal::Failed(why.to_owned()),
        Err(BusError::NoAnswer) => {
            let seconds = deadline.limit().as_secs();
            Removal::Failed(format!(
                "the kernel has not unmapped /dev/{} for {seconds} s; is the cluster there?",
                mapping.name()
            ))
        }
        Err(BusError::Killed) if bus::find(root, mapping.id).as_ref() != Some(mapping) => {
            Removal::Gone
        }
        Err(BusError::Killed) => Removal::Failed(format!(
            "the process that asked the kernel to unmap /dev/{} was killed; run it again",
            mapping.name()
        )),
    };
    if removal == Removal::Gone {
        await_no_link(root, mapping, &nodes);
    }
    removal
}

/// Removes it whoever has it open. The error is a sentence.
pub fn by_force(root: &Root, mapping: &Mapping) -> Result<(), String> {
    let deadline = Deadline::after(FORCE_LIMIT);
    let wait = Wait::silent(&deadline);
    let lock =
        image_lock::image(root, &mapping.spec, wait).map_err(|error| format!("{error:#}"))?;
    match bus::remove_by_force(root, mapping.id, BusAccess { lock: &lock, wait }) {
        Ok(()) => Ok(()),
        Err(BusError::Kernel(error)) => Err(error.to_string()),
        _ => Err(format!(
            "the kernel has not done it for {} s: it waits for what is being written",
            FORCE_LIMIT.as_secs()
        )),
    }
}

/// Has the link taken away, so that what follows finds nothing left. A link that stays is told, no more.
fn await_no_link(root: &Root, mapping: &Mapping, nodes: &[BlockNode]) {
    let spec = &mapping.spec;
    if !root.udev_control().exists() {
        if let Err(error) = link::remove(root, spec, nodes) {
            tracing::warn!("{spec}: unmapped, but its link is left: {error:#}");
        }
        return;
    }
    let gone = || (!link::link_leads_to(root, mapping)).then_some(());
    if Deadline::after(LINK_LIMIT).poll(gone).is_none() {
        tracing::warn!(
            "{spec}: unmapped, but udev left the link /dev/{}",
            spec.link().display()
        );
    }
}
