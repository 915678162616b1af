//! Until when jobs are followed: the limit counts from the last that was done, for of hundreds each waits for its turn.

use std::time::{Duration, Instant};

use super::CALL_LIMIT;
use super::outcome::{JobOutcome, JobReport};

/// The longest wait; more overflows the clock.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Until when a batch is followed.
pub struct Due {
    limit: Duration,
    answers: Instant,
    jobs: Instant,
}

impl Due {
    /// No job is done yet.
    pub fn from(start: Instant, limit: Duration) -> Self {
        let limit = limit.min(FOREVER);
        Self {
            limit,
            answers: start + CALL_LIMIT,
            jobs: start + limit,
        }
    }

    /// Calls are sent now: their answers are due anew.
    pub fn ask(&mut self, now: Instant) {
        self.answers = now + CALL_LIMIT;
    }

    /// The others' turn comes nearer with each job that is done.
    pub fn hear(&mut self, news: &[JobReport], now: Instant) {
        if news.iter().any(|report| report.outcome == JobOutcome::Done) {
            self.jobs = now + self.limit;
        }
    }

    /// When to give up, which depends on whether systemd has answered all calls.
    pub fn at(&self, all_answered: bool) -> Instant {
        if all_answered {
            self.jobs
        } else {
            self.jobs.max(self.answers)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_from_the_last_job_that_was_done() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let report = |outcome| {
            [JobReport {
                unit: "a.service".to_owned(),
                outcome,
            }]
        };
        let mut due = Due::from(start, Duration::from_secs(60));
        assert_eq!(due.at(true), after(60));
        due.hear(&report(JobOutcome::Failed), after(50));
        assert_eq!(
            due.at(true),
            after(60),
            "who has failed brings nobody nearer"
        );
        due.hear(&report(JobOutcome::Done), after(50));
        assert_eq!(due.at(true), after(110));
    }

    #[test]
    fn answers_are_waited_for_longer_than_jobs_where_no_job_is() {
        let start = Instant::now();
        let due = Due::from(start, Duration::ZERO);
        assert_eq!((due.at(true), due.at(false)), (start, start + CALL_LIMIT));
    }
}
