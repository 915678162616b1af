//! Maps one image, in this process: finds what it needs, adopts it if it is there already, else asks the kernel, and
//! waits until it can be used. Which images, and what is mounted on them, is decided by the callers.

use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::config::table::Entry;
use crate::deadline::Deadline;
use crate::reason::{self, Facts};
use crate::request::Request;
use crate::root::Root;
use crate::sys::lock::Lock;
use crate::sys::rbd::{self, Mapping};
use crate::sys::{device, kernel_log, lock, module, monitor, notify};
use crate::tag::{Origin, Tag};

/// Between two rounds of asking the monitors.
const MONITOR_PAUSE: Duration = Duration::from_secs(1);

/// An image that is mapped now.
pub struct Mapped {
    /// Its mapping.
    pub mapping: Mapping,
    /// Whether it was mapped before.
    pub adopted: bool,
}

/// Maps an entry's image or finds it mapped. The error is a sentence without the image's name.
pub fn image(root: &Root, entry: &Entry, origin: Origin, limit: Duration) -> Result<Mapped> {
    let deadline = Deadline::after(limit);
    let request = Request::resolve(root, entry)?;
    module::load(root)?;
    let _lock = lock::image(root, &entry.spec, &deadline)?;
    let present = rbd::list(root)?.into_iter().find(|mapping| mapping.serves(&request));
    let adopted = present.is_some();
    let mapping = match present {
        Some(mapping) => mapping,
        None => {
            await_monitors(&request, &deadline)?;
            add(root, request, origin, &deadline)?
        }
    };
    device::await_link(root, &mapping, &deadline)?;
    Ok(Mapped { mapping, adopted })
}

/// Waits until a monitor greets. Until then the kernel is not asked, for it would make all others wait as well.
fn await_monitors(request: &Request, deadline: &Deadline) -> Result<()> {
    let mut complaint = String::new();
    let greeted =
        deadline.poll(MONITOR_PAUSE, || match monitor::any_greets(&request.monitors, request.messenger(), deadline) {
            Ok(()) => Some(()),
            Err(said) => {
                notify::status(&format!("waiting for a monitor: {said}"));
                complaint = said;
                None
            }
        });
    let seconds = deadline.limit().as_secs();
    greeted.ok_or_else(|| {
        anyhow!(
            "no monitor has answered for {seconds} s ({complaint}): are they up, is the network, is mon_host right?"
        )
    })
}

/// The lock of whoever makes the kernel meet a cluster; nothing where it has met it.
fn first_of_cluster(root: &Root, request: &Request, deadline: &Deadline) -> Result<Option<Lock>> {
    let is_met = || -> Result<bool> {
        Ok(rbd::list(root)?.iter().any(|mapping| request.fsid.as_deref() == Some(mapping.fsid.as_str())))
    };
    if is_met()? {
        return Ok(None);
    }
    let lock = lock::cluster(root, &request.cluster(), deadline)?;
    // It may have been met while we waited; then we are one of many who need not wait.
    Ok((!is_met()?).then_some(lock))
}

fn add(root: &Root, request: Request, origin: Origin, deadline: &Deadline) -> Result<Mapping> {
    let _first = first_of_cluster(root, &request, deadline)?;
    let tag = Tag::new(origin, rbd::nonce(root)?);
    let facts = Facts::of(&request);
    let log = kernel_log::Since::now(root);
    rbd::add(root, request, &tag, deadline).map_err(|error| anyhow!(reason::of_map(&facts, &error, &log.lines())))?;
    let made = rbd::list(root)?.into_iter().find(|mapping| mapping.tag.as_ref() == Some(&tag));
    made.ok_or_else(|| anyhow!("the kernel says that it is mapped, but no device of /sys/bus/rbd carries our mark"))
}

impl Mapped {
    /// The result in words.
    pub fn describe(&self) -> String {
        let device = self.mapping.name();
        match (self.adopted, &self.mapping.tag) {
            (false, _) => format!("mapped as /dev/{device}"),
            (true, Some(_)) => format!("already mapped as /dev/{device}"),
            (true, None) => format!("already mapped as /dev/{device} by another program, which may unmap it"),
        }
    }
}
