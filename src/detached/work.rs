//! Anything, in a child process that can be left behind. The child says what the work came to before it tries to end; the
//! parent ends on that word, even if a thread of the child's never comes back.
//!
//! When the parent ends, however it does, the kernel tells what is left of the child to end (prctl(2), PR_SET_PDEATHSIG):
//! nothing goes on behind an administrator's back, but for what the kernel itself cannot stop. Even that lets go of our
//! output first: a process that is killed keeps its files open until its last thread comes back.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::parent_id;
use std::process::exit;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// What became of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ended, with this exit status. Its process may still be there.
    Ended(u8),
    /// Its process was killed by this signal.
    Killed(Signal),
    /// Its process ended without a word.
    Silent,
    /// This process was told to end by this signal. The work ends with it, but for what it has asked of others.
    Interrupted(Signal),
}

/// How long a child may take to end after its word, and between two looks.
const END_LIMIT: Duration = Duration::from_millis(500);
const END_PAUSE: Duration = Duration::from_millis(2);

/// What ends a program from a terminal or from outside, and is answered in words.
const ENDINGS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Does the work in a child process and returns, in the parent only, when it has ended. Refused where there is more than
/// one thread: the child would have a copy of this one alone, and of locks that nobody there releases.
#[allow(
    unsafe_code,
    reason = "fork(2) is unsafe in a process with threads, and this one has none"
)]
pub fn run(work: impl FnOnce() -> u8) -> io::Result<Outcome> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("the process has several threads"));
    }
    let (word, mut mouth) = io::pipe()?;
    let parent = std::process::id();
    let endings: SigSet = ENDINGS.into_iter().collect();
    endings.thread_block()?;
    // SAFETY: this is the only thread, so the child has all of what it had, in the state it was in.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(word);
            // The parent may have ended before it could be said.
            if end_silently(&endings).is_err()
                || set_pdeathsig(Signal::SIGTERM).is_err()
                || parent_id() != parent
            {
                exit(1);
            }
            let status = work();
            // What it printed comes before its word, and if nobody hears that, nobody waits.
            let _ = io::stdout()
                .flush()
                .map(|()| fall_silent())
                .and_then(|()| mouth.write_all(&[status]));
            exit(status.into())
        }
        ForkResult::Parent { child } => {
            drop(mouth);
            let signals =
                SignalFd::with_flags(&endings, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
            match await_signal(&word, &signals)? {
                Some(signal) => Ok(Outcome::Interrupted(signal)),
                None => await_word(word, child),
            }
        }
    }
}

/// Lets go of terminal and pipes: whoever reads the program's output to its end would wait for a child that cannot end. Where
/// there is no /dev/null, they stay.
#[allow(
    unsafe_code,
    reason = "bare system calls, for it is called from a signal handler as well"
)]
fn fall_silent() {
    // SAFETY: a constant text and numbers, and nothing but system calls that may be made at any time (signal-safety(7)).
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        for place in 0..3 {
            libc::dup2(null, place);
        }
    }
}

/// Has the child, when it is told to end, let go of its output and end at once. A program that it executes knows nothing of
/// that (execve(2): handlers are not passed on).
#[allow(unsafe_code, reason = "a signal handler")]
fn end_silently(endings: &SigSet) -> nix::Result<()> {
    let action = SigAction::new(
        SigHandler::Handler(end_at_once),
        SaFlags::empty(),
        SigSet::all(),
    );
    for signal in ENDINGS {
        // SAFETY: the handler does nothing but system calls that may be made at any time.
        unsafe { sigaction(signal, &action) }?;
    }
    endings.thread_unblock()
}

#[allow(unsafe_code, reason = "a bare system call in a signal handler")]
extern "C" fn end_at_once(_signal: libc::c_int) {
    fall_silent();
    // SAFETY: numbers.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

/// Waits for the child's word, or for a signal, which is returned.
fn await_signal(word: &io::PipeReader, signals: &SignalFd) -> io::Result<Option<Signal>> {
    loop {
        let mut waited = [
            PollFd::new(word.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut waited, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            polled => polled?,
        };
        if let Some(info) = signals.read_signal()? {
            return Ok(i32::try_from(info.ssi_signo)
                .ok()
                .and_then(|number| Signal::try_from(number).ok()));
        }
        if waited[0].any() == Some(true) {
            return Ok(None);
        }
    }
}

/// Most children end with their word; one that does not is left behind.
fn await_end(child: Pid) {
    let start = Instant::now();
    while start.elapsed() < END_LIMIT
        && waitpid(child, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive)
    {
        sleep(END_PAUSE);
    }
}

fn await_word(mut word: io::PipeReader, child: Pid) -> io::Result<Outcome> {
    let mut status = [0];
    match word.read_exact(&mut status) {
        Ok(()) => {
            await_end(child);
            Ok(Outcome::Ended(status[0]))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(match waitpid(child, None)? {
                WaitStatus::Signaled(_, signal, _) => Outcome::Killed(signal),
                _ => Outcome::Silent,
            })
        }
        Err(error) => Err(error),
    }
}
