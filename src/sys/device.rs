//! Waits until a new mapping can be used: udev has applied its rules to the device and the link is there.
//!
//! When the write to the rbd bus returns, the kernel has made the disk, its partitions and /dev/rbdN (linux
//! `drivers/block/rbd.c`, do_rbd_add); only udev's work is pending. udev is done with a device when its record
//! `/run/udev/data/bMAJOR:MINOR` is there (systemd `src/udev/udev-event.c`, which writes it after the links). The
//! surprise: a link of this name may be another device's, so where it leads is looked at too.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::rbd::Mapping;
use super::watch::Watch;
use crate::deadline::Deadline;
use crate::root::Root;

/// Waits for udev to finish with the device and for its link.
pub fn await_link(root: &Root, mapping: &Mapping, deadline: &Deadline) -> Result<()> {
    let link = Path::new("/dev").join(mapping.spec.link());
    let link = link.display();
    if !root.udev_control().exists() {
        bail!("{} is mapped as /dev/{}, but udevd does not run and nobody makes {link}", mapping.spec, mapping.name());
    }
    let watch = Watch::on(&root.udev_records());
    let ready = || (root.udev_record(mapping.number).exists() && link_leads_to(root, mapping)).then_some(());
    match deadline.poll_with(|| watch.sleep(), ready) {
        Some(()) => Ok(()),
        None if link_leads_elsewhere(root, mapping) => {
            bail!(
                "{} is mapped as /dev/{}, but {link} leads to another device of that name",
                mapping.spec,
                mapping.name()
            )
        }
        None => bail!(
            "{} is mapped as /dev/{}, but udev did not make {link} in time: is 50-rbd.rules installed, does udevd work?",
            mapping.spec,
            mapping.name()
        ),
    }
}

/// Whether the image's link leads to this mapping's device.
pub fn link_leads_to(root: &Root, mapping: &Mapping) -> bool {
    target_name(root, mapping).is_some_and(|name| name == mapping.name())
}

fn link_leads_elsewhere(root: &Root, mapping: &Mapping) -> bool {
    target_name(root, mapping).is_some_and(|name| name != mapping.name())
}

/// The name of the node that the link points to (`../../rbd0`).
fn target_name(root: &Root, mapping: &Mapping) -> Option<String> {
    let target = fs::read_link(root.dev(mapping.spec.link())).ok()?;
    target.file_name().map(|name| name.to_string_lossy().into_owned())
}
