//! Writes to the kernel log, the only log before the journal runs (systemd.generator(7)); to standard error if that is impossible.
//!
//! One write(2) to /dev/kmsg is one record. The kernel refuses a write of more than 976 bytes (linux `kernel/printk/printk.c`).

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;

use crate::runtime::root::Root;

/// The longest text that fits into a record after `<4>rbdmap-generator[PID]: `, with some room.
const TEXT_MAX: usize = 900;

/// A message to the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// As in syslog(3): 4 is a warning, 5 a notice.
    level: u8,
    text: String,
}

impl Message {
    /// Something is not done, or not as it is configured.
    pub fn warning(text: String) -> Self {
        Self { level: 4, text }
    }

    /// Everything is done, but the configuration could be clearer.
    pub fn notice(text: String) -> Self {
        Self { level: 5, text }
    }
}

/// The kernel log, opened for writing. No method fails.
pub struct KmsgWriter(Option<RefCell<File>>);

impl KmsgWriter {
    /// Opens /dev/kmsg.
    pub fn open(root: &Root) -> Self {
        let file = File::options().write(true).open(root.kernel_log());
        Self(file.ok().map(RefCell::new))
    }

    /// Writes one record. A text that is too long is cut.
    pub fn write(&self, message: &Message) {
        let process = std::process::id();
        let text = cut(&message.text);
        let record = format!("<{}>rbdmap-generator[{process}]: {text}\n", message.level);
        let is_written = match &self.0 {
            Some(log) => log.borrow_mut().write_all(record.as_bytes()).is_ok(),
            None => false,
        };
        if !is_written {
            eprintln!("rbdmap-generator: {}", message.text);
        }
    }
}

/// At most [`TEXT_MAX`] bytes of a text, without cutting a character in two.
fn cut(text: &str) -> &str {
    let mut end = TEXT_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let text = format!("{}ü", "x".repeat(TEXT_MAX - 1));
        assert_eq!(cut(&text).len(), TEXT_MAX - 1);
    }
}
