//! Changes the state of units: starts and stops them, reloads their files, clears their failures.

use std::time::Duration;

use anyhow::{Context, Result};

use super::batch::{Batch, Pace};
use super::connection::within;
use super::follower;
use super::manager::{Manager, summarize};
use super::outcome::JobReport;
use super::proxy::NO_SUCH_UNIT;
use super::timeouts::RELOAD_TIMEOUT;

impl Manager {
    /// Makes PID 1 run its generators and read all unit files again (`systemctl daemon-reload`).
    pub fn reload(&self) -> Result<()> {
        let reload = async { self.manager_proxy().await?.reload().await };
        within(RELOAD_TIMEOUT, reload).context("asking systemd to reload its units")
    }

    /// Clears the failed state of a unit and its start limit, so that it can start. Succeeds if there is no such unit.
    pub fn reset_failed(&self, unit: &str) -> Result<()> {
        let reset = async {
            match self.manager_proxy().await?.reset_failed_unit(unit).await {
                // A unit that is not loaded has no failed state.
                Err(zbus::Error::MethodError(name, ..)) if name.as_str() == NO_SUCH_UNIT => Ok(()),
                answer => answer,
            }
        };
        self.call(reset)
            .with_context(|| format!("asking systemd to reset the failed state of {unit}"))
    }

    /// Starts units, some dozens at once, and follows their jobs until all have ended or none has been done for `limit`.
    /// With a limit of zero it returns as soon as systemd has accepted or refused every job.
    ///
    /// Passes each report to `done`, which may call this manager, and returns all in the order of completion. It fails
    /// if it cannot follow systemd any longer, not if a unit fails.
    pub fn start(
        &self,
        units: &[String],
        limit: Duration,
        done: &mut dyn FnMut(&JobReport),
    ) -> Result<Vec<JobReport>> {
        let batch = Batch {
            method: "StartUnit",
            units,
            limit,
            pace: Pace::STEADY,
        };
        self.run_on_new_connection(&batch, done)
            .with_context(|| format!("asking systemd to start {}", summarize(units)))
    }

    /// Stops units as [`Manager::start`] starts them, and returns the reports at the end.
    pub fn stop(&self, units: &[String], limit: Duration) -> Result<Vec<JobReport>> {
        let batch = Batch {
            method: "StopUnit",
            units,
            limit,
            pace: Pace::STEADY,
        };
        // Nobody calls this manager meanwhile, so the batch needs no connection of its own. PID 1 sends all its signals,
        // dozens for each unit, to every connection.
        follower::run(&batch, &self.connection, &mut |_| {})
            .with_context(|| format!("asking systemd to stop {}", summarize(units)))
    }

    fn run_on_new_connection(
        &self,
        batch: &Batch<'_>,
        done: &mut dyn FnMut(&JobReport),
    ) -> Result<Vec<JobReport>> {
        // While `done` calls this manager, nobody reads the batch's signals. On the same connection, its full queue
        // would block the answer to the call.
        follower::run(batch, &self.address.open()?, done)
    }
}

#[cfg(test)]
mod tests;
