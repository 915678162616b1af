//! How systemd is asked for jobs.

use std::time::Duration;

/// The time that systemd needs beyond the time limit of the program that a unit runs.
const GRACE: Duration = Duration::from_secs(15);

/// How systemd is asked.
#[derive(Debug, Clone, Copy)]
pub struct JobOptions {
    /// Whether the command waits for the jobs.
    pub block: bool,
    /// Whether services that require what is stopped are stopped first.
    pub stop_users: bool,
}

impl JobOptions {
    /// How long to wait for jobs whose program has this time limit.
    pub fn job_timeout(self, timeout: Duration) -> Duration {
        if self.block {
            timeout + GRACE
        } else {
            Duration::ZERO
        }
    }
}
