//! Runs a hook: nothing to read, its output into the log line by line, no longer than until the deadline.
//!
//! It leads a process group of its own, so that what it has started is killed with it. What a hook leaves running on
//! purpose may keep the output open; that is not waited for.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::deadline::Deadline;
use crate::image::ImageSpec;

/// How long its last words are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Longer lines are cut.
const LONGEST_LINE: u64 = 4096;

/// Runs it and tells how it ended.
pub fn run(hook: &Path, arguments: &[OsString], spec: &ImageSpec, deadline: &Deadline) -> io::Result<ExitStatus> {
    let mut command = Command::new(hook);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let (sender, ended) = mpsc::channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|pipe| Box::new(pipe) as _), child.stderr.take().map(|pipe| Box::new(pipe) as _)];
    for pipe in pipes.into_iter().flatten() {
        let (sender, spec) = (sender.clone(), spec.clone());
        thread::spawn(move || {
            log(pipe, &spec);
            sender.send(())
        });
    }
    let status = deadline.poll(|| child.try_wait().transpose());
    let status = status.unwrap_or_else(|| Err(kill(&mut child)));
    let patience = Deadline::after(LAST_WORDS);
    for _ in 0..2 {
        // Both pipes, or whatever has been said by then.
        let _ = ended.recv_timeout(patience.remaining());
    }
    status
}

fn kill(child: &mut Child) -> io::Error {
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    if let Ok(group) = group {
        // Gone already is as good.
        let _ = killpg(group, Signal::SIGKILL);
    }
    // One that the kernel does not give back is left behind.
    let _ = Deadline::after(LAST_WORDS).poll(|| child.try_wait().transpose());
    io::Error::other("killed, for it has not ended in time")
}

fn log(pipe: impl Read, spec: &ImageSpec) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line);
        tracing::info!(rbd_pool = %spec.pool, rbd_image = %spec.image, "{spec}: hook: {}", text.trim_end());
        line.clear();
    }
}
