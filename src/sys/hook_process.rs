//! Runs a hook: nothing to read, its output into the log line by line, no longer than until the deadline.
//!
//! What a hook leaves running on purpose may keep the output open; that is not waited for.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::subprocess;
use crate::model::image_spec::ImageSpec;
use crate::runtime::deadline::{Deadline, Wait};

/// How long its last words are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Longer lines are cut.
const LONGEST_LINE: u64 = 4096;

/// Runs it and tells how it ended.
pub fn run(
    hook: &Path,
    arguments: &[OsString],
    spec: &ImageSpec,
    wait: Wait<'_>,
) -> io::Result<ExitStatus> {
    let mut command = Command::new(hook);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn()?;
    let (sender, ended) = mpsc::channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    for pipe in pipes.into_iter().flatten() {
        let (sender, spec) = (sender.clone(), spec.clone());
        thread::spawn(move || {
            log(pipe, &spec);
            sender.send(())
        });
    }
    let status = subprocess::end(&mut child, wait);
    let patience = Deadline::after(LAST_WORDS);
    for _ in 0..2 {
        // Both pipes, or whatever has been said by then.
        let _ = ended.recv_timeout(patience.remaining());
    }
    status
}

fn log(pipe: impl Read, spec: &ImageSpec) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader
        .by_ref()
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        let text = String::from_utf8_lossy(&line);
        tracing::info!(rbd_pool = %spec.pool, rbd_image = %spec.image, "{spec}: hook: {}", text.trim_end());
        line.clear();
    }
}
