//! One thing that stands on a mapping, and one try to take it away.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::plan::teardown::Thing;
use crate::root::Root;
use crate::sys::{loops, notify};

/// Between two tries while a device or a file system is in use: short at first, for most are free in a moment, then so long
/// that waiting costs nothing.
pub fn busy_pause(waited: Duration) -> Duration {
    Duration::from_millis(if waited < Duration::from_secs(5) { 100 } else { 500 })
}

/// Something on a mapping, across rounds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// By the mount's id.
    Mount(i32),
    /// By the loop device's name.
    Loop(String),
}

impl Key {
    /// The key of what was seen.
    pub fn of(thing: &Thing<'_>) -> Self {
        match thing {
            Thing::Mount(mount) => Self::Mount(mount.id),
            Thing::Loop(device) => Self::Loop(device.name.clone()),
        }
    }
}

/// What has been tried with it.
pub enum Tried {
    /// It is being taken away.
    UnderWay,
    /// It has been unmounted.
    Unmounted(PathBuf),
    /// It was in use, or its going takes a moment.
    Again(Instant),
    /// It cannot be taken away; why.
    InVain(String),
}

/// Unmounts a mount point.
pub fn unmount(target: &Path, pause: Duration) -> Tried {
    match libmount::unmount(target) {
        Ok(()) => Tried::Unmounted(target.to_owned()),
        // By whom is told in time (`busy`).
        Err(error) if error.is_busy() => Tried::Again(Instant::now() + pause),
        // If another has unmounted it meanwhile, the next look finds it gone.
        Err(error) => Tried::InVain(format!("unmounting {}: {error}", target.display())),
    }
}

/// The kernel gives a loop device back after its last close, so whether it is gone, the next look must tell.
pub fn detach(root: &Root, name: &str, pause: Duration) -> Tried {
    if let Err(error) = loops::detach(root, name) {
        notify::status(&format!("/dev/{name}: {error}"));
    }
    Tried::Again(Instant::now() + pause)
}
