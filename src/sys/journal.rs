//! The last messages of units, from journalctl(1): systemd itself knows only that a mount failed, not why.

use std::time::Duration;

use super::subprocess::Program;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;

/// The journal of this boot, with one time limit for all queries. A journal that does not exist or cannot be read has no lines.
#[derive(Debug)]
pub struct Journal {
    root: Root,
    deadline: Deadline,
}

impl Journal {
    /// A journal whose queries may take `limit` in all, from now on.
    pub fn new(root: &Root, limit: Duration) -> Self {
        Self {
            root: root.clone(),
            deadline: Deadline::after(limit),
        }
    }

    /// The last lines of and about a unit, with their times.
    pub fn lines(&self, unit: &str) -> Vec<String> {
        self.query(&[
            "--lines=5",
            "--output=short",
            "--no-hostname",
            &format!("--unit={unit}"),
        ])
    }

    /// The last message that a unit's own program printed.
    pub fn last_message(&self, unit: &str) -> Option<String> {
        let lines = self.query(&[
            "--lines=4",
            "--output=cat",
            &format!("_SYSTEMD_UNIT={unit}"),
        ]);
        last_message(&lines)
    }

    fn query(&self, arguments: &[&str]) -> Vec<String> {
        if self.deadline.remaining().is_zero() {
            return Vec::new();
        }
        let journalctl = Program::new(self.root.journalctl())
            .args(["--boot", "--quiet", "--no-pager"])
            .args(arguments);
        // The exit status does not matter: lines that were printed before an error are still the unit's.
        match journalctl.run(&self.deadline) {
            Ok(output) => output.stdout.lines().map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        }
    }
}

/// The last line, without the hint at dmesg(1) that mount(8) prints after its message.
fn last_message(lines: &[String]) -> Option<String> {
    lines
        .iter()
        .rev()
        .map(|line| line.trim())
        .find(|line| !line.is_empty() && !line.starts_with("dmesg(1) "))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;
    use std::time::Instant;

    #[test]
    fn the_last_message_is_the_one_before_the_hint_at_dmesg() {
        let lines = [
            "mount: a",
            "mount: /x: can't read superblock.",
            "       dmesg(1) may have more information after failed mount system call.",
        ];
        assert_eq!(
            last_message(&lines.map(str::to_owned)).unwrap(),
            "mount: /x: can't read superblock."
        );
        assert_eq!(last_message(&[]), None);
    }

    #[test]
    fn a_journalctl_that_hangs_is_killed_and_gives_no_lines() {
        let root = FakeRoot::new();
        root.write_program(
            "bin/journalctl",
            "#!/bin/sh\necho a\n[ $# = 6 ] || sleep 300\n",
        );
        let journal = Journal::new(&root, Duration::from_secs(2));
        let start = Instant::now();
        // journalctl is called with seven arguments for lines and with six for the last message.
        assert_eq!(journal.last_message("a.mount").as_deref(), Some("a"));
        assert_eq!(journal.lines("a.mount"), Vec::<String>::new());
        assert_eq!(journal.last_message("a.mount"), None, "the time is used up");
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
