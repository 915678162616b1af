//! A bounded number of threads for work that waits for the network or for disks. Jobs start in the order in which they
//! were given; whoever gave them takes the results as they come, and may give more meanwhile.
//!
//! A job that hangs keeps its thread and nothing else: the pool can be dropped without it, it ends with the process.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

type Job<T> = Box<dyn FnOnce() -> T + Send>;

/// Threads whose jobs come to a `T`.
pub struct JobPool<T> {
    threads: usize,
    waiting: VecDeque<Job<T>>,
    running: usize,
    sender: Sender<T>,
    results: Receiver<T>,
}

impl<T: Send + 'static> JobPool<T> {
    /// A pool without jobs, of which so many will be under way at a time.
    pub fn new(threads: usize) -> Self {
        let (sender, results) = mpsc::channel();
        Self {
            threads,
            waiting: VecDeque::new(),
            running: 0,
            sender,
            results,
        }
    }

    /// Does a job as soon as there is a thread for it.
    pub fn submit(&mut self, job: impl FnOnce() -> T + Send + 'static) {
        self.waiting.push_back(Box::new(job));
        self.start();
    }

    /// The next result; `None` when all jobs have ended, or when none ends in time.
    pub fn next(&mut self, patience: Duration) -> Option<T> {
        if self.running == 0 {
            return None;
        }
        let result = self.results.recv_timeout(patience).ok()?;
        self.running -= 1;
        self.start();
        Some(result)
    }

    /// Whether no job is under way, so that no result will come.
    pub fn is_idle(&self) -> bool {
        self.running == 0
    }

    fn start(&mut self) {
        while self.running < self.threads {
            let Some(job) = self.waiting.pop_front() else {
                return;
            };
            let sender = self.sender.clone();
            self.running += 1;
            // Nobody listens any more once the pool was dropped.
            thread::spawn(move || sender.send(job()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_job_is_done_and_only_so_many_at_a_time() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut pool = JobPool::new(4);
        for number in 0..100 {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            pool.submit(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(1));
                running.fetch_sub(1, Ordering::SeqCst);
                number
            });
        }
        let mut done: Vec<i32> = std::iter::from_fn(|| pool.next(Duration::MAX)).collect();
        done.sort_unstable();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
        assert!(most.load(Ordering::SeqCst) <= 4);
    }

    #[test]
    fn a_job_that_hangs_is_waited_for_no_longer_than_wanted() {
        let mut pool = JobPool::new(1);
        pool.submit(|| thread::sleep(Duration::from_secs(60)));
        assert!(pool.next(Duration::from_millis(10)).is_none());
    }
}
