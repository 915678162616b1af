//! Time limits. Every wait of the program has one.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::background::spawn;

/// The time at which a wait ends.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// A deadline `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self {
            start: Instant::now(),
            limit,
        }
    }

    /// The time until the deadline; zero after it.
    pub fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    /// Sets the deadline to the same limit from now, for waits that made progress.
    pub fn restart(&mut self) {
        self.start = Instant::now();
    }

    /// The time between start and deadline, for messages.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Runs something that may hang, in a thread of its own. Returns `None` if it has not ended by the deadline; the thread is
    /// abandoned then and ends with the process.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.receive(&spawn(work))
    }

    /// What a thread sends; `None` if it sends nothing before the deadline.
    pub fn receive<T>(&self, receiver: &Receiver<T>) -> Option<T> {
        receiver.recv_timeout(self.remaining()).ok()
    }

    /// Calls `ask` until it returns a value or the deadline passes; then returns `None`. The pause grows with the time waited:
    /// short waits end promptly, long waits cost little.
    ///
    /// At boot hundreds of processes wait in parallel, and polling takes processor time from what they wait for. inotify(7) is
    /// no alternative, because root has only 128 instances for all its processes (fs.inotify.max_user_instances).
    pub fn poll<T>(&self, ask: impl FnMut() -> Option<T>) -> Option<T> {
        let start = Instant::now();
        self.poll_with(
            || sleep(pause_after(start.elapsed()).min(self.remaining())),
            ask,
        )
    }

    /// As [`Deadline::poll`], but the caller pauses. A pause is not cut off at the deadline, so it must be short.
    pub fn poll_with<T>(&self, pause: impl Fn(), mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            // Ask before looking at the clock, so that a deadline of zero still asks once.
            if let Some(answer) = ask() {
                return Some(answer);
            }
            if self.remaining().is_zero() {
                return None;
            }
            pause();
        }
    }
}

/// A wait is reported once it has taken this long.
pub const REPORT_AFTER: Duration = Duration::from_secs(4);

/// A deadline, and a report for waits that take long.
#[derive(Clone, Copy)]
pub struct Wait<'a> {
    /// When the wait ends.
    pub deadline: &'a Deadline,
    /// Called once, when the wait has taken [`REPORT_AFTER`].
    pub on_delay: &'a dyn Fn(),
}

impl<'a> Wait<'a> {
    /// A wait that reports nothing.
    pub fn silent(deadline: &'a Deadline) -> Self {
        Self {
            deadline,
            on_delay: &|| {},
        }
    }

    /// As [`Deadline::poll`].
    pub fn poll<T>(&self, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut is_reported = false;
        self.deadline.poll(|| {
            let answer = ask();
            if answer.is_none() && !is_reported && start.elapsed() >= REPORT_AFTER {
                (self.on_delay)();
                is_reported = true;
            }
            answer
        })
    }

    /// As [`Deadline::run`].
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.receive(&spawn(work))
    }

    /// As [`Deadline::receive`].
    pub fn receive<T>(&self, receiver: &Receiver<T>) -> Option<T> {
        // In two parts, because a receiver cannot call anything while it blocks.
        match receiver.recv_timeout(REPORT_AFTER.min(self.deadline.remaining())) {
            Err(RecvTimeoutError::Timeout) if !self.deadline.remaining().is_zero() => {
                (self.on_delay)();
                self.deadline.receive(receiver)
            }
            answer => answer.ok(),
        }
    }
}

/// An eighth of the time waited so far.
fn pause_after(waited: Duration) -> Duration {
    (waited / 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_polling_asks_fewer_than_two_hundred_times_and_is_at_most_an_eighth_late() {
        let mut waited = Duration::ZERO;
        let pauses = std::iter::repeat_with(|| {
            let pause = pause_after(waited);
            assert!(pause <= SHORTEST_PAUSE.max(waited / 8));
            waited += pause;
            waited
        });
        assert!(
            pauses
                .take_while(|waited| *waited < Duration::from_secs(60))
                .count()
                < 200
        );
    }

    #[test]
    fn polling_ends_with_an_answer_or_at_the_deadline() {
        let mut asked = 0;
        let third = Deadline::after(Duration::from_secs(60)).poll(|| {
            asked += 1;
            (asked == 3).then_some(asked)
        });
        assert_eq!(third, Some(3));
        assert_eq!(Deadline::after(Duration::ZERO).poll(|| None::<()>), None);
    }

    #[test]
    fn work_that_hangs_is_abandoned_at_the_deadline() {
        assert_eq!(Deadline::after(Duration::from_secs(60)).run(|| 7), Some(7));
        let start = Instant::now();
        let hung =
            Deadline::after(Duration::from_millis(10)).run(|| sleep(Duration::from_secs(60)));
        assert!(hung.is_none() && start.elapsed() < Duration::from_secs(30));
    }
}
