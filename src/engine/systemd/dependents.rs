//! After an image was mapped that boot did not wait for: starts what stands on it, and the services that waited for that.
//!
//! systemd does not repeat a start that failed because a unit that it requires was missing. `Wants=` in the instance would start
//! these units, but also each time that the instance waits for its next attempt, and then they would wait for the device for
//! ever.

use std::time::Duration;

use anyhow::Result;

use super::connection::connect;
use crate::runtime::root::Root;

/// Asks systemd to start these units and the services that have waited for them since boot.
pub fn start_dependents(root: &Root, units: &[String]) -> Result<()> {
    let manager = connect(root)?;
    let mut all = units.to_vec();
    all.extend(manager.unstarted_dependents(units)?);
    // Without waiting: the units are ordered after the instance that calls this.
    manager.start(&all, Duration::ZERO, &mut |_| {}).map(drop)
}
