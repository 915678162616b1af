//! Waits for other programs, no longer than until a deadline. Each leads a process group of its own, so that what it has
//! started is killed with it.

use std::io;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::deadline::Deadline;

/// How long the end of one that was killed is waited for.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// Waits for its end, or makes one. The child has been given its process group.
pub fn end(child: &mut Child, deadline: &Deadline) -> io::Result<ExitStatus> {
    deadline.poll(|| child.try_wait().transpose()).unwrap_or_else(|| Err(kill(child)))
}

fn kill(child: &mut Child) -> io::Error {
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    if let Ok(group) = group {
        // Gone already is as good.
        let _ = killpg(group, Signal::SIGKILL);
    }
    // One that the kernel does not give back is left behind.
    let _ = Deadline::after(LAST_BREATH).poll(|| child.try_wait().transpose());
    io::Error::other("killed, for it has not ended in time")
}
