//! Anything, in a child process that can be left behind. The child says what the work came to before it tries to end; the
//! parent ends on that word, even if a thread of the child's never comes back.
//!
//! When the parent ends, however it does, the kernel kills what is left of the child (prctl(2), PR_SET_PDEATHSIG): nothing
//! goes on behind an administrator's back, but for what the kernel itself cannot stop.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::parent_id;
use std::process::exit;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
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
}

/// Does the work in a child process and returns, in the parent only, when it has ended. Refused where there is more than
/// one thread: the child would have a copy of this one alone, and of locks that nobody there releases.
#[allow(unsafe_code, reason = "fork(2) is unsafe in a process with threads, and this one has none")]
pub fn run(work: impl FnOnce() -> u8) -> io::Result<Outcome> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("the process has several threads"));
    }
    let (word, mut mouth) = io::pipe()?;
    let parent = std::process::id();
    // SAFETY: this is the only thread, so the child has all of what it had, in the state it was in.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(word);
            // The parent may have ended before it could be said.
            if set_pdeathsig(Signal::SIGKILL).is_err() || parent_id() != parent {
                exit(1);
            }
            let status = work();
            // What it printed comes before its word, and if nobody hears that, nobody waits.
            let _ = io::stdout().flush().and_then(|()| mouth.write_all(&[status]));
            exit(status.into())
        }
        ForkResult::Parent { child } => {
            drop(mouth);
            await_word(word, child)
        }
    }
}

fn await_word(mut word: io::PipeReader, child: Pid) -> io::Result<Outcome> {
    let mut status = [0];
    match word.read_exact(&mut status) {
        Ok(()) => Ok(Outcome::Ended(status[0])),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(match waitpid(child, None)? {
            WaitStatus::Signaled(_, signal, _) => Outcome::Killed(signal),
            _ => Outcome::Silent,
        }),
        Err(error) => Err(error),
    }
}
