//! Mounts of a device in other mount namespaces than that of this process, which no unmount here removes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use libmount::Mounted;

use super::held::Held;
use super::processes::Processes;
use crate::model::holder::Holder;
use crate::runtime::root::Root;

/// The first process of each other namespace in which a held device is mounted.
pub fn holding(root: &Root, held: &Held, processes: &Processes) -> Vec<Holder> {
    let groups = shared_groups(&held_mounts(held, &root.mountinfo()));
    let mut seen = HashSet::from([namespace(root, "self")]);
    let mut holders = Vec::new();
    for pid in processes.pids() {
        let other = namespace(root, &pid.to_string());
        if other.is_none() || !seen.insert(other) {
            continue;
        }
        let mounts = held_mounts(held, &root.proc(pid.to_string()).join("mountinfo"));
        // A mount that belongs to a peer group of ours goes with ours, as those of udevd do.
        if let Some(mount) = mounts.iter().find(|mount| !is_in(mount, &groups)) {
            let target = mount.target.display().to_string();
            holders.push(Holder::Namespace(processes.describe(*pid), target));
        }
    }
    holders
}

/// The identity of a process's mount namespace; `None` if the process has ended.
fn namespace(root: &Root, process: &str) -> Option<PathBuf> {
    fs::read_link(root.proc(process).join("ns/mnt")).ok()
}

fn held_mounts(held: &Held, mountinfo: &Path) -> Vec<Mounted> {
    let mut mounts = libmount::mountinfo(mountinfo).unwrap_or_default();
    mounts.retain(|mount| held.contains_mount(mount));
    mounts
}

/// The numbers of the peer groups from which the kernel propagates an unmount (mount_namespaces(7)).
fn shared_groups(mounts: &[Mounted]) -> HashSet<String> {
    mounts
        .iter()
        .flat_map(|mount| mount.groups.split(' '))
        .filter_map(|group| group.strip_prefix("shared:"))
        .map(str::to_owned)
        .collect()
}

/// Whether a mount is a peer (`shared:N`) or a slave (`master:N`) of one of these groups.
fn is_in(mount: &Mounted, groups: &HashSet<String>) -> bool {
    mount
        .groups
        .split(' ')
        .filter_map(|group| group.split_once(':'))
        .any(|(_, number)| groups.contains(number))
}
