//! Takes back a mount that was made twice: by us, and at the same moment by systemd, whose mount(8) knows nothing of our
//! locks.
//!
//! mount(2) refused the second with EBUSY; the calls that libmount uses since 2.39 (fsmount(2), move_mount(2)) put it on top
//! of the first (seen on Debian 13). Both are the same file system, so it does not matter which of them goes.

use std::path::Path;
use std::time::Duration;

use libmount::Mounted;

use crate::model::unit_name;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::mounts;
use crate::sys::systemd::Manager;

/// How long systemd may take for a mount that it has begun, and between two looks.
const LIMIT: Duration = Duration::from_secs(5);
/// Looks at what we have just mounted there.
pub fn take_back(root: &Root, target: &Path) {
    await_systemd(root, target);
    let is_there_twice = || mounts::list(root).is_ok_and(|mounts| is_twice(&mounts, target));
    if is_there_twice()
        && let Err(error) = libmount::unmount(target)
    {
        tracing::warn!(
            "{0} is mounted twice, by systemd too, and stays so: {error}; `umount {0}` takes one back",
            target.display()
        );
    }
}

/// Until systemd is not mounting there, if it runs and can be asked.
fn await_systemd(root: &Root, target: &Path) {
    if !root.systemd().exists() {
        return;
    }
    let Ok(manager) = Manager::connect(root) else {
        return;
    };
    let unit = unit_name::mount(target);
    Deadline::after(LIMIT).poll(|| {
        let loaded = manager.loaded_units(&[&unit]).unwrap_or_default();
        (loaded
            .get(&unit)
            .is_none_or(|state| state.active != "activating"))
        .then_some(())
    });
}

/// Whether the mount on top is the same file system as one below it.
fn is_twice(mounts: &[Mounted], target: &Path) -> bool {
    let mut here = mounts.iter().rev().filter(|mount| mount.target == target);
    let Some(top) = here.next() else { return false };
    here.any(|below| below.device == top.device && below.root == top.root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::mount_tree::tests::mounts;

    #[test]
    fn the_same_file_system_on_itself_is_there_twice_and_another_is_not() {
        let seen = mounts(
            "20 1 8:1 /\n21 20 252:0 /a\n22 21 252:0 /a\n23 20 252:1 /b\n24 23 252:2 /b\n25 20 252:0 /c",
        );
        assert_eq!(
            ["/a", "/b", "/c", "/d"].map(|target| is_twice(&seen, Path::new(target))),
            [true, false, false, false]
        );
    }
}
