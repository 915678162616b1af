//! `rbdmap stop-images`: has systemd stop the units of all images, for rbdmap.service.

use anyhow::Result;

use crate::engine::systemd;
use crate::report::failures::Report;
use crate::runtime::root::Root;

/// Queues the stops and does not wait for them: they run after rbdmap.service has stopped.
pub fn run(root: &Root) -> Result<Report> {
    systemd::stop_images(root)?;
    Ok(Report::default())
}
