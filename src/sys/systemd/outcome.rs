//! How the job of a unit ended, as data and in words.

use std::fmt;

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// The job did what it had to. The unit may have failed to stop, or had nothing to start: read its state.
    Done,
    /// The unit failed.
    Failed,
    /// A unit that it needs failed.
    Dependency,
    /// The job took longer than JobTimeoutSec= allows.
    Timeout,
    /// Someone asked for the opposite.
    Canceled,
    /// The job did not apply to the unit's state.
    Skipped,
    /// systemd did not take the job, for this reason: no such unit, masked, not allowed, against a job of the shutdown.
    Refused(String),
    /// The limit passed first; systemd goes on with the job.
    StillRunning,
    /// systemd has not even answered whether it takes the job.
    Unanswered,
    /// A rare result (`assert`, `invalid`, `unsupported`, `collected`, `once`) or one newer than this program.
    Other(String),
}

impl From<&str> for JobOutcome {
    /// The result in JobRemoved (systemd `src/core/job.c`).
    fn from(result: &str) -> Self {
        match result {
            "done" => Self::Done,
            "failed" => Self::Failed,
            "dependency" => Self::Dependency,
            "timeout" => Self::Timeout,
            "canceled" => Self::Canceled,
            "skipped" => Self::Skipped,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// What became of the job for one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReport {
    /// The unit as the caller named it.
    pub unit: String,
    /// How it ended.
    pub outcome: JobOutcome,
}

impl fmt::Display for JobReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match &self.outcome {
            JobOutcome::Done => "done",
            JobOutcome::Failed => "failed",
            JobOutcome::Dependency => "a unit that it needs failed",
            JobOutcome::Timeout => "its job timed out",
            JobOutcome::Canceled => "its job was canceled by another one",
            JobOutcome::Skipped => "skipped, its state does not allow it",
            JobOutcome::Refused(reason) => reason,
            JobOutcome::StillRunning => "not done yet, systemd goes on with it",
            JobOutcome::Unanswered => "systemd did not answer",
            JobOutcome::Other(result) => {
                return write!(f, "{}: its job ended with the result {result}", self.unit);
            }
        };
        write!(f, "{}: {outcome}", self.unit)
    }
}
