//! Removes a mount that was made twice: by this process, and at the same moment by systemd, whose mount(8) does not know our
//! locks.
//!
//! mount(2) refuses the second mount with EBUSY. The calls that libmount uses since 2.39 (fsmount(2), move_mount(2)) put it on
//! top of the first (seen on Debian 13). Both are the same file system, so it does not matter which of them is removed.

use std::path::Path;
use std::time::Duration;

use libmount::Mounted;

use crate::model::unit_name;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::mounts;
use crate::sys::systemd::Manager;

/// How long systemd may take for a mount that it has begun.
const SYSTEMD_MOUNT_TIMEOUT: Duration = Duration::from_secs(5);

/// Removes the upper one of two equal mounts at a mount point that this process has just mounted.
pub fn take_back(root: &Root, target: &Path) {
    // A mount(8) that systemd has started may still run, and mount on top of ours a moment later.
    wait_for_systemd(root, target);
    let is_double = mounts::list(root).is_ok_and(|mounts| is_twice(&mounts, target));
    if is_double && let Err(error) = libmount::unmount(target) {
        tracing::warn!(
            "{0} is mounted twice, by systemd too, and stays so: {error}; `umount {0}` removes one of the mounts",
            target.display()
        );
    }
}

/// Waits until systemd does not mount at this mount point, if systemd runs and answers.
fn wait_for_systemd(root: &Root, target: &Path) {
    if !root.systemd().exists() {
        return;
    }
    let Ok(manager) = Manager::connect(root) else {
        return;
    };
    let unit = unit_name::mount(target);
    Deadline::after(SYSTEMD_MOUNT_TIMEOUT).poll(|| {
        let units = manager.loaded_units(&[&unit]).unwrap_or_default();
        let is_mounting = units
            .get(&unit)
            .is_some_and(|state| state.active == "activating");
        (!is_mounting).then_some(())
    });
}

/// Whether the topmost mount is the same file system as one below it.
fn is_twice(mounts: &[Mounted], target: &Path) -> bool {
    // mountinfo lists a mount after those that it covers.
    let mut here = mounts.iter().rev().filter(|mount| mount.target == target);
    let Some(top) = here.next() else { return false };
    here.any(|below| below.device == top.device && below.root == top.root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::mount_tree::tests::mounts;

    #[test]
    fn the_same_file_system_on_itself_is_mounted_twice_and_another_is_not() {
        let mounts = mounts(
            "20 1 8:1 /\n21 20 252:0 /a\n22 21 252:0 /a\n23 20 252:1 /b\n24 23 252:2 /b\n25 20 252:0 /c",
        );
        assert_eq!(
            ["/a", "/b", "/c", "/d"].map(|target| is_twice(&mounts, Path::new(target))),
            [true, false, false, false]
        );
    }
}
