//! Whether systemd or this process carries a plan out.

use crate::cli::Engine;
use crate::config::load::Configuration;
use crate::runtime::root::Root;

/// Whether systemd does the work: it runs, its units were made from this table, and --direct is not given. If not, the
/// reason is logged.
pub fn uses_systemd(root: &Root, engine: &Engine, config: &Configuration) -> bool {
    if engine.direct {
        return false;
    }
    if !root.systemd().exists() {
        log_direct("systemd is not running");
        return false;
    }
    // The generator reads the machine's table. $RBDMAPFILE may name another one, whose images have no units.
    if !config.is_machines_own(root) {
        let table = config.table.display();
        log_direct(&format!("systemd's units were not made from {table}"));
        return false;
    }
    true
}

/// As [`uses_systemd`], to map: udevd must run too.
pub fn uses_systemd_to_map(root: &Root, engine: &Engine, config: &Configuration) -> bool {
    if !uses_systemd(root, engine, config) {
        return false;
    }
    // A mount unit waits for its device unit, which systemd activates only when udevd reports the device.
    if !root.udev_control().exists() {
        log_direct("udevd is not running, so systemd does not see devices");
        return false;
    }
    true
}

fn log_direct(reason: &str) {
    tracing::info!("{reason}: this process does the work, as with --direct");
}
