//! What units said last, as journalctl(1) tells it: of a mount that failed systemd itself knows no more than that it did.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;

/// The journal of this boot, into which is looked no longer than a while in all. No journal, or none that may be read, has no
/// lines.
#[derive(Debug)]
pub struct Journal {
    root: Root,
    time: Deadline,
}

impl Journal {
    /// So long in all, from now on.
    pub fn new(root: &Root, limit: Duration) -> Self {
        Self {
            root: root.clone(),
            time: Deadline::after(limit),
        }
    }

    /// The last lines of and about a unit, with their times.
    pub fn lines(&self, unit: &str) -> Vec<String> {
        self.ask([
            "--lines=5",
            "--output=short",
            "--no-hostname",
            &format!("--unit={unit}"),
        ])
    }

    /// What the program of a unit said last.
    pub fn last_message(&self, unit: &str) -> Option<String> {
        last_word(self.ask([
            "--lines=4",
            "--output=cat",
            &format!("_SYSTEMD_UNIT={unit}"),
        ]))
    }

    fn ask<Word: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = Word>) -> Vec<String> {
        let mut command = Command::new(self.root.journalctl());
        command
            .args(["--boot", "--quiet", "--no-pager"])
            .args(words)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let output = self.time.run(move || command.output());
        let output = output
            .and_then(Result::ok)
            .map(|output| output.stdout)
            .unwrap_or_default();
        String::from_utf8_lossy(&output)
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

/// mount(8) of util-linux goes on, after what it has to say, with where there may be more.
fn last_word(lines: Vec<String>) -> Option<String> {
    let lines = lines.iter().map(|line| line.trim());
    lines
        .rev()
        .find(|line| !line.is_empty() && !line.starts_with("dmesg(1) "))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_what_was_wrong() {
        let word =
            |lines: &[&str]| last_word(lines.iter().map(|line| (*line).to_owned()).collect());
        let more = "       dmesg(1) may have more information after failed mount system call.";
        assert_eq!(
            word(&["mount: a", "mount: /x: can't read superblock.", more]).unwrap(),
            "mount: /x: can't read superblock."
        );
        assert_eq!(word(&[]), None);
    }
}
