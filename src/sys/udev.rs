//! Waits for udev: until it has come to every device that the kernel has told of, and has handed what it made of them on.
//!
//! `udevadm settle` asks udevd first whether it has read all of the kernel's events, and then waits for the end of
//! its queue (systemd `src/udev/udevadm-settle.c`). The surprise: systemd may read what udev hands on a moment later.

use std::process::Command;

use super::subprocess;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;

/// Waits until then, if udevd runs. The error is a sentence: udevadm's own, or that it has not ended in time.
pub fn settle(root: &Root, deadline: &Deadline) -> Result<(), String> {
    if !root.udev_control().exists() {
        return Ok(());
    }
    let mut udevadm = Command::new(root.udevadm());
    // We end it; its own limit is two minutes.
    udevadm.arg("settle");
    subprocess::run(udevadm, deadline)
}
