//! The connection to a manager that accepts jobs.

use anyhow::{Result, bail};

use crate::runtime::root::Root;
use crate::sys::systemd::{Manager, SystemState};

/// Connects to systemd, unless the system shuts down.
pub fn connect(root: &Root) -> Result<Manager> {
    let manager = Manager::connect(root)?;
    // systemd would still accept a start job, and map what it is about to unmap.
    if manager.system_state()? == SystemState::Stopping {
        bail!(
            "the system is shutting down: systemd accepts no new jobs, and unmaps all images as part of the shutdown"
        );
    }
    Ok(manager)
}
