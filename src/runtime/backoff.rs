//! When to try again.
//!
//! Machines that lost a cluster at the same moment would all come back at the same moment, again and again. So a pause is any
//! part of a span, which doubles with each try up to a cap ("full jitter": M. Brooker, Exponential Backoff And Jitter,
//! 2015). What that does for ten thousand machines is computed in `simulation`, and the table is in rbdmap(8).

#[cfg(test)]
mod simulation;

use std::time::Duration;

use fastrand::Rng;

/// The first span.
const FIRST: Duration = Duration::from_secs(1);
/// The longest: what a machine waits in vain, at most, when the cluster is back.
const CAP: Duration = Duration::from_secs(10);

/// The pauses of one who tries again and again.
#[derive(Debug)]
pub struct Backoff {
    span: Duration,
    random: Rng,
}

impl Backoff {
    /// Nobody else has the same.
    pub fn new() -> Self {
        Self::of(Rng::new())
    }

    fn of(random: Rng) -> Self {
        Self {
            span: FIRST,
            random,
        }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.span.mul_f64(self.random.f64());
        self.span = (self.span * 2).min(CAP);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_within_spans_that_grow_up_to_the_cap() {
        let spans = [1, 2, 4, 8, 10, 10, 10].map(Duration::from_secs);
        for seed in 0..100 {
            let mut backoff = Backoff::of(Rng::with_seed(seed));
            assert!(spans.iter().all(|span| backoff.pause() < *span));
        }
    }

    #[test]
    fn no_two_have_the_same_pauses() {
        let (mut one, mut other) = (Backoff::new(), Backoff::new());
        assert_ne!(
            [(); 8].map(|()| one.pause()),
            [(); 8].map(|()| other.pause())
        );
    }
}
