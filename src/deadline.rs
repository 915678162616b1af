//! A moment until which something may take: every wait of the program has one.

use std::sync::mpsc;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// A point in time that has passed or not.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// A deadline `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self { start: Instant::now(), limit }
    }

    /// What is left of it; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
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
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(work()));
        receiver.recv_timeout(self.remaining()).ok()
    }

    /// Asks again and again, `pause` apart, until there is an answer or the deadline has passed (then `None`).
    pub fn poll<T>(&self, pause: Duration, ask: impl FnMut() -> Option<T>) -> Option<T> {
        self.poll_with(|| sleep(pause.min(self.remaining())), ask)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_ends_with_an_answer_or_with_the_deadline() {
        let mut asked = 0;
        let third = Deadline::after(Duration::from_secs(60)).poll(Duration::ZERO, || {
            asked += 1;
            (asked == 3).then_some(asked)
        });
        assert_eq!(third, Some(3));
        assert_eq!(Deadline::after(Duration::ZERO).poll(Duration::from_secs(60), || None::<()>), None);
    }

    #[test]
    fn what_hangs_is_left_behind() {
        assert_eq!(Deadline::after(Duration::from_secs(60)).run(|| 7), Some(7));
        let start = Instant::now();
        let hung = Deadline::after(Duration::from_millis(10)).run(|| sleep(Duration::from_secs(60)));
        assert!(hung.is_none() && start.elapsed() < Duration::from_secs(30));
    }
}
