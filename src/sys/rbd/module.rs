//! Loads the module rbd, which provides the rbd bus and, through libceph, the key type `ceph`.
//!
//! `single_major=Y` as `rbd` does (ceph `src/krbd.cc`): all devices share one major number. It is the default since
//! Linux 6.x and cannot be changed while the module is loaded.

use anyhow::{Result, anyhow, ensure};

use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::subprocess::Program;

/// Loads the module unless the rbd bus exists already.
pub fn load(root: &Root, deadline: &Deadline) -> Result<()> {
    if root.rbd_bus().exists() {
        return Ok(());
    }
    run_modprobe(root, deadline).map_err(|error| {
        anyhow!("the kernel module rbd cannot be loaded: {error:#}; `modinfo rbd` shows whether this kernel has it")
    })
}

fn run_modprobe(root: &Root, deadline: &Deadline) -> Result<()> {
    Program::new(root.modprobe())
        .args(["rbd", "single_major=Y"])
        .run_to_success(deadline)?;
    // modprobe also succeeds where modprobe.d replaces the module by a command that does nothing.
    ensure!(
        root.rbd_bus().exists(),
        "modprobe succeeded, but /sys/bus/rbd does not exist"
    );
    Ok(())
}
