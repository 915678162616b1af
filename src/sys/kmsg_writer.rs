//! The kernel's log, which is all there is before the journal runs (systemd.generator(7)); standard error without it.
//!
//! One record is one write of at most 976 bytes (linux `kernel/printk/printk.c`), or it is refused as a whole.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;

use crate::runtime::root::Root;

/// What is left for a text after `<4>rbdmap-generator[PID]: `, with some room.
const LONGEST: usize = 900;

/// Something for the administrator to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// As in syslog(3): 4 is a warning, 5 a notice.
    level: u8,
    /// A sentence.
    text: String,
}

impl Message {
    /// Something is not done, or not as it is written.
    pub fn warning(text: String) -> Self {
        Self { level: 4, text }
    }

    /// All is done, but it could be said better.
    pub fn notice(text: String) -> Self {
        Self { level: 5, text }
    }
}

/// Takes messages, and never fails.
pub struct KmsgWriter(Option<RefCell<File>>);

impl KmsgWriter {
    /// Opens /dev/kmsg.
    pub fn open(root: &Root) -> Self {
        Self(
            File::options()
                .write(true)
                .open(root.kernel_log())
                .ok()
                .map(RefCell::new),
        )
    }

    /// Writes one record.
    pub fn write(&self, message: &Message) {
        let end = (0..=LONGEST.min(message.text.len()))
            .rev()
            .find(|at| message.text.is_char_boundary(*at))
            .unwrap_or(0);
        let (level, text, process) = (message.level, &message.text[..end], std::process::id());
        let record = format!("<{level}>rbdmap-generator[{process}]: {text}\n");
        let written = self
            .0
            .as_ref()
            .is_some_and(|log| log.borrow_mut().write_all(record.as_bytes()).is_ok());
        if !written {
            eprintln!("rbdmap-generator: {}", message.text);
        }
    }
}
