//! One write(2) to a file of the kernel's, in a process of its own that no signal to ours reaches.
//!
//! Why: mapping and unmapping an image with the exclusive lock, the kernel waits for the OSDs in ways that a fatal signal
//! ends at once (linux `drivers/block/rbd.c`, rbd_add_acquire_lock and rbd_unlock), and leaves the lock behind in the name
//! of a client that lives on if another image is mapped through it. The next mapping takes that lock for a dead client's,
//! breaks it, and has the cluster put the client on its blocklist: our own, with every image that is mapped through it
//! (seen on 6.1: I/O errors on an image that had been fine). So a write that has begun is left to end.
//!
//! The surprises: only system calls are allowed between fork and exit in a process with threads, so everything is made
//! ready before. And the child keeps nothing of ours open, or whoever waits for the end of our output would wait for it,
//! but for one file: the lock that says that somebody is still at it.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

use crate::key;

/// What is to be written.
pub struct Order<'a> {
    /// The file.
    pub file: &'a File,
    /// The text, in one write.
    pub text: &'a [u8],
    /// A key of type `ceph` that the kernel needs meanwhile: its description and payload.
    pub key: Option<(&'a str, &'a [u8])>,
    /// A file that stays open until the write has ended, such as one that is locked.
    pub keep: Option<BorrowedFd<'a>>,
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
    /// Not within the time. It goes on.
    None,
}

/// The child's word: which step ended, and how many bytes it wrote, or an errno below zero.
type Word = [i32; 2];
const KEY: i32 = 1;
const WRITE: i32 = 2;

/// The child's descriptors: its word, the file, what is kept open.
const MOUTH: RawFd = 3;
const TARGET: RawFd = 4;
const KEPT: RawFd = 5;

/// Has it written, and waits for the answer for so long.
pub fn write(order: &Order<'_>, patience: Duration) -> io::Result<Answer> {
    let key = match order.key {
        Some((name, payload)) => Some((CString::new(name)?, payload)),
        None => None,
    };
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (word, mouth) = io::pipe()?;
    let keep = order.keep.unwrap_or(null.as_fd());
    let files = [null.as_raw_fd(), mouth.as_raw_fd(), order.file.as_raw_fd(), keep.as_raw_fd()];
    let key = key.as_ref().map(|(name, payload)| (name.as_c_str(), *payload));
    // SAFETY: the child does nothing but system calls on what was made ready before, and then ends.
    #[allow(unsafe_code, reason = "a process of its own takes fork(2)")]
    let forked = unsafe { fork() }?;
    match forked {
        ForkResult::Child => child(files, order.text, key),
        ForkResult::Parent { child } => {
            drop(mouth);
            let answer = await_word(word, patience)?;
            // All that it has left to do is to end.
            if !matches!(answer, Answer::None) {
                waitpid(child, None)?;
            }
            Ok(answer)
        }
    }
}

/// Everything the child does.
fn child(files: [RawFd; 4], text: &[u8], key: Option<(&CStr, &[u8])>) -> ! {
    stand_alone(files);
    let (step, result) = match key.map(|(name, payload)| key::add(name, payload)) {
        Some(-1) => (KEY, -1),
        _ => (WRITE, write_once(text)),
    };
    say(step, if result < 0 { -errno() } else { i32::try_from(result).unwrap_or(i32::MAX) })
}

/// Away from our signals, our terminal and our files.
#[allow(unsafe_code, reason = "bare system calls")]
fn stand_alone([null, mouth, target, kept]: [RawFd; 4]) {
    // SAFETY: numbers, and a signal set that lives here. Copies first go where no target is, so that none is overwritten
    // before it is copied. None of the calls can fail with these arguments but for want of descriptors, and then what
    // comes after fails and is told.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
        libc::setsid();
        let copies = [null, mouth, target, kept].map(|file| libc::fcntl(file, libc::F_DUPFD, KEPT + 1));
        for (copy, place) in copies.into_iter().zip([0, MOUTH, TARGET, KEPT]) {
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

#[allow(unsafe_code, reason = "bare system calls")]
fn say(step: i32, result: i32) -> ! {
    let word: Word = [step, result];
    // SAFETY: a buffer with its length. _exit runs nothing of the process that this is a copy of.
    unsafe {
        libc::write(MOUTH, word.as_ptr().cast(), size_of::<Word>());
        libc::_exit(0)
    }
}

#[allow(unsafe_code, reason = "errno of a bare system call")]
fn errno() -> i32 {
    // SAFETY: it is always there.
    unsafe { *libc::__errno_location() }
}

fn await_word(mut word: io::PipeReader, patience: Duration) -> io::Result<Answer> {
    let end = Instant::now() + patience;
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_millis();
        let left = PollTimeout::from(u16::try_from(left).unwrap_or(u16::MAX));
        match poll(&mut [PollFd::new(word.as_fd(), PollFlags::POLLIN)], left) {
            Ok(0) if Instant::now() >= end => return Ok(Answer::None),
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let mut bytes = [0; size_of::<Word>()];
    match word.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Answer::Killed),
        read => read?,
    }
    let number = |at: usize| i32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (step, result) = (number(0), number(4));
    let result = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
    Ok(match (step, result) {
        (KEY, Err(error)) => Answer::NoKey(error),
        (_, result) => Answer::Wrote(result),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::net::UnixStream;
    use std::thread;

    const PLENTY: Duration = Duration::from_secs(60);

    fn order<'a>(file: &'a File, text: &'a [u8]) -> Order<'a> {
        Order { file, text, key: None, keep: None }
    }

    #[test]
    fn it_is_written_once_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("bus")).unwrap();
        assert!(matches!(write(&order(&file, b"3 force"), PLENTY).unwrap(), Answer::Wrote(Ok(7))));
        assert_eq!(fs::read(folder.path().join("bus")).unwrap(), b"3 force");
    }

    #[test]
    fn the_kernels_error_is_told() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let answer = write(&order(&full, b"x"), PLENTY).unwrap();
        assert!(matches!(answer, Answer::Wrote(Err(error)) if error.raw_os_error() == Some(libc::ENOSPC)));
        let unknown = Order { key: Some(("client.test", b"")), ..order(&full, b"x") };
        assert!(matches!(write(&unknown, PLENTY).unwrap(), Answer::NoKey(_)));
        let nul = Order { key: Some(("client.\0", b"x")), ..order(&full, b"x") };
        assert!(write(&nul, PLENTY).is_err());
    }

    #[test]
    fn what_hangs_is_left_behind_and_holds_only_what_it_was_given() {
        // A socket that is full blocks who writes.
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (held, holder) = UnixStream::pair().unwrap();
        let (free, freed) = UnixStream::pair().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(theirs));
        let text = vec![0; 16 << 20];
        let start = Instant::now();
        let order = Order { keep: Some(holder.as_fd()), ..order(&file, &text) };
        assert!(matches!(write(&order, Duration::from_millis(50)).unwrap(), Answer::None));
        assert!(start.elapsed() < PLENTY / 2);
        drop((freed, holder, file));
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
                scope.spawn(|| assert!(matches!(write(&order(&null, b"x"), PLENTY).unwrap(), Answer::Wrote(Ok(1)))));
            }
        });
    }
}
