//! Waits for other programs, no longer than until a deadline. Each leads a process group of its own, so that what it has
//! started is killed with it.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::runtime::deadline::{Deadline, Wait};

/// How long the end of one that was killed is waited for.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// More than anybody reads of what a program complains.
const LONGEST_COMPLAINT: u64 = 4096;

/// Runs a program that has nothing to say but complaints. The error is what it complained, or why there was no running it.
pub fn run(mut command: Command, deadline: &Deadline) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let ended = command.spawn().and_then(|mut child| {
        Ok((
            end(&mut child, Wait::silent(deadline))?,
            child.stderr.take(),
        ))
    });
    let (status, stderr) = ended.map_err(|error| format!("running {program}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    // It has ended, and a pipe holds more than this; but whatever it started may have the pipe open still.
    let read = move || stderr.map(|stderr| io::read_to_string(stderr.take(LONGEST_COMPLAINT)));
    let said = Deadline::after(LAST_BREATH)
        .run(read)
        .flatten()
        .and_then(Result::ok)
        .unwrap_or_default();
    let said: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    Err(if said.is_empty() {
        format!("{program} failed and said nothing")
    } else {
        said.join("; ")
    })
}

/// Waits for its end, or makes one. The child has been given its process group.
pub fn end(child: &mut Child, wait: Wait<'_>) -> io::Result<ExitStatus> {
    wait.poll(|| child.try_wait().transpose())
        .unwrap_or_else(|| Err(kill(child)))
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
