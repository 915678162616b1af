//! One layer that stands on a mapping, a mount or a loop device, and one attempt to remove it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::engine::progress;
use crate::model::unit_status::{Activity, UnitStatus};
use crate::plan::teardown::Layer;
use crate::runtime::root::Root;
use crate::sys::loops;

/// The pause between two attempts while a device or a file system is in use. Most are free after a moment, so the first
/// pauses are short; later ones are so long that waiting costs nothing.
pub fn retry_pause(elapsed: Duration) -> Duration {
    if elapsed < Duration::from_secs(5) {
        Duration::from_millis(100)
    } else {
        Duration::from_millis(500)
    }
}

/// Identifies a layer from one look at the mounts to the next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LayerKey {
    /// The ID of the mount.
    Mount(i32),
    /// The name of the loop device.
    Loop(String),
}

impl LayerKey {
    /// The key of a layer that a look found.
    pub fn new(layer: &Layer<'_>) -> Self {
        match layer {
            Layer::Mount(mount) => Self::Mount(mount.id),
            Layer::Loop(device) => Self::Loop(device.name.clone()),
        }
    }
}

/// The result of the last attempt to remove a layer.
#[derive(Debug)]
pub enum LayerState {
    /// The attempt is running.
    Running,
    /// The mount point is unmounted.
    Unmounted(PathBuf),
    /// The layer was in use, or is removed a moment later; the next attempt is at this time.
    RetryAt(Instant),
    /// The layer cannot be removed, for this reason.
    Failed(String),
}

/// Unmounts a mount point.
pub fn unmount(target: &Path, pause: Duration) -> LayerState {
    match libmount::unmount(target) {
        Ok(()) => LayerState::Unmounted(target.to_owned()),
        // `blockers` reports in time who uses it.
        Err(error) if error.is_busy() => LayerState::RetryAt(Instant::now() + pause),
        // If another process has unmounted it meanwhile, the next look does not find it any more.
        Err(error) => LayerState::Failed(format!("unmounting {}: {error}", target.display())),
    }
}

/// Detaches a loop device from its file. The kernel does so after the last close, so only the next look shows whether it is
/// detached.
pub fn detach(root: &Root, name: &str, pause: Duration) -> LayerState {
    if let Err(error) = loops::detach(root, name) {
        let reason = format!("detaching /dev/{name}: {error:#}");
        progress::show(&UnitStatus::new(Activity::Retrying, reason));
    }
    LayerState::RetryAt(Instant::now() + pause)
}
