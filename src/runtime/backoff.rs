//! The pauses between retries.
//!
//! Machines that lost a cluster at the same moment would all reconnect at the same moment, and do so at every retry. So a
//! pause is a random part of an interval that doubles with each retry up to a cap ("full jitter": M. Brooker, Exponential
//! Backoff And Jitter, 2015). tests/boot_storm computes the effect for ten thousand machines; rbdmap(8) has the figures.

use std::time::Duration;

use fastrand::Rng;

const FIRST_INTERVAL: Duration = Duration::from_secs(1);
/// The longest pause is the longest that a machine waits in vain after the cluster has come back.
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);

/// The pauses of one retry loop.
#[derive(Debug)]
pub struct Backoff {
    interval: Duration,
    random: Rng,
}

impl Backoff {
    /// A sequence with a seed of its own.
    pub fn new() -> Self {
        Self::with_random(Rng::new())
    }

    /// A sequence that can be repeated.
    pub fn with_random(random: Rng) -> Self {
        Self {
            interval: FIRST_INTERVAL,
            random,
        }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        // From zero on, not from half the interval: a common lower bound would keep the machines partly in step.
        let pause = self.interval.mul_f64(self.random.f64());
        self.interval = (self.interval * 2).min(LONGEST_INTERVAL);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_within_intervals_that_grow_up_to_the_cap() {
        let intervals = [1, 2, 4, 8, 10, 10, 10].map(Duration::from_secs);
        for seed in 0..100 {
            let mut backoff = Backoff::with_random(Rng::with_seed(seed));
            assert!(intervals.iter().all(|interval| backoff.pause() < *interval));
        }
    }

    #[test]
    fn two_sequences_have_different_pauses() {
        let mut one = Backoff::new();
        let mut other = Backoff::new();
        assert_ne!(
            [(); 8].map(|()| one.pause()),
            [(); 8].map(|()| other.pause())
        );
    }
}
