//! The link of a mapping, `/dev/rbd/POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]`: where it leads, and waiting until udev has created it.
//!
//! When the write to the rbd bus returns, the kernel has created the disk, its partitions and /dev/rbdN (linux
//! `drivers/block/rbd.c`, do_rbd_add); only udev's work is pending. udev has processed a device when its record
//! `/run/udev/data/bMAJOR:MINOR` exists, which it writes after the links (systemd `src/udev/udev-event.c`). Where no udevd
//! runs, [`link_maker`](super::link_maker) makes the links.
//!
//! A link of this name may belong to another device, an image of the same name in another cluster. So where the link leads
//! counts as well.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::{device, link_maker};
use crate::model::block_node::BlockNode;
use crate::model::mapping::Mapping;
use crate::runtime::deadline::Wait;
use crate::runtime::root::Root;

/// Waits until udev has processed the device and its partitions and the link exists. Where no udevd runs, makes the links.
pub fn await_link(root: &Root, mapping: &Mapping, wait: Wait<'_>) -> Result<()> {
    if !root.udev_control().exists() {
        return link_maker::make(root, mapping);
    }
    let nodes = device::nodes(root, &mapping.name());
    if is_processed(root, mapping, &nodes) && !link_leads_to(root, mapping) {
        // udev has finished, so somebody has removed the link. A `change` event makes udev run its rules again (linux
        // `Documentation/ABI/testing/sysfs-uevent`). If the event cannot be sent, the wait below times out.
        let _ = fs::write(root.block(&mapping.name()).join("uevent"), "change");
    }
    let linked = wait.poll(|| {
        (is_processed(root, mapping, &nodes) && link_leads_to(root, mapping)).then_some(())
    });
    match linked {
        Some(()) => Ok(()),
        None => report_timeout(root, mapping, wait),
    }
}

fn report_timeout(root: &Root, mapping: &Mapping, wait: Wait<'_>) -> Result<()> {
    let name = mapping.name();
    let link = Path::new("/dev").join(mapping.spec.link());
    let link = link.display();
    if target_name(root, mapping).is_some_and(|target| target != name) {
        bail!(
            "mapped as /dev/{name}, but {link} leads to another device with an image of that name"
        );
    }
    bail!(
        "mapped as /dev/{name}, but udev did not create {link} within {} s; \
         check that 50-rbd.rules is installed and systemd-udevd is running",
        wait.deadline.limit().as_secs()
    )
}

/// The mappings that need no wait: udev runs, has processed the device, and the link exists.
pub fn ready<'m>(root: &Root, mappings: &'m [Mapping]) -> Vec<&'m Mapping> {
    if !root.udev_control().exists() {
        return Vec::new();
    }
    let partitioned = partitioned_disks(root);
    let mut ready = Vec::new();
    for mapping in mappings {
        let disk = mapping.name();
        let nodes = if partitioned.contains(&disk) {
            device::nodes(root, &disk)
        } else {
            Vec::new()
        };
        if link_leads_to(root, mapping) && is_processed(root, mapping, &nodes) {
            ready.push(mapping);
        }
    }
    ready
}

/// The rbd disks that have partitions. One directory shows it for all disks; with hundreds of images that is much cheaper than
/// one directory each.
fn partitioned_disks(root: &Root) -> HashSet<String> {
    let mut disks = HashSet::new();
    let devices = fs::read_dir(root.block_class());
    for device in devices.into_iter().flatten().flatten() {
        let Ok(name) = device.file_name().into_string() else {
            continue;
        };
        // rbd3p1 is a partition of rbd3.
        if let Some((disk, _)) = name.split_once('p').filter(|_| name.starts_with("rbd")) {
            disks.insert(disk.to_owned());
        }
    }
    disks
}

/// Whether udev has processed a disk and its partitions. The kernel created the partitions before its write returned, but udev
/// processes them after the disk.
fn is_processed(root: &Root, mapping: &Mapping, nodes: &[BlockNode]) -> bool {
    let numbers = nodes.iter().map(|node| node.number);
    std::iter::once(mapping.number)
        .chain(numbers)
        .all(|(major, minor)| root.udev_record(major, minor).exists())
}

/// Whether the image's link leads to this mapping's device.
pub fn link_leads_to(root: &Root, mapping: &Mapping) -> bool {
    target_name(root, mapping).is_some_and(|name| name == mapping.name())
}

/// The name of the device node that the link points to (`../../rbd0`).
fn target_name(root: &Root, mapping: &Mapping) -> Option<String> {
    let target = fs::read_link(root.dev(mapping.spec.link())).ok()?;
    let name = target.file_name()?;
    Some(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::deadline::Deadline;
    use crate::runtime::fake_root::FakeRoot;
    use crate::sys::rbd::bus;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    /// rbd/a as rbd0, and udevd.
    fn machine() -> (FakeRoot, Mapping) {
        let root = FakeRoot::new();
        root.map_image(0, "rbd/a");
        root.write("run/udev/control", "");
        fs::create_dir_all(root.dev("rbd/rbd")).unwrap();
        let mapping = bus::find(&root, 0).unwrap();
        (root, mapping)
    }

    fn link(root: &Root, target: &str) {
        symlink(target, root.dev("rbd/rbd/a")).unwrap();
    }

    fn await_now(root: &Root, mapping: &Mapping) -> Result<(), String> {
        let now = Deadline::after(Duration::ZERO);
        await_link(root, mapping, Wait::silent(&now)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_device_is_ready_when_udev_has_written_its_record_and_those_of_its_partitions() {
        let (root, mapping) = machine();
        link(&root, "../../rbd0");
        root.write("sys/block/rbd0/rbd0p1/dev", "252:1");
        root.write("sys/block/rbd0/rbd0p1/partition", "1\n");
        root.write("sys/class/block/rbd0p1", "");
        let mappings = [mapping.clone()];
        root.write("run/udev/data/b252:0", "");
        assert!(await_now(&root, &mapping).is_err() && ready(&root, &mappings).is_empty());
        root.write("run/udev/data/b252:1", "");
        assert_eq!(await_now(&root, &mapping), Ok(()));
        assert_eq!(ready(&root, &mappings), [&mapping]);
    }

    #[test]
    fn a_removed_link_is_requested_from_udev_again_and_missed() {
        let (root, mapping) = machine();
        root.write("run/udev/data/b252:0", "");
        assert_eq!(
            await_now(&root, &mapping).unwrap_err(),
            "mapped as /dev/rbd0, but udev did not create /dev/rbd/rbd/a within 0 s; \
             check that 50-rbd.rules is installed and systemd-udevd is running"
        );
        let event = fs::read_to_string(root.block("rbd0").join("uevent"));
        assert_eq!(event.unwrap(), "change");
    }

    #[test]
    fn a_link_to_another_device_is_reported() {
        let (root, mapping) = machine();
        root.write("run/udev/data/b252:0", "");
        link(&root, "../../rbd7");
        assert!(ready(&root, std::slice::from_ref(&mapping)).is_empty());
        assert_eq!(
            await_now(&root, &mapping).unwrap_err(),
            "mapped as /dev/rbd0, but /dev/rbd/rbd/a leads to another device with an image of that name"
        );
    }
}
