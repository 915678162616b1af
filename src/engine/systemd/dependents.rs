//! After an image that boot did not wait for: what stands on it, and who has been waiting for that.
//!
//! systemd starts nothing again whose start has failed because something else was missing. `Wants=` in the instance would, but
//! also, by itself, each time that it waits for another try, and then the device would be waited for for ever.

use std::time::Duration;

use anyhow::Result;

use super::connect;
use crate::runtime::root::Root;

/// Has systemd start these units, and the services that have waited for them since boot. It is not waited for: their order is
/// after the instance from which this is called.
pub fn start_dependents(root: &Root, units: &[String]) -> Result<()> {
    let manager = connect(root)?;
    let waiting = manager.unstarted_dependents(units)?;
    let all: Vec<String> = units.iter().cloned().chain(waiting).collect();
    manager.start(&all, Duration::ZERO, &mut |_| {}).map(drop)
}
