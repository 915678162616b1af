//! How long a run repeats what may succeed later: the search for a monitor that answers, and the request to the kernel.

use std::time::Duration;

use crate::runtime::deadline::Deadline;
use crate::sys::resolver;

/// How long monitors and the resolver may take in the single attempt that boot waits for. They answer within milliseconds, or
/// they are not reachable.
const SINGLE_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(300);

/// When a run stops retrying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryPolicy {
    /// At the time limit of the image.
    UntilTimeout,
    /// After the first attempt: somebody else retries.
    Once,
}

impl RetryPolicy {
    /// How long the resolver may take.
    pub fn resolver_timeout(self, deadline: &Deadline) -> Duration {
        match self {
            Self::UntilTimeout => resolver::LOOKUP_TIMEOUT.min(deadline.remaining()),
            Self::Once => SINGLE_ATTEMPT_TIMEOUT,
        }
    }

    /// Until when monitors that do not answer are asked again.
    pub fn retry_deadline(self, deadline: &Deadline) -> Deadline {
        match self {
            Self::UntilTimeout => *deadline,
            Self::Once => Deadline::after(Duration::ZERO),
        }
    }

    /// Until when a monitor that was asked may answer.
    pub fn probe_deadline(self, deadline: &Deadline) -> Deadline {
        match self {
            Self::UntilTimeout => *deadline,
            Self::Once => Deadline::after(SINGLE_ATTEMPT_TIMEOUT),
        }
    }
}
