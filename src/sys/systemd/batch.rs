//! Which units to start or stop, and how fast. Not all at once: hundreds of processes that start together slow each other
//! down until none ends within the time limit of its unit.

use std::time::Duration;

/// How fast to request jobs.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many jobs may run at once at first.
    pub at_once: usize,
    /// After how long without the end of a job to request as many more.
    pub quiet: Duration,
}

impl Pace {
    /// Slow enough for a small machine. Jobs that do not hang never wait for `quiet`.
    pub const STEADY: Self = Self {
        at_once: 16,
        quiet: Duration::from_secs(10),
    };
}

/// The same call for many units.
pub struct Batch<'a> {
    /// `StartUnit` or `StopUnit`.
    pub method: &'static str,
    /// The names of the units.
    pub units: &'a [String],
    /// How long to wait for the next job to be done. Zero: request all at once and follow none.
    pub limit: Duration,
    /// How fast to request the jobs.
    pub pace: Pace,
}
