//! Without the test harness, whose threads `run` refuses: a child that ends, one that is killed, one that stays behind,
//! and the refusal.
#![allow(clippy::unwrap_used, reason = "a test, which clippy does not know without the harness")]

use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use apart::work::{Outcome, run};
use nix::sys::signal::{Signal, raise};

fn main() {
    assert_eq!(run(|| 7).unwrap(), Outcome::Ended(7), "what it came to is told");
    assert_eq!(run(killed).unwrap(), Outcome::Killed(Signal::SIGKILL), "a killed child is told as one");
    a_thread_that_hangs_holds_nobody_up();
    a_signal_to_the_parent_is_told_and_ends_the_child();
    refused_beside_another_thread();
}

fn killed() -> u8 {
    raise(Signal::SIGKILL).unwrap();
    0
}

fn a_thread_that_hangs_holds_nobody_up() {
    let start = Instant::now();
    let outcome = run(|| {
        thread::spawn(|| thread::sleep(Duration::from_secs(600)));
        3
    });
    assert_eq!(outcome.unwrap(), Outcome::Ended(3));
    assert!(start.elapsed() < Duration::from_secs(300));
}

fn a_signal_to_the_parent_is_told_and_ends_the_child() {
    let parent = nix::unistd::getpid();
    let outcome = run(|| {
        nix::sys::signal::kill(parent, Signal::SIGINT).unwrap();
        thread::sleep(Duration::from_secs(600));
        0
    });
    assert_eq!(outcome.unwrap(), Outcome::Interrupted(Signal::SIGINT));
}

fn refused_beside_another_thread() {
    let (mut blocking, open) = io::pipe().unwrap();
    let other = thread::spawn(move || blocking.read(&mut [0]));
    assert!(run(|| 0).is_err());
    drop(open);
    other.join().unwrap().unwrap();
}
