//! Work in a thread of its own, which the caller may leave behind: a thread that hangs ends with the process.

use std::sync::mpsc::{self, Receiver};
use std::thread;

/// Does something in a thread of its own, which sends what came of it. Nobody waits for its end.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver
}
