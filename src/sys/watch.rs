//! Sleeps until something changes in a folder (inotify(7)), so that waiting costs no processor time that udev needs.
//!
//! It tells that something changed, never what: the waiter looks for itself, before each sleep. Where inotify
//! cannot be had (its instances are limited for each user), it sleeps short instead.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::os::fd::AsFd;

/// The longest sleep: what a change elsewhere may go unseen.
const LONGEST: Duration = Duration::from_millis(50);

/// A folder that is watched.
pub struct Watch(Option<Inotify>);

impl Watch {
    /// Watches from now on.
    pub fn on(folder: &Path) -> Self {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok();
        let changes = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE;
        Self(inotify.filter(|inotify| inotify.add_watch(folder, changes).is_ok()))
    }

    /// Sleeps until a change, but for a moment only.
    pub fn sleep(&self) {
        let Some(inotify) = &self.0 else { return sleep(LONGEST / 5) };
        let milliseconds = u16::try_from(LONGEST.as_millis()).unwrap_or(u16::MAX);
        let mut waiting = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        // Interrupted or not: the waiter looks again. Events are taken so that the next sleep is one.
        let _ = poll(&mut waiting, PollTimeout::from(milliseconds));
        let _ = inotify.read_events();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_change_ends_the_sleep_and_quiet_does_too() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::on(folder.path());
        let start = Instant::now();
        watch.sleep();
        assert!(start.elapsed() >= LONGEST, "nothing changed");
        std::fs::write(folder.path().join("new"), "").unwrap();
        watch.sleep();
        assert!(watch.0.is_some());
    }
}
