//! What is mounted, and mounting and unmounting, through libmount.

use anyhow::{Result, anyhow};
use libmount::{MountRequest, Mounted};

use crate::config::fstab::FstabEntry;
use crate::root::Root;

/// Every mount of this process's namespace, parents before children.
pub fn list(root: &Root) -> Result<Vec<Mounted>> {
    let path = root.mountinfo();
    libmount::mountinfo(&path).map_err(|error| anyhow!("reading {}: {error}", path.display()))
}

/// Mounts an fstab entry. `_netdev` is added so that libmount's record in utab tells systemd, which reads it back, to
/// unmount before the network goes; `noauto` is fstab's word for boot and means nothing here.
pub fn mount(entry: &FstabEntry) -> Result<(), libmount::Error> {
    let mut options = entry.options.clone();
    if !entry.has("_netdev") {
        options.push("_netdev".to_owned());
    }
    let options = options.join(",");
    let request =
        MountRequest { source: &entry.source, target: &entry.target, fstype: &entry.fstype, options: &options };
    libmount::mount(&request)
}
