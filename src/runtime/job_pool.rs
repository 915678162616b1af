//! A bounded number of threads for jobs that wait for the network or for disks. Jobs start in the order in which they
//! are submitted. The caller takes each result as it comes, and may submit more jobs in between.
//!
//! A job that hangs occupies its thread and nothing else: the pool can be dropped while it runs, and the thread ends with the
//! process.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

type BoxedJob<T> = Box<dyn FnOnce() -> T + Send>;

/// Threads for jobs that return a `T`.
pub struct JobPool<T> {
    threads: usize,
    queue: VecDeque<BoxedJob<T>>,
    running: usize,
    sender: Sender<T>,
    results: Receiver<T>,
}

impl<T: Send + 'static> JobPool<T> {
    /// A pool that runs at most `threads` jobs in parallel.
    pub fn new(threads: usize) -> Self {
        let (sender, results) = mpsc::channel();
        Self {
            threads,
            queue: VecDeque::new(),
            running: 0,
            sender,
            results,
        }
    }

    /// Runs a job as soon as a thread is free.
    pub fn submit(&mut self, job: impl FnOnce() -> T + Send + 'static) {
        self.queue.push_back(Box::new(job));
        self.start();
    }

    /// The next result; `None` if no job is left, or if none ends within `limit`.
    pub fn next(&mut self, limit: Duration) -> Option<T> {
        // The pool holds a sender itself, so receiving from an idle pool would block for the whole limit.
        if self.running == 0 {
            return None;
        }
        let result = self.results.recv_timeout(limit).ok()?;
        self.running -= 1;
        self.start();
        Some(result)
    }

    /// Whether no job is running, so that no result will come.
    pub fn is_idle(&self) -> bool {
        self.running == 0
    }

    fn start(&mut self) {
        while self.running < self.threads {
            let Some(job) = self.queue.pop_front() else {
                return;
            };
            let sender = self.sender.clone();
            self.running += 1;
            // Sending fails if the pool has been dropped. Then nobody needs the result.
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
    fn every_job_runs_and_never_more_in_parallel_than_allowed() {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
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
    fn waiting_for_a_job_that_hangs_ends_at_the_limit() {
        let mut pool = JobPool::new(1);
        pool.submit(|| thread::sleep(Duration::from_secs(60)));
        assert!(pool.next(Duration::from_millis(10)).is_none());
    }
}
