//! Why a job did not do its work, in the unit's own words where it has any.

use std::time::Duration;

use crate::runtime::root::Root;
use crate::sys::journal::Journal;
use crate::sys::systemd::{JobOutcome, JobReport, Manager};

/// How long the journal may take, for all units together.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The source of reasons for the jobs of one command.
pub struct FailureReasons<'a> {
    manager: &'a Manager,
    journal: Journal,
}

impl<'a> FailureReasons<'a> {
    /// The time limit of the journal starts now.
    pub fn new(root: &Root, manager: &'a Manager) -> Self {
        Self {
            manager,
            journal: Journal::new(root, JOURNAL_TIMEOUT),
        }
    }

    /// The reason for one job.
    pub fn for_job(&self, job: &JobReport) -> String {
        let reason = match &job.outcome {
            // systemd only knows that it failed; the unit's program has set its status or written to the journal.
            JobOutcome::Failed => self.manager.failure_reason(&job.unit, &self.journal).ok(),
            // The status is what the unit waits for.
            JobOutcome::StillRunning => self.status(&job.unit),
            _ => None,
        };
        match reason {
            Some(reason) if !reason.is_empty() => reason,
            _ => job.to_string(),
        }
    }

    fn status(&self, unit: &str) -> Option<String> {
        let status = self.manager.unit_state(unit).ok()?.status;
        (!status.is_empty()).then(|| format!("{status}; systemd continues its job"))
    }
}
