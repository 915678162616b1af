//! Without the test harness, whose threads `run` refuses: a child that ends, one that is killed, one that stays behind,
//! output that ends, the refusal, and a write that goes on when its program has been killed.
#![allow(
    clippy::unwrap_used,
    reason = "a test, which clippy does not know without the harness"
)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use detached::work::{Outcome, run};
use detached::write::{WriteRequest, write};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use nix::unistd::dup2_stdout;

fn main() {
    assert_eq!(
        run(|| 7).unwrap(),
        Outcome::Ended(7),
        "what it came to is told"
    );
    assert_eq!(
        run(killed).unwrap(),
        Outcome::Killed(Signal::SIGKILL),
        "a killed child is told as one"
    );
    a_thread_that_hangs_holds_nobody_up();
    what_it_printed_has_an_end_though_the_child_has_none();
    a_write_that_has_begun_ends_though_its_program_is_killed();
    a_signal_to_the_parent_is_told_and_ends_the_child();
    a_signal_to_the_child_ends_it_at_once();
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

#[allow(unsafe_code, reason = "atexit(3) makes a child that does not end")]
fn what_it_printed_has_an_end_though_the_child_has_none() {
    extern "C" fn hang() {
        thread::sleep(Duration::from_secs(600));
    }
    let (mut heard, mouth) = io::pipe().unwrap();
    let stdout = io::stdout().as_fd().try_clone_to_owned().unwrap();
    dup2_stdout(&mouth).unwrap();
    drop(mouth);
    // SAFETY: a function of the right kind.
    let outcome = run(|| unsafe { libc::atexit(hang) as u8 });
    dup2_stdout(&stdout).unwrap();
    assert_eq!(outcome.unwrap(), Outcome::Ended(0));
    let start = Instant::now();
    heard.read_to_end(&mut Vec::new()).unwrap();
    assert!(start.elapsed() < Duration::from_secs(300));
}

fn a_write_that_has_begun_ends_though_its_program_is_killed() {
    const LENGTH: usize = 16 << 20;
    // A socket that is full blocks who writes.
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let file = File::from(OwnedFd::from(theirs));
    let outcome = run(|| {
        let file = file.try_clone().unwrap();
        let order = WriteRequest::<Vec<u8>> {
            file,
            text: vec![7; LENGTH],
            key: None,
            keep: None,
        };
        assert!(
            write(order)
                .unwrap()
                .recv_timeout(Duration::from_millis(50))
                .is_err()
        );
        poll(
            &mut [PollFd::new(ours.as_fd(), PollFlags::POLLIN)],
            PollTimeout::NONE,
        )
        .unwrap();
        killed()
    });
    assert_eq!(outcome.unwrap(), Outcome::Killed(Signal::SIGKILL));
    drop(file);
    let mut written = Vec::new();
    ours.read_to_end(&mut written).unwrap();
    assert!(written.len() == LENGTH && written.iter().all(|byte| *byte == 7));
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

fn a_signal_to_the_child_ends_it_at_once() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let outcome = run(|| {
            raise(signal).unwrap();
            thread::sleep(Duration::from_secs(600));
            0
        });
        assert_eq!(
            outcome.unwrap(),
            Outcome::Killed(Signal::SIGKILL),
            "{signal}"
        );
    }
}

fn refused_beside_another_thread() {
    let (mut blocking, open) = io::pipe().unwrap();
    let other = thread::spawn(move || blocking.read(&mut [0]));
    assert!(run(|| 0).is_err());
    drop(open);
    other.join().unwrap().unwrap();
}
