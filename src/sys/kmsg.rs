//! Reads the kernel log: the lines of rbd and libceph from a given moment on, such as from before a write.
//!
//! `/dev/kmsg` (linux `Documentation/ABI/testing/dev-kmsg`): each read returns one record, `PRIORITY,SEQUENCE,TIME,FLAGS;text`,
//! and a reader starts where it seeks to. A reader whose next record was overwritten gets EPIPE once and continues with the
//! oldest record that exists.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::runtime::root::Root;

/// A position in the kernel log. Without access to the log, which only root has, a reader finds no lines.
pub struct KmsgReader(Option<File>);

/// The size of the longest record that the kernel returns.
const RECORD_MAX: usize = 8192;

impl KmsgReader {
    /// A reader of the lines that are written from now on.
    pub fn now(root: &Root) -> Self {
        Self(open_at_end(root).ok())
    }

    /// A reader of all lines, from the oldest that the kernel has kept.
    pub fn the_beginning(root: &Root) -> Self {
        Self(open(root).ok())
    }

    /// Waits until there is another line, whoever wrote it, or until the time limit. `false` if the log cannot be read.
    pub fn await_line(&self, limit: Duration) -> bool {
        let Some(file) = &self.0 else { return false };
        let milliseconds = u16::try_from(limit.as_millis()).unwrap_or(u16::MAX);
        let mut waiting = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
        // After an interruption the caller looks for lines and waits again, as after a line.
        matches!(
            poll(&mut waiting, PollTimeout::from(milliseconds)),
            Ok(_) | Err(Errno::EINTR)
        )
    }

    /// The lines of rbd and libceph since the last call, in order. Does not wait.
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
                // The kernel has overwritten records that were not read yet; the next read continues after them.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                // EAGAIN: there are no further records yet.
                Err(_) => return lines,
            }
        }
    }
}

fn open(root: &Root) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(root.kernel_log())
}

fn open_at_end(root: &Root) -> io::Result<File> {
    let mut file = open(root)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

/// The text of a record of rbd or libceph. Lines after the first are the record's properties.
fn message(record: &str) -> Option<String> {
    let (_, text) = record.split_once(';')?;
    let text = text.lines().next()?;
    let is_ours = text.starts_with("rbd:") || text.starts_with("libceph:");
    is_ours.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_rbd_and_libceph_are_returned_and_no_others() {
        let record = "6,339,5140900,-;rbd: image rbd/nope does not exist\n SUBSYSTEM=x\n";
        assert_eq!(
            message(record).as_deref(),
            Some("rbd: image rbd/nope does not exist")
        );
        assert_eq!(message("6,1,2,-;EXT4-fs (rbd0): mounted"), None);
    }
}
