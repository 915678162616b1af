//! Runs code in a child process that can be left behind. The child reports its exit status through a pipe before it tries to end;
//! the parent returns on that report, even if a thread of the child never returns from the kernel.
//!
//! When the parent ends, in whatever way, the kernel sends the child SIGTERM (prctl(2), PR_SET_PDEATHSIG), so nothing continues
//! unnoticed except what the kernel itself cannot stop. Before the child ends it closes its output: a process that was killed
//! keeps its files open until its last thread returns, and whoever reads the output would wait for that.

use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
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

/// What became of the child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The code returned this exit status. The process may still exist.
    Ended(u8),
    /// The process was killed by this signal.
    Killed(Signal),
    /// The process ended without a report.
    Silent,
    /// This process received this signal. The child ends too, but the kernel completes the requests that it has made.
    Interrupted(Signal),
}

/// How long the child may take to end after its report.
const EXIT_TIMEOUT: Duration = Duration::from_millis(500);
/// The pause between two checks whether it has ended.
const EXIT_PAUSE: Duration = Duration::from_millis(2);

/// The signals by which a terminal or another process ends a program. The parent reports them.
const TERMINATION_SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Runs code in a child process and returns, in the parent only, when it has ended. Fails if this process has more than
/// one thread: the child would have a copy of the calling thread only, and of locks that no thread there releases.
#[allow(
    unsafe_code,
    reason = "fork(2) is unsafe in a process with threads, and this one has none"
)]
pub fn run(code: impl FnOnce() -> u8) -> io::Result<Outcome> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("the process has several threads"));
    }
    let (reader, writer) = io::pipe()?;
    let parent = std::process::id();
    // Blocked in the parent from before the fork, so that no signal is lost; `SignalFd` receives them.
    let signals: SigSet = TERMINATION_SIGNALS.into_iter().collect();
    signals.thread_block()?;
    // SAFETY: this is the only thread, so the child has a copy of all threads, in a consistent state.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(reader);
            // PR_SET_PDEATHSIG has no effect if the parent ended before the call.
            if end_silently_on(&signals).is_err()
                || set_pdeathsig(Signal::SIGTERM).is_err()
                || parent_id() != parent
            {
                exit(1);
            }
            run_in_child(code, writer)
        }
        ForkResult::Parent { child } => {
            drop(writer);
            await_outcome(child, reader, &signals)
        }
    }
}

fn run_in_child(code: impl FnOnce() -> u8, mut report: PipeWriter) -> ! {
    let status = code();
    // The output is complete and closed before the report. If the parent has ended, nobody reads the report.
    if io::stdout().flush().is_ok() {
        close_output();
        let _ = report.write_all(&[status]);
    }
    exit(status.into())
}

/// Redirects standard input, output and error to /dev/null: whoever reads the program's output to its end would wait for a child
/// that cannot end. Without /dev/null they stay open.
#[allow(
    unsafe_code,
    reason = "system calls without wrappers, because a signal handler makes them as well"
)]
fn close_output() {
    // SAFETY: a constant string and numbers; a signal handler may call open and dup2 (signal-safety(7)).
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        for descriptor in 0..3 {
            libc::dup2(null, descriptor);
        }
    }
}

/// Makes the child close its output and end at once on these signals. A program that it executes is not affected: execve(2)
/// resets handlers.
#[allow(unsafe_code, reason = "a signal handler")]
fn end_silently_on(signals: &SigSet) -> nix::Result<()> {
    let action = SigAction::new(
        SigHandler::Handler(end_at_once),
        SaFlags::empty(),
        SigSet::all(),
    );
    for signal in signals.iter() {
        // SAFETY: the handler makes only system calls that are async-signal-safe.
        unsafe { sigaction(signal, &action) }?;
    }
    signals.thread_unblock()
}

#[allow(unsafe_code, reason = "a system call in a signal handler")]
extern "C" fn end_at_once(_signal: libc::c_int) {
    close_output();
    // SAFETY: numbers. SIGKILL rather than exit(3), which is not async-signal-safe.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

/// Waits for the child's report or its end, or for a signal to this process.
fn await_outcome(child: Pid, mut report: PipeReader, signals: &SigSet) -> io::Result<Outcome> {
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let signals = SignalFd::with_flags(signals, flags)?;
    if let Some(signal) = await_signal(&report, &signals)? {
        return Ok(Outcome::Interrupted(signal));
    }
    let mut status = [0];
    match report.read_exact(&mut status) {
        Ok(()) => {
            await_exit(child);
            Ok(Outcome::Ended(status[0]))
        }
        // The pipe was closed without a report, so the process has ended or is about to.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(match waitpid(child, None)? {
                WaitStatus::Signaled(_, signal, _) => Outcome::Killed(signal),
                _ => Outcome::Silent,
            })
        }
        Err(error) => Err(error),
    }
}

/// Waits until the report can be read (`None`) or a signal arrives.
fn await_signal(report: &PipeReader, signals: &SignalFd) -> io::Result<Option<Signal>> {
    loop {
        let mut waiting = [
            PollFd::new(report.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut waiting, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            polled => polled?,
        };
        if let Some(info) = signals.read_signal()? {
            let number = i32::try_from(info.ssi_signo).ok();
            return Ok(number.and_then(|number| Signal::try_from(number).ok()));
        }
        if waiting[0].any() == Some(true) {
            return Ok(None);
        }
    }
}

/// Waits for the end of the process, which most often follows its report at once. Otherwise it is left behind.
fn await_exit(child: Pid) {
    let start = Instant::now();
    while start.elapsed() < EXIT_TIMEOUT
        && waitpid(child, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive)
    {
        sleep(EXIT_PAUSE);
    }
}
