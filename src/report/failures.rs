//! The results of a run. Each is logged as it happens, and failures are counted: a failure does not stop the run, but it decides
//! the exit status.

use std::fmt::Display;

use super::event::{Event, Subject};

/// The failures of one run.
#[derive(Debug, Default)]
pub struct Report {
    failures: usize,
}

impl Report {
    /// Logs a success.
    pub fn succeeded<'a>(&self, event: Event, about: impl Into<Subject<'a>>, what: impl Display) {
        event.log(about, what);
    }

    /// Logs and counts a failure of one image.
    pub fn image_failed<'a>(
        &mut self,
        event: Event,
        about: impl Into<Subject<'a>>,
        why: impl Display,
    ) {
        self.failures += 1;
        event.log(about, why);
    }

    /// Logs and counts a failure that is not about one image.
    pub fn failed(&mut self, why: impl Display) {
        self.failures += 1;
        tracing::error!("{why}");
    }

    /// Counts failures that the caller has logged.
    pub fn add_failures(&mut self, failures: usize) {
        self.failures += failures;
    }

    /// Counts the failures of another run.
    pub fn merge(&mut self, other: Self) {
        self.failures += other.failures;
    }

    /// Whether nothing has failed.
    pub fn is_clean(&self) -> bool {
        self.failures == 0
    }

    /// 0 if nothing has failed, otherwise 1.
    pub fn exit_status(&self) -> u8 {
        u8::from(!self.is_clean())
    }
}
