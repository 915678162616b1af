//! What the kernel said about one attempt: the lines of rbd and libceph that appear in its log from before a write on.
//!
//! `/dev/kmsg` (linux `Documentation/ABI/testing/dev-kmsg`): each read is one record, `PRIORITY,SEQUENCE,TIME,FLAGS;text`,
//! and a reader starts where it seeks to. The surprise: a reader that is overrun gets EPIPE once and goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::runtime::root::Root;

/// A place in the kernel's log.
pub struct KmsgReader(Option<File>);

/// The longest record that the kernel hands out.
const RECORD_MAX: usize = 8192;

impl KmsgReader {
    /// From now on. Where the log cannot be read (not root), nothing will be heard.
    pub fn now(root: &Root) -> Self {
        Self(
            open(root)
                .and_then(|mut file| file.seek(SeekFrom::End(0)).map(|_| file))
                .ok(),
        )
    }

    /// From the oldest line that is still there.
    pub fn the_beginning(root: &Root) -> Self {
        Self(open(root).ok())
    }

    /// Waits for the next line, of whomever, but not for longer. `false` where none can be heard.
    pub fn await_line(&self, limit: Duration) -> bool {
        let Some(file) = &self.0 else { return false };
        let milliseconds = u16::try_from(limit.as_millis()).unwrap_or(u16::MAX);
        let mut waiting = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
        // An interruption is as good as a line: whoever waits looks again.
        matches!(
            poll(&mut waiting, PollTimeout::from(milliseconds)),
            Ok(_) | Err(Errno::EINTR)
        )
    }

    /// What rbd and libceph have said since this was last asked, in order.
    pub fn lines(&mut self) -> Vec<String> {
        let Some(file) = &mut self.0 else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        let mut record = [0; RECORD_MAX];
        loop {
            match file.read(&mut record) {
                Ok(0) => return lines,
                Ok(length) => lines.extend(message(&String::from_utf8_lossy(&record[..length]))),
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => return lines,
            }
        }
    }
}

/// A new reader begins at the oldest record.
fn open(root: &Root) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(root.kernel_log())
}

/// The text of a record, if rbd or libceph wrote it.
fn message(record: &str) -> Option<String> {
    let text = record.split_once(';')?.1.lines().next()?;
    (text.starts_with("rbd:") || text.starts_with("libceph:")).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_rbd_and_libceph_are_heard_and_no_others() {
        let record = "6,339,5140900,-;rbd: image rbd/nope does not exist\n SUBSYSTEM=x\n";
        assert_eq!(
            message(record).as_deref(),
            Some("rbd: image rbd/nope does not exist")
        );
        assert_eq!(message("6,1,2,-;EXT4-fs (rbd0): mounted"), None);
    }
}
