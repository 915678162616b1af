//! One write(2) to a file of the kernel's, in a process of its own that no signal to ours reaches.
//!
//! Why: mapping and unmapping an image with the exclusive lock, the kernel waits for the OSDs in ways that a fatal signal
//! ends at once (linux `drivers/block/rbd.c`, rbd_add_acquire_lock and rbd_unlock), and leaves the lock behind in the name
//! of a client that lives on if another image is mapped through it. The next mapping takes that lock for a dead client's,
//! breaks it, and has the cluster put the client on its blocklist: our own, with every image that is mapped through it
//! (seen on 6.1: I/O errors on an image that had been fine). So a write that has begun is left to end.
//!
//! The process shares our memory and is waited for by a thread of ours that sleeps meanwhile, as posix_spawn(3) does it
//! (clone(2), CLONE_VM and CLONE_VFORK): copying a process for each of many images would cost more than unmapping them.
//! When this program ends, however it does, the sleeping thread ends and the process goes on, with the memory.
//!
//! The surprises: it uses the sleeping thread's errno, so that thread must not run; and it keeps nothing of ours open, or
//! whoever waits for the end of our output would wait for it, but for one file: the lock that says that somebody is
//! still at it.

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

/// What is to be written. It is all the process's own, for it may outlive whoever asked.
pub struct WriteRequest<Payload> {
    /// The file.
    pub file: File,
    /// The text, in one write.
    pub text: Vec<u8>,
    /// A key of type `ceph` that the kernel needs meanwhile: its description and payload.
    pub key: Option<(CString, Payload)>,
    /// A file that stays open until the write has ended, such as one that is locked.
    pub keep: Option<OwnedFd>,
}

/// How it ended.
#[derive(Debug)]
pub enum Answer {
    /// So many bytes were written, or the kernel's error.
    Wrote(io::Result<usize>),
    /// The kernel did not take the key.
    NoKey(io::Error),
    /// The process was killed from outside; whether it had written, the kernel's state must tell.
    Killed,
}

/// The process's stack. It makes system calls and calls nothing deep.
const STACK_SIZE: usize = 64 << 10;

/// The process's descriptors: the file, and what is kept open.
const TARGET: RawFd = 3;
const KEPT: RawFd = 4;

/// Has it written. The answer comes when the kernel has given one; whoever does not wait for it leaves the write to go on.
pub fn write<Payload>(order: WriteRequest<Payload>) -> io::Result<Receiver<io::Result<Answer>>>
where
    Payload: AsRef<[u8]> + Send + 'static,
{
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (sender, answers) = mpsc::channel();
    thread::Builder::new()
        .name("write".to_owned())
        .spawn(move || sender.send(sleep_while_written(&order, &null)))?;
    Ok(answers)
}

/// What the process tells through the memory that it shares with us. Errnos are positive.
#[derive(Default)]
struct Word {
    step: AtomicI32,
    written: AtomicI32,
    errno: AtomicI32,
}
const KEY: i32 = 1;
const WRITE: i32 = 2;

#[allow(
    unsafe_code,
    reason = "a process that shares our memory takes clone(2)"
)]
fn sleep_while_written<Payload: AsRef<[u8]>>(
    order: &WriteRequest<Payload>,
    null: &File,
) -> io::Result<Answer> {
    let mut stack = vec![0; STACK_SIZE];
    let word = Word::default();
    let keep = order
        .keep
        .as_ref()
        .map_or(null.as_raw_fd(), AsRawFd::as_raw_fd);
    let files = [null.as_raw_fd(), order.file.as_raw_fd(), keep];
    let key = order
        .key
        .as_ref()
        .map(|(name, payload)| (name.as_c_str(), payload.as_ref()));
    let work = || {
        do_it(files, &order.text, key, &word);
        0
    };
    // The process inherits the mask: no signal that can be blocked reaches it, from the first moment on.
    SigSet::all().thread_block()?;
    // SAFETY: the process does nothing but system calls on what was made ready before and what this thread keeps, which
    // sleeps until it has ended. Both end with the program, and then nobody frees that memory before the process ends.
    let process = unsafe {
        clone(
            Box::new(work),
            &mut stack,
            CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK,
            Some(libc::SIGCHLD),
        )
    }?;
    waitpid(process, None)?;
    let errno = || io::Error::from_raw_os_error(word.errno.load(Ordering::SeqCst));
    Ok(
        match (
            word.step.load(Ordering::SeqCst),
            usize::try_from(word.written.load(Ordering::SeqCst)),
        ) {
            (KEY, _) => Answer::NoKey(errno()),
            (WRITE, Ok(length)) => Answer::Wrote(Ok(length)),
            (WRITE, Err(_)) => Answer::Wrote(Err(errno())),
            _ => Answer::Killed,
        },
    )
}

/// Everything the process does.
fn do_it(files: [RawFd; 3], text: &[u8], key: Option<(&CStr, &[u8])>, word: &Word) {
    stand_alone(files);
    let (step, result) = match key.map(|(name, payload)| key::add(name, payload)) {
        Some(-1) => (KEY, -1),
        _ => (WRITE, write_once(text)),
    };
    word.errno.store(errno(), Ordering::SeqCst);
    word.written
        .store(i32::try_from(result).unwrap_or(i32::MAX), Ordering::SeqCst);
    word.step.store(step, Ordering::SeqCst);
}

/// Away from our terminal and our files.
#[allow(unsafe_code, reason = "bare system calls")]
fn stand_alone([null, target, kept]: [RawFd; 3]) {
    // SAFETY: numbers; the descriptors are the process's own, though the memory is not. Copies first go where no target
    // is, so that none is overwritten before it is copied. None of the calls can fail with these arguments but for want
    // of descriptors, and then what comes after fails and is told.
    unsafe {
        libc::setsid();
        let copies = [null, target, kept].map(|file| libc::fcntl(file, libc::F_DUPFD, KEPT + 1));
        for (copy, place) in copies.into_iter().zip([0, TARGET, KEPT]) {
            libc::dup2(copy, place);
        }
        libc::dup2(0, 1);
        libc::dup2(0, 2);
        libc::syscall(libc::SYS_close_range, KEPT + 1, libc::c_uint::MAX, 0);
    }
}

#[allow(unsafe_code, reason = "a bare system call")]
fn write_once(text: &[u8]) -> isize {
    // SAFETY: a buffer with its length.
    unsafe { libc::write(TARGET, text.as_ptr().cast(), text.len()) }
}

#[allow(unsafe_code, reason = "errno of a bare system call")]
fn errno() -> i32 {
    // SAFETY: it is always there. It is the sleeping thread's.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    const PLENTY: Duration = Duration::from_secs(60);

    type Bytes = &'static [u8];

    fn written(order: WriteRequest<Bytes>) -> Answer {
        write(order).unwrap().recv_timeout(PLENTY).unwrap().unwrap()
    }

    fn order(file: &File, text: &[u8]) -> WriteRequest<Bytes> {
        WriteRequest {
            file: file.try_clone().unwrap(),
            text: text.to_owned(),
            key: None,
            keep: None,
        }
    }

    #[test]
    fn it_is_written_once_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("bus")).unwrap();
        assert!(matches!(
            written(order(&file, b"3 force")),
            Answer::Wrote(Ok(7))
        ));
        assert_eq!(fs::read(folder.path().join("bus")).unwrap(), b"3 force");
    }

    #[test]
    fn the_kernels_error_is_told() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let answer = written(order(&full, b"x"));
        assert!(
            matches!(answer, Answer::Wrote(Err(error)) if error.raw_os_error() == Some(libc::ENOSPC))
        );
        let payload: Bytes = b"";
        let unknown = WriteRequest {
            key: Some((c"client.test".to_owned(), payload)),
            ..order(&full, b"x")
        };
        assert!(matches!(written(unknown), Answer::NoKey(_)));
    }

    #[test]
    fn what_hangs_is_left_behind_and_holds_only_what_it_was_given() {
        // A socket that is full blocks who writes.
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (held, holder) = UnixStream::pair().unwrap();
        let (free, freed) = UnixStream::pair().unwrap();
        let file = File::from(OwnedFd::from(theirs));
        let text = vec![0; 16 << 20];
        let start = Instant::now();
        let order = WriteRequest {
            keep: Some(OwnedFd::from(holder)),
            ..order(&file, &text)
        };
        let answer = write(order)
            .unwrap()
            .recv_timeout(Duration::from_millis(50));
        assert!(matches!(answer, Err(mpsc::RecvTimeoutError::Timeout)));
        assert!(start.elapsed() < PLENTY / 2);
        drop((freed, file));
        let ended = |mut stream: &UnixStream| stream.read(&mut [0]).is_ok_and(|length| length == 0);
        assert!(ended(&free), "it has nothing of ours open");
        held.set_nonblocking(true).unwrap();
        assert!(!ended(&held), "but what it keeps");
        // It goes on: what is read makes room.
        let mut rest = Vec::new();
        (&ours).take(16 << 20).read_to_end(&mut rest).unwrap();
        held.set_nonblocking(false).unwrap();
        assert!(rest.len() == 16 << 20 && ended(&held), "and ends by itself");
    }

    #[test]
    fn many_threads_write_at_a_time() {
        let null = File::options().write(true).open("/dev/null").unwrap();
        thread::scope(|scope| {
            for _ in 0..32 {
                scope
                    .spawn(|| assert!(matches!(written(order(&null, b"x")), Answer::Wrote(Ok(1)))));
            }
        });
    }
}
