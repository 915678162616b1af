//! Writes to the kernel log, the only log before the journal runs (systemd.generator(7)); to standard error without it.
//!
//! One write(2) to /dev/kmsg is one record. The kernel rejects writes over 976 bytes (linux `kernel/printk/printk.c`).

use std::fs::File;
use std::io::Write;
use std::process;

use crate::runtime::root::Root;

/// What remains of a record after the prefix `<4>rbdmap-generator[PID]: `, with some room.
const MAX_TEXT_BYTES: usize = 900;

/// A message for the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelMessage {
    /// As in syslog(3): 4 is a warning, 5 a notice.
    level: u8,
    text: String,
}

impl KernelMessage {
    /// Something is not done, or not as it is written.
    pub fn warning(text: String) -> Self {
        Self { level: 4, text }
    }

    /// Everything is done, but what is written should be changed.
    pub fn notice(text: String) -> Self {
        Self { level: 5, text }
    }
}

/// The kernel log. Without it, messages go to standard error.
pub struct KmsgWriter(Option<File>);

impl KmsgWriter {
    /// Opens /dev/kmsg.
    pub fn open(root: &Root) -> Self {
        Self(File::options().write(true).open(root.kernel_log()).ok())
    }

    /// Writes one record, cut off after [`MAX_TEXT_BYTES`].
    pub fn write(&self, message: &KernelMessage) {
        let KernelMessage { level, text } = message;
        let process = process::id();
        let start = start_of(text, MAX_TEXT_BYTES);
        let record = format!("<{level}>rbdmap-generator[{process}]: {start}\n");
        // The record must reach the kernel in one write, so there is no buffer.
        let mut log = self.0.as_ref();
        let is_written = log
            .as_mut()
            .is_some_and(|log| log.write_all(record.as_bytes()).is_ok());
        if !is_written {
            eprintln!("rbdmap-generator: {text}");
        }
    }
}

/// The first `limit` bytes, without a character that would be cut in half.
fn start_of(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;
    use std::fs;

    #[test]
    fn a_long_message_is_cut_off_between_two_characters() {
        let root = FakeRoot::new();
        root.write("dev/kmsg", "");
        let text = format!("a{}", "ä".repeat(MAX_TEXT_BYTES));
        KmsgWriter::open(&root).write(&KernelMessage::warning(text));
        let record = fs::read_to_string(root.kernel_log()).unwrap();
        let (prefix, text) = record.split_once("]: ").unwrap();
        assert_eq!(prefix, format!("<4>rbdmap-generator[{}", process::id()));
        assert_eq!(text, format!("a{}\n", "ä".repeat(449)));
    }
}
