//! With rbdmap.service, its images: `systemctl stop rbdmap` stops every instance, `systemctl restart rbdmap` none.
//!
//! A dependency cannot say that on every systemd: `StopPropagatedFrom=` hands on the stop that is in a restart since 256, and
//! `PartOf=` always did, to every application on our mounts.

use std::time::Duration;

use anyhow::Result;

use crate::root::Root;
use crate::sys::systemd::{Manager, SystemState};

/// Asks for the instances to be stopped, if rbdmap.service is being stopped for good. They are not waited for: they stop after
/// it. At shutdown, systemd stops them by itself.
pub fn stop_images(root: &Root) -> Result<()> {
    let manager = Manager::connect(root)?;
    if manager.state()? == SystemState::Stopping || manager.job_of("rbdmap.service")?.as_deref() != Some("stop") {
        return Ok(());
    }
    let units = manager.up(&["rbdmap@*.service"])?;
    manager.stop(&units, Duration::ZERO, &mut |_| {}).map(drop)
}
