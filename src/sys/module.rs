//! Loads the rbd module, which brings the rbd bus and, through libceph, the key type `ceph`.
//!
//! `single_major=Y` as `rbd` does (ceph `src/krbd.cc`): all devices share one major number. It is the default since
//! Linux 6.x and cannot be changed while the module is loaded.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::root::Root;

/// Makes the rbd bus be there.
pub fn load(root: &Root) -> Result<()> {
    if root.rbd_bus().exists() {
        return Ok(());
    }
    let modprobe = root.modprobe();
    let output = Command::new(&modprobe)
        .args(["rbd", "single_major=Y"])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("loading the kernel module rbd: running {}", modprobe.display()))?;
    if !output.status.success() || !root.rbd_bus().exists() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let said = if said.is_empty() { "modprobe said nothing".to_owned() } else { said.join("; ") };
        bail!("the kernel module rbd cannot be loaded: {said}; `modinfo rbd` shows whether this kernel has it");
    }
    Ok(())
}
