//! Waits until udev has processed every event that the kernel has sent so far.
//!
//! `udevadm settle` asks udevd first whether it has received all of the kernel's events, and then waits until its queue is
//! empty (systemd `src/udev/udevadm-settle.c`). Programs that listen to udev, such as systemd, may process the last event
//! a moment later.

use anyhow::Result;

use super::subprocess::Program;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;

/// Waits for udev's queue if udevd runs. Fails with udevadm's own message, or at the deadline.
pub fn settle(root: &Root, deadline: &Deadline) -> Result<()> {
    if !root.udev_control().exists() {
        return Ok(());
    }
    // udevadm's own time-out is two minutes; the deadline is what counts.
    Program::new(root.udevadm())
        .args(["settle"])
        .run_to_success(deadline)?;
    Ok(())
}
