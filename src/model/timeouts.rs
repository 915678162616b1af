//! The time limits that the settings set.

use std::time::Duration;

/// How long each kind of work may take. `--timeout` replaces all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// `map_timeout`: mapping one image, mounting one file system, or running one hook.
    pub map: Duration,
    /// `unmap_timeout`: how long unmapping continues without progress.
    pub unmap: Duration,
    /// `shutdown_timeout`: how long unmapping may take in all while the system shuts down.
    pub shutdown: Duration,
}

impl Timeouts {
    /// The limits after `--timeout`, if it was given.
    pub fn overridden_by(self, timeout: Option<Duration>) -> Self {
        match timeout {
            Some(limit) => Self {
                map: limit,
                unmap: limit,
                shutdown: limit,
            },
            None => self,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // systemd stops the unit of an image after 90 s.
            map: Duration::from_secs(80),
            // systemd stops the unit after 60 s if it does not ask for more time.
            unmap: Duration::from_secs(50),
            shutdown: Duration::from_secs(120),
        }
    }
}
