//! `rbdmap map` in the unit of an image with `nofail`, for which boot does not wait.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::from_table;
use crate::cli::MapArguments;
use crate::engine::direct::retry_policy::RetryPolicy;
use crate::engine::systemd;
use crate::report::failures::Report;
use crate::report::logging::Attempts;
use crate::runtime::backoff::Backoff;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;

/// After that, the unit fails and systemd starts it again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(3600);

/// The least time between two attempts.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// Maps with one short attempt while the machine boots, and with retries after systemd has restarted the unit.
pub fn map(root: &Root, arguments: &MapArguments, attempts: &Attempts) -> Result<Report> {
    if systemd::is_booting(root).unwrap_or(false) {
        // systemd finishes boot only when no unit is starting, so this one must not wait for a monitor.
        return from_table::map(root, arguments, RetryPolicy::Once);
    }
    let deadline = Deadline::after(RETRY_TIMEOUT);
    let mut backoff = Backoff::new();
    // An administrator who started the unit sees the first failure. Later the retries stay in this process: systemd and the
    // unit would log each failed start.
    let retries = systemd::has_restarted(root, &arguments.specs).unwrap_or(false);
    loop {
        // Each attempt reads the files again: an administrator may have fixed them.
        let report = from_table::map(root, arguments, RetryPolicy::UntilTimeout)?;
        if report.is_clean() || !retries || deadline.remaining().is_zero() {
            return Ok(report);
        }
        sleep(RETRY_PAUSE + backoff.pause());
        attempts.next();
    }
}
