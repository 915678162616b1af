//! A moment until which something may take: every wait of the program has one.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::background::spawn;

/// A point in time that has passed or not.
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

    /// What is left of it; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    /// The same time once more, from now: something has come of the wait.
    pub fn restart(&mut self) {
        self.start = Instant::now();
    }

    /// How long it was when it was made, for messages.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// How long ago it was made.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Does something that may hang, in a thread of its own; `None` if it has not ended in time. It is left behind then,
    /// and ends with the process.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.receive(&spawn(work))
    }

    /// What a thread that was begun sends; `None` if that does not come in time.
    pub fn receive<T>(&self, receiver: &Receiver<T>) -> Option<T> {
        receiver.recv_timeout(self.remaining()).ok()
    }

    /// Asks again and again until there is an answer or the deadline has passed (then `None`). What comes soon is seen soon,
    /// and what takes long costs little: at boot hundreds of processes wait at a time, and what they use up is what they
    /// wait for. No inotify(7) therefore: of its instances there are 128 for all that root runs.
    pub fn poll<T>(&self, ask: impl FnMut() -> Option<T>) -> Option<T> {
        let start = Instant::now();
        self.poll_with(
            || sleep(pause_after(start.elapsed()).min(self.remaining())),
            ask,
        )
    }

    /// The same, with a pause of the caller's own making, which must be short.
    pub fn poll_with<T>(&self, pause: impl Fn(), mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
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

/// What comes sooner is worth no word.
pub const REPORT_AFTER: Duration = Duration::from_secs(4);

/// A deadline, and how to tell whoever waits for it what for.
#[derive(Clone, Copy)]
pub struct Wait<'a> {
    /// Until when.
    pub deadline: &'a Deadline,
    /// Tells; called once, when it has become worth a word.
    pub on_delay: &'a dyn Fn(),
}

impl<'a> Wait<'a> {
    /// One of which somebody else tells, or nobody.
    pub fn silent(deadline: &'a Deadline) -> Self {
        Self {
            deadline,
            on_delay: &|| {},
        }
    }

    /// As [`Deadline::poll`].
    pub fn poll<T>(&self, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        let (start, mut is_told) = (Instant::now(), false);
        self.deadline.poll(|| {
            let answer = ask();
            if answer.is_none() && !is_told && start.elapsed() >= REPORT_AFTER {
                (self.on_delay)();
                is_told = true;
            }
            answer
        })
    }

    /// As [`Deadline::run`].
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.receive(&spawn(work))
    }

    /// What somebody else sends.
    pub fn receive<T>(&self, receiver: &Receiver<T>) -> Option<T> {
        match receiver.recv_timeout(REPORT_AFTER.min(self.deadline.remaining())) {
            Err(RecvTimeoutError::Timeout) if !self.deadline.remaining().is_zero() => {
                (self.on_delay)();
                self.deadline.receive(receiver)
            }
            answer => answer.ok(),
        }
    }
}

/// An eighth of what has been waited already.
fn pause_after(waited: Duration) -> Duration {
    (waited / 8).clamp(SHORTEST, LONGEST)
}

/// Between two questions.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_minute_asks_fewer_than_two_hundred_times_and_comes_an_eighth_too_late() {
        let mut waited = Duration::ZERO;
        let pauses = std::iter::repeat_with(|| {
            let pause = pause_after(waited);
            assert!(pause <= SHORTEST.max(waited / 8));
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
    fn polling_ends_with_an_answer_or_with_the_deadline() {
        let mut asked = 0;
        let third = Deadline::after(Duration::from_secs(60)).poll(|| {
            asked += 1;
            (asked == 3).then_some(asked)
        });
        assert_eq!(third, Some(3));
        assert_eq!(Deadline::after(Duration::ZERO).poll(|| None::<()>), None);
    }

    #[test]
    fn what_hangs_is_left_behind() {
        assert_eq!(Deadline::after(Duration::from_secs(60)).run(|| 7), Some(7));
        let start = Instant::now();
        let hung =
            Deadline::after(Duration::from_millis(10)).run(|| sleep(Duration::from_secs(60)));
        assert!(hung.is_none() && start.elapsed() < Duration::from_secs(30));
    }
}
