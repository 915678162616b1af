//! Loads the rbd module, which brings the rbd bus and, through libceph, the key type `ceph`.
//!
//! `single_major=Y` as `rbd` does (ceph `src/krbd.cc`): all devices share one major number. It is the default since
//! Linux 6.x and cannot be changed while the module is loaded.

use std::process::Command;

use anyhow::{Result, anyhow};

use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::subprocess;

/// Makes the rbd bus be there.
pub fn load(root: &Root, deadline: &Deadline) -> Result<()> {
    if root.rbd_bus().exists() {
        return Ok(());
    }
    let mut modprobe = Command::new(root.modprobe());
    modprobe.args(["rbd", "single_major=Y"]);
    let loaded = subprocess::run(modprobe, deadline).and_then(|()| match root.rbd_bus().exists() {
        true => Ok(()),
        false => Err("modprobe has loaded it, but /sys/bus/rbd is not there".to_owned()),
    });
    loaded.map_err(|said| {
        anyhow!("the kernel module rbd cannot be loaded: {said}; `modinfo rbd` shows whether this kernel has it")
    })
}
