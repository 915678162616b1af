//! Work in a thread of its own, which the caller can abandon: a thread that hangs ends with the process.

use std::sync::mpsc::{self, Receiver};
use std::thread;

/// Runs `work` in a new thread, which sends the result.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    // Sending fails if the caller has given up. Then nobody needs the result.
    thread::spawn(move || sender.send(work()));
    receiver
}
