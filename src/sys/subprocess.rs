//! Runs other programs, each with a deadline.
//!
//! A program leads a process group of its own, so that at the deadline it is killed together with the processes that it has
//! started. A process that it leaves running on purpose may keep the output open; the end of that output is not waited for.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use crate::runtime::background::spawn;
use crate::runtime::deadline::{Deadline, Wait};

/// How long a program that was killed may take to end.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the rest of the output may take to arrive after the program has ended.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// How much of each output stream is kept; the rest is read and dropped. Five lines of the journal fit.
const CAPTURE_LIMIT: usize = 256 << 10;

/// How much of a failed program's output goes into the error.
const COMPLAINT_LIMIT: usize = 4096;

/// How long a line of output may be before it is split.
const LINE_LIMIT: u64 = 4096;

/// A program, its arguments and its input.
pub struct Program {
    command: Command,
    stdin: Option<Zeroizing<Vec<u8>>>,
}

/// What came of a program that ended before its deadline.
#[derive(Debug)]
pub struct ProgramOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output; bytes that are not UTF-8 become U+FFFD.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
}

impl Program {
    /// A program without arguments, whose standard input is /dev/null.
    pub fn new(path: impl AsRef<OsStr>) -> Self {
        Self {
            command: Command::new(path),
            stdin: None,
        }
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Removes a variable from the program's environment.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Gives the program this to read.
    pub fn stdin(mut self, text: Zeroizing<Vec<u8>>) -> Self {
        self.stdin = Some(text);
        self
    }

    /// Runs the program and captures its output. Fails if it cannot be started or exceeds the deadline.
    pub fn run(self, deadline: &Deadline) -> Result<ProgramOutput> {
        let name = self.name();
        let stdout = Capture::default();
        let stderr = Capture::default();
        let streams = [stdout.reader(), stderr.reader()];
        let status = self
            .run_with_readers(Wait::silent(deadline), streams)
            .with_context(|| format!("running {name}"))?;
        Ok(ProgramOutput {
            status,
            stdout: stdout.text(),
            stderr: stderr.text(),
        })
    }

    /// Runs the program, which has to succeed. Otherwise the error is what the program printed to its standard error.
    pub fn run_to_success(self, deadline: &Deadline) -> Result<ProgramOutput> {
        let name = self.name();
        let output = self.run(deadline)?;
        if output.status.success() {
            return Ok(output);
        }
        let lines = output.stderr.lines().map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            bail!("{name} failed: {}", output.status)
        }
        bail!(
            lines
                .join("; ")
                .chars()
                .take(COMPLAINT_LIMIT)
                .collect::<String>()
        )
    }

    /// Runs the program and passes each line of its output on while it runs. Fails as [`Program::run`] does.
    pub fn run_by_line(
        self,
        wait: Wait<'_>,
        on_line: impl Fn(&str) + Clone + Send + 'static,
    ) -> Result<ExitStatus> {
        let for_stderr = on_line.clone();
        let streams: [OutputReader; 2] = [
            Box::new(move |pipe| read_lines(pipe, on_line)),
            Box::new(move |pipe| read_lines(pipe, for_stderr)),
        ];
        self.run_with_readers(wait, streams)
    }

    fn name(&self) -> String {
        self.command.get_program().display().to_string()
    }

    /// Runs the program; standard output and standard error each have a reader.
    fn run_with_readers(
        mut self,
        wait: Wait<'_>,
        readers: [OutputReader; 2],
    ) -> Result<ExitStatus> {
        let stdin = match self.stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        };
        self.command
            .process_group(0)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn()?;
        if let (Some(mut pipe), Some(text)) = (child.stdin.take(), self.stdin) {
            // In a thread: a program that does not read must not block the caller beyond the deadline. It may also end without
            // having read everything, which its exit status tells better than EPIPE.
            spawn(move || pipe.write_all(&text));
        }
        let ends = start_readers(&mut child, readers);
        let status = wait.poll(|| child.try_wait().transpose());
        if status.is_none() {
            kill(&mut child);
        }
        let rest = Deadline::after(OUTPUT_TIMEOUT);
        for end in ends {
            // What the program itself has printed arrives at once. Only a process that it left running makes this time out.
            let _ = rest.receive(&end);
        }
        match status {
            Some(status) => Ok(status?),
            None => bail!("killed: time limit exceeded"),
        }
    }
}

/// Reads an output stream until its end.
type OutputReader = Box<dyn FnOnce(Box<dyn Read + Send>) + Send>;

/// Starts a thread for each output stream, which sends when the stream has ended.
fn start_readers(child: &mut Child, readers: [OutputReader; 2]) -> Vec<Receiver<()>> {
    let [read_stdout, read_stderr] = readers;
    let mut ends = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        ends.push(spawn(move || read_stdout(Box::new(pipe))));
    }
    if let Some(pipe) = child.stderr.take() {
        ends.push(spawn(move || read_stderr(Box::new(pipe))));
    }
    ends
}

/// Kills the program and its process group.
fn kill(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // ESRCH means that it has ended meanwhile.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    // A program that sleeps in the kernel where no signal reaches it is left behind.
    let _ = Deadline::after(KILL_TIMEOUT).poll(|| child.try_wait().transpose());
}

/// Output that has arrived so far, at most [`CAPTURE_LIMIT`] bytes.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    fn reader(&self) -> OutputReader {
        let mut capture = self.clone();
        Box::new(move |mut pipe| {
            // An error ends the output as its end does.
            let _ = io::copy(&mut pipe, &mut capture);
        })
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Capture {
    /// Accepts everything: a program that blocks because nobody reads would never end.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = CAPTURE_LIMIT - kept.len();
        kept.extend_from_slice(&bytes[..bytes.len().min(free)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_lines(pipe: impl Read, on_line: impl Fn(&str)) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader
        .by_ref()
        .take(LINE_LIMIT)
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        on_line(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

#[cfg(test)]
mod tests;
