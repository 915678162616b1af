//! When to stop following jobs. The limit counts from the last job that was done, because each of hundreds waits for
//! those before it.

use std::time::{Duration, Instant};

use super::outcome::{JobOutcome, JobReport};
use super::timeouts::CALL_TIMEOUT;

/// The longest limit. A longer one overflows the clock.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The deadline of a batch, which its progress postpones.
pub struct JobDeadline {
    limit: Duration,
    answers: Instant,
    jobs: Instant,
}

impl JobDeadline {
    /// The deadline of a batch of which no job is done.
    pub fn new(start: Instant, limit: Duration) -> Self {
        let limit = limit.min(FOREVER);
        Self {
            limit,
            answers: start + CALL_TIMEOUT,
            jobs: start + limit,
        }
    }

    /// Calls have been sent now: allows time for their answers.
    pub fn expect_answers(&mut self, now: Instant) {
        self.answers = now + CALL_TIMEOUT;
    }

    /// Postpones the deadline if one of these jobs was done.
    pub fn record(&mut self, reports: &[JobReport], now: Instant) {
        if reports
            .iter()
            .any(|report| report.outcome == JobOutcome::Done)
        {
            self.jobs = now + self.limit;
        }
    }

    /// The moment to give up, which depends on whether systemd has answered all calls.
    pub fn at(&self, all_answered: bool) -> Instant {
        if all_answered {
            self.jobs
        } else {
            // Even a caller that does not wait for jobs wants to know which of them systemd refused.
            self.jobs.max(self.answers)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: JobOutcome) -> [JobReport; 1] {
        [JobReport {
            unit: "a.service".to_owned(),
            outcome,
        }]
    }

    #[test]
    fn a_job_that_is_done_postpones_the_deadline_and_a_failed_job_does_not() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut deadline = JobDeadline::new(start, Duration::from_secs(60));
        assert_eq!(deadline.at(true), after(60));
        deadline.record(&report(JobOutcome::Failed), after(50));
        assert_eq!(deadline.at(true), after(60), "a failed job is no progress");
        deadline.record(&report(JobOutcome::Done), after(50));
        assert_eq!(deadline.at(true), after(110));
    }

    #[test]
    fn with_a_limit_of_zero_there_is_still_time_for_answers() {
        let start = Instant::now();
        let deadline = JobDeadline::new(start, Duration::ZERO);
        assert_eq!(
            (deadline.at(true), deadline.at(false)),
            (start, start + CALL_TIMEOUT)
        );
    }
}
