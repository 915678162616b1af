//! What came of each image: told as it happens, and remembered, so that one failure never stops the others and still
//! decides the exit status.

use std::fmt::Display;

use super::event::{Event, Subject};

/// Failures of one run.
#[derive(Debug, Default)]
pub struct Report {
    failures: usize,
}

impl Report {
    /// Tells that something was done or found done.
    pub fn succeeded<'a>(&self, event: Event, about: impl Into<Subject<'a>>, what: impl Display) {
        event.log(about, what);
    }

    /// Tells what failed with an image.
    pub fn image_failed<'a>(
        &mut self,
        event: Event,
        about: impl Into<Subject<'a>>,
        why: impl Display,
    ) {
        self.failures += 1;
        event.log(about, why);
    }

    /// Tells what failed without being one image's matter.
    pub fn failed(&mut self, why: impl Display) {
        self.failures += 1;
        tracing::error!("{why}");
    }

    /// Counts failures that were told elsewhere.
    pub fn add_failures(&mut self, failures: usize) {
        self.failures += failures;
    }

    /// Takes over what another run came to.
    pub fn merge(&mut self, other: Self) {
        self.failures += other.failures;
    }

    /// Whether nothing has failed.
    pub fn is_clean(&self) -> bool {
        self.failures == 0
    }

    /// 0 when all was done, 1 when something failed.
    pub fn exit_status(&self) -> u8 {
        u8::from(!self.is_clean())
    }
}
