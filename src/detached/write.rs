//! One write(2) to a file of the kernel, in a separate process that no signal to this program reaches.
//!
//! Why: while the kernel maps or unmaps an image with the exclusive lock, it waits for the OSDs in ways that a fatal signal
//! ends at once (linux `drivers/block/rbd.c`, rbd_add_acquire_lock and rbd_unlock). Then the lock stays behind, in the name
//! of a client that continues to exist if another image is mapped through it. The next mapping takes the lock for that of a dead
//! client, breaks it, and makes the cluster put the client on its blocklist, with every image that is mapped through it
//! (seen on 6.1: I/O errors on an image that had worked). So a write that has begun is never interrupted.
//!
//! The process shares the memory of this one, and a thread of this one sleeps until it has ended, as in posix_spawn(3) (clone(2),
//! CLONE_VM and CLONE_VFORK): copying a process for each of many images would cost more than unmapping them.
//! When this program ends, in whatever way, the sleeping thread ends, and the process continues with the memory.
//!
//! Two consequences: the process uses the errno of the sleeping thread, so that thread must not run; and the process must not
//! keep files of this program open, or whoever reads this program's output to its end would wait for it. The exception
//! is one file, the lock that shows that a request is still running.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use nix::sched::{CloneFlags, clone};
use nix::sys::signal::SigSet;
use nix::sys::wait::waitpid;

use crate::key;

/// What to write. The request owns everything, because the write may continue after its caller has ended.
pub struct WriteRequest<Payload> {
    /// The file.
    pub file: File,
    /// The text, for one write(2).
    pub text: Vec<u8>,
    /// A key of type `ceph` that the kernel needs during the write: its description and payload.
    pub key: Option<(CString, Payload)>,
    /// A file that stays open until the write has ended, such as a locked one.
    pub held_file: Option<OwnedFd>,
}

/// How the process ended.
#[derive(Debug)]
pub enum WriteOutcome {
    /// This number of bytes was written.
    Written(usize),
    /// The write failed.
    WriteFailed(io::Error),
    /// The kernel did not accept the key. Nothing was written.
    KeyRefused(io::Error),
    /// Something killed the process. Whether it had written, only the kernel's state shows.
    Killed,
}

/// The size of the process's stack. It makes a few system calls.
const STACK_SIZE: usize = 64 << 10;

/// The descriptor of the file to write in the process.
const TARGET: RawFd = 3;
/// The descriptor of the held file in the process, its last.
const HELD: RawFd = 4;

/// Starts the write. The outcome arrives when the kernel has answered; the write continues if the caller does not wait for that.
pub fn write<Payload>(
    request: WriteRequest<Payload>,
) -> io::Result<Receiver<io::Result<WriteOutcome>>>
where
    Payload: AsRef<[u8]> + Send + 'static,
{
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (sender, outcomes) = mpsc::channel();
    thread::Builder::new()
        .name("write".to_owned())
        .spawn(move || sender.send(run_writer(&request, &null)))?;
    Ok(outcomes)
}

/// What the process reports through the memory that it shares.
#[derive(Default)]
struct Report {
    /// The last step: 0 before the first.
    step: AtomicI32,
    /// What write(2) returned.
    written: AtomicI32,
    /// errno after the last step.
    errno: AtomicI32,
}

/// `Report::step` if add_key(2) failed.
const KEY_REFUSED: i32 = 1;
/// `Report::step` after write(2).
const WRITE_RETURNED: i32 = 2;

impl Report {
    fn outcome(&self) -> WriteOutcome {
        let written = self.written.load(Ordering::SeqCst);
        let error = io::Error::from_raw_os_error(self.errno.load(Ordering::SeqCst));
        match (self.step.load(Ordering::SeqCst), usize::try_from(written)) {
            (KEY_REFUSED, _) => WriteOutcome::KeyRefused(error),
            (WRITE_RETURNED, Ok(length)) => WriteOutcome::Written(length),
            (WRITE_RETURNED, Err(_)) => WriteOutcome::WriteFailed(error),
            _ => WriteOutcome::Killed,
        }
    }
}

/// What the process needs, prepared before it starts.
struct WriterData<'a> {
    files: WriterFiles,
    text: &'a [u8],
    key: Option<(&'a CStr, &'a [u8])>,
    report: &'a Report,
}

#[derive(Clone, Copy)]
struct WriterFiles {
    null: RawFd,
    target: RawFd,
    held: RawFd,
}

/// Starts the process and sleeps until it has ended.
#[allow(
    unsafe_code,
    reason = "a process that shares this one's memory needs clone(2)"
)]
fn run_writer<Payload: AsRef<[u8]>>(
    request: &WriteRequest<Payload>,
    null: &File,
) -> io::Result<WriteOutcome> {
    let mut stack = vec![0; STACK_SIZE];
    let report = Report::default();
    let null = null.as_raw_fd();
    let held = request.held_file.as_ref().map_or(null, AsRawFd::as_raw_fd);
    let key = request.key.as_ref();
    let data = WriterData {
        files: WriterFiles {
            null,
            target: request.file.as_raw_fd(),
            held,
        },
        text: &request.text,
        key: key.map(|(name, payload)| (name.as_c_str(), payload.as_ref())),
        report: &report,
    };
    // The process inherits the mask, so that from its first moment no signal that can be blocked reaches it.
    SigSet::all().thread_block()?;
    // SAFETY: the process makes only system calls, on data that was prepared before and that this thread keeps: it sleeps until
    // the process has ended. If the program ends earlier, nobody frees that memory before the process has ended.
    let process = unsafe {
        clone(
            Box::new(|| in_process(&data)),
            &mut stack,
            CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK,
            Some(libc::SIGCHLD),
        )
    }?;
    waitpid(process, None)?;
    Ok(report.outcome())
}

/// Everything that the process does. It must not allocate memory, take a lock or panic: the memory is that of a program whose
/// other threads are running.
fn in_process(data: &WriterData<'_>) -> isize {
    detach(data.files);
    let key = data.key.map(|(name, payload)| key::add(name, payload));
    let (step, result) = match key {
        Some(-1) => (KEY_REFUSED, -1),
        _ => (WRITE_RETURNED, write_once(data.text)),
    };
    let report = data.report;
    report.errno.store(errno(), Ordering::SeqCst);
    let written = i32::try_from(result).unwrap_or(i32::MAX);
    report.written.store(written, Ordering::SeqCst);
    report.step.store(step, Ordering::SeqCst);
    0
}

/// Leaves the terminal's session, and closes all files except the target and the held file.
#[allow(unsafe_code, reason = "system calls without wrappers")]
fn detach(files: WriterFiles) {
    // SAFETY: numbers; the descriptors are the process's own, although the memory is not. The copies are above HELD, so none
    // of the files is overwritten before it is copied. With these arguments the calls fail only if there are too many
    // descriptors; then the following call fails as well, and its error is reported.
    unsafe {
        libc::setsid();
        let copies = [files.null, files.target, files.held]
            .map(|file| libc::fcntl(file, libc::F_DUPFD, HELD + 1));
        for (copy, descriptor) in copies.into_iter().zip([0, TARGET, HELD]) {
            libc::dup2(copy, descriptor);
        }
        libc::dup2(0, 1);
        libc::dup2(0, 2);
        libc::syscall(libc::SYS_close_range, HELD + 1, libc::c_uint::MAX, 0);
    }
}

#[allow(unsafe_code, reason = "a system call without a wrapper")]
fn write_once(text: &[u8]) -> isize {
    // SAFETY: a buffer with its length.
    unsafe { libc::write(TARGET, text.as_ptr().cast(), text.len()) }
}

#[allow(unsafe_code, reason = "errno of a system call without a wrapper")]
fn errno() -> i32 {
    // SAFETY: the pointer is always valid. It is that of the sleeping thread.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    /// More time than a write takes.
    const LONG: Duration = Duration::from_secs(60);

    type Bytes = &'static [u8];

    fn outcome(request: WriteRequest<Bytes>) -> WriteOutcome {
        write(request).unwrap().recv_timeout(LONG).unwrap().unwrap()
    }

    fn request(file: &File, text: &[u8]) -> WriteRequest<Bytes> {
        WriteRequest {
            file: file.try_clone().unwrap(),
            text: text.to_owned(),
            key: None,
            held_file: None,
        }
    }

    #[test]
    fn the_text_is_written_once_and_its_length_reported() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bus");
        let file = File::create(&path).unwrap();
        let outcome = outcome(request(&file, b"3 force"));
        assert!(matches!(outcome, WriteOutcome::Written(7)));
        assert_eq!(fs::read(path).unwrap(), b"3 force");
    }

    #[test]
    fn the_errors_of_the_write_and_of_the_key_are_reported() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let failed = outcome(request(&full, b"x"));
        assert!(
            matches!(failed, WriteOutcome::WriteFailed(error) if error.raw_os_error() == Some(libc::ENOSPC))
        );
        let payload: Bytes = b"";
        let with_key = WriteRequest {
            key: Some((c"client.test".to_owned(), payload)),
            ..request(&full, b"x")
        };
        assert!(matches!(outcome(with_key), WriteOutcome::KeyRefused(_)));
    }

    fn is_closed(mut stream: &UnixStream) -> bool {
        stream.read(&mut [0]).is_ok_and(|length| length == 0)
    }

    #[test]
    fn a_write_that_blocks_is_left_behind_and_keeps_only_the_held_file_open() {
        const LENGTH: usize = 16 << 20;
        // A write to a socket blocks when the socket is full.
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (held, holder) = UnixStream::pair().unwrap();
        let (free, freed) = UnixStream::pair().unwrap();
        let file = File::from(OwnedFd::from(theirs));
        let start = Instant::now();
        let blocked = write(WriteRequest {
            held_file: Some(OwnedFd::from(holder)),
            ..request(&file, &vec![0; LENGTH])
        });
        let outcome = blocked.unwrap().recv_timeout(Duration::from_millis(50));
        assert!(matches!(outcome, Err(mpsc::RecvTimeoutError::Timeout)));
        assert!(start.elapsed() < LONG / 2);
        drop((freed, file));
        assert!(is_closed(&free), "the process has no other file open");
        held.set_nonblocking(true).unwrap();
        assert!(!is_closed(&held), "the process holds this file");
        // The write continues when the socket is read.
        let mut rest = Vec::new();
        let length = u64::try_from(LENGTH).unwrap();
        (&ours).take(length).read_to_end(&mut rest).unwrap();
        held.set_nonblocking(false).unwrap();
        assert_eq!(rest.len(), LENGTH);
        assert!(is_closed(&held), "the process ends after its write");
    }

    #[test]
    fn many_threads_can_write_in_parallel() {
        let null = File::options().write(true).open("/dev/null").unwrap();
        thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    let outcome = outcome(request(&null, b"x"));
                    assert!(matches!(outcome, WriteOutcome::Written(1)));
                });
            }
        });
    }
}
