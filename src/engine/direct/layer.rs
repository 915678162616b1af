//! One thing that stands on a mapping, and one try to take it away.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::plan::teardown::Layer;
use crate::runtime::root::Root;
use crate::sys::{loops, notify};

/// Between two tries while a device or a file system is in use: short at first, for most are free in a moment, then so long
/// that waiting costs nothing.
pub fn busy_pause(waited: Duration) -> Duration {
    Duration::from_millis(if waited < Duration::from_secs(5) {
        100
    } else {
        500
    })
}

/// Something on a mapping, across rounds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LayerKey {
    /// By the mount's id.
    Mount(i32),
    /// By the loop device's name.
    Loop(String),
}

impl LayerKey {
    /// The key of what was seen.
    pub fn of(thing: &Layer<'_>) -> Self {
        match thing {
            Layer::Mount(mount) => Self::Mount(mount.id),
            Layer::Loop(device) => Self::Loop(device.name.clone()),
        }
    }
}

/// What has been tried with it.
pub enum LayerState {
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
pub fn unmount(target: &Path, pause: Duration) -> LayerState {
    match libmount::unmount(target) {
        Ok(()) => LayerState::Unmounted(target.to_owned()),
        // By whom is told in time (`busy`).
        Err(error) if error.is_busy() => LayerState::Again(Instant::now() + pause),
        // If another has unmounted it meanwhile, the next look finds it gone.
        Err(error) => LayerState::InVain(format!("unmounting {}: {error}", target.display())),
    }
}

/// The kernel gives a loop device back after its last close, so whether it is gone, the next look must tell.
pub fn detach(root: &Root, name: &str, pause: Duration) -> LayerState {
    if let Err(error) = loops::detach(root, name) {
        notify::status(&format!("/dev/{name}: {error}"));
    }
    LayerState::Again(Instant::now() + pause)
}
