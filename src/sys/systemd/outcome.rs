//! How the job of a unit ended, as data and as text.

use std::fmt;

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// The job did its work. The unit may have failed to stop, or there was nothing to start: its state shows that.
    Done,
    /// The unit failed.
    Failed,
    /// A unit that it requires failed.
    Dependency,
    /// The job took longer than JobTimeoutSec= allows.
    Timeout,
    /// Somebody requested the opposite.
    Canceled,
    /// The job did not apply in the unit's state.
    Skipped,
    /// systemd did not accept the job, and this is why: no such unit, masked, not permitted, conflicts with the shutdown.
    Refused(String),
    /// The caller's time limit passed first. systemd continues the job.
    StillRunning,
    /// systemd did not answer whether it accepts the job.
    Unanswered,
    /// A rare result (`assert`, `invalid`, `unsupported`, `collected`, `once`) or one that is newer than this program.
    Other(String),
}

impl From<&str> for JobOutcome {
    /// Reads the result in JobRemoved (systemd `src/core/job.c`).
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
    /// How the job ended.
    pub outcome: JobOutcome,
}

impl fmt::Display for JobReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match &self.outcome {
            JobOutcome::Done => "done",
            JobOutcome::Failed => "failed",
            JobOutcome::Dependency => "a unit that it requires failed; see `systemctl --failed`",
            JobOutcome::Timeout => "its job timed out",
            JobOutcome::Canceled => "another job canceled its job",
            JobOutcome::Skipped => "its job was skipped because it does not apply now",
            JobOutcome::Refused(reason) => reason,
            JobOutcome::StillRunning => "not done yet; systemd continues its job",
            JobOutcome::Unanswered => "systemd did not answer",
            JobOutcome::Other(result) => {
                return write!(f, "{}: its job ended with the result {result}", self.unit);
            }
        };
        write!(f, "{}: {outcome}", self.unit)
    }
}
