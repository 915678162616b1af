//! Tests without the test harness, beside whose threads `run` refuses to work. Each function is one test.
#![allow(
    clippy::unwrap_used,
    reason = "a test, which clippy does not recognise without the harness"
)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use detached::child::{Outcome, run};
use detached::write::{WriteRequest, write};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use nix::unistd::dup2_stdout;

/// Longer than the tests run.
const FOREVER: Duration = Duration::from_secs(600);

fn main() {
    the_exit_status_is_returned();
    a_child_that_was_killed_is_reported_as_killed();
    a_thread_that_hangs_is_not_waited_for();
    the_output_of_a_child_that_never_ends_is_closed();
    a_write_that_has_begun_ends_although_its_program_is_killed();
    a_signal_to_the_parent_is_returned_and_ends_the_child();
    a_signal_to_the_child_ends_it_at_once();
    a_process_with_another_thread_is_refused();
}

fn the_exit_status_is_returned() {
    assert_eq!(run(|| 7).unwrap(), Outcome::Ended(7));
}

fn a_child_that_was_killed_is_reported_as_killed() {
    assert_eq!(run(killed).unwrap(), Outcome::Killed(Signal::SIGKILL));
}

fn killed() -> u8 {
    raise(Signal::SIGKILL).unwrap();
    0
}

fn a_thread_that_hangs_is_not_waited_for() {
    let start = Instant::now();
    let outcome = run(|| {
        thread::spawn(|| thread::sleep(FOREVER));
        3
    });
    assert_eq!(outcome.unwrap(), Outcome::Ended(3));
    assert!(start.elapsed() < FOREVER / 2);
}

#[allow(unsafe_code, reason = "atexit(3) makes a child that does not end")]
fn the_output_of_a_child_that_never_ends_is_closed() {
    extern "C" fn hang() {
        thread::sleep(FOREVER);
    }
    let (mut reader, writer) = io::pipe().unwrap();
    let stdout = io::stdout().as_fd().try_clone_to_owned().unwrap();
    dup2_stdout(&writer).unwrap();
    drop(writer);
    // SAFETY: a function with the signature that atexit requires.
    let outcome = run(|| unsafe { libc::atexit(hang) as u8 });
    dup2_stdout(&stdout).unwrap();
    assert_eq!(outcome.unwrap(), Outcome::Ended(0));
    let start = Instant::now();
    reader.read_to_end(&mut Vec::new()).unwrap();
    assert!(start.elapsed() < FOREVER / 2);
}

fn a_write_that_has_begun_ends_although_its_program_is_killed() {
    const LENGTH: usize = 16 << 20;
    // A write to a socket blocks when the socket is full.
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let file = File::from(OwnedFd::from(theirs));
    let outcome = run(|| {
        let request = WriteRequest::<Vec<u8>> {
            file: file.try_clone().unwrap(),
            text: vec![7; LENGTH],
            key: None,
            held_file: None,
        };
        let outcome = write(request).unwrap();
        assert!(outcome.recv_timeout(Duration::from_millis(50)).is_err());
        let mut waiting = [PollFd::new(ours.as_fd(), PollFlags::POLLIN)];
        poll(&mut waiting, PollTimeout::NONE).unwrap();
        killed()
    });
    assert_eq!(outcome.unwrap(), Outcome::Killed(Signal::SIGKILL));
    drop(file);
    let mut written = Vec::new();
    ours.read_to_end(&mut written).unwrap();
    assert_eq!(written.len(), LENGTH);
    assert!(written.iter().all(|byte| *byte == 7));
}

fn a_signal_to_the_parent_is_returned_and_ends_the_child() {
    let parent = nix::unistd::getpid();
    let outcome = run(|| {
        nix::sys::signal::kill(parent, Signal::SIGINT).unwrap();
        thread::sleep(FOREVER);
        0
    });
    assert_eq!(outcome.unwrap(), Outcome::Interrupted(Signal::SIGINT));
}

fn a_signal_to_the_child_ends_it_at_once() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let outcome = run(|| {
            raise(signal).unwrap();
            thread::sleep(FOREVER);
            0
        });
        assert_eq!(
            outcome.unwrap(),
            Outcome::Killed(Signal::SIGKILL),
            "{signal}"
        );
    }
}

fn a_process_with_another_thread_is_refused() {
    let (mut reader, writer) = io::pipe().unwrap();
    let other = thread::spawn(move || reader.read(&mut [0]));
    assert!(run(|| 0).is_err());
    drop(writer);
    other.join().unwrap().unwrap();
}
