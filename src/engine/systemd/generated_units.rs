//! Whether the generated units are older than the files from which they are generated, so that systemd must reload.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::runtime::root::Root;

/// Whether the table, fstab or the settings changed after systemd last ran its generators, which creates their output
/// directories anew.
pub fn are_stale(root: &Root) -> bool {
    let generated = ["generator", "generator.early"]
        .iter()
        .filter_map(|directory| modified(&root.generated_units(directory)))
        .min();
    let sources = [
        root.table(),
        root.fstab(),
        root.settings(),
        root.settings_fragments(),
    ];
    let changed = sources.iter().filter_map(|path| modified(path)).max();
    is_stale(changed, generated, SystemTime::now())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn is_stale(changed: Option<SystemTime>, generated: Option<SystemTime>, now: SystemTime) -> bool {
    match (changed, generated) {
        // A time in the future is from before the clock was set back, so it proves nothing.
        (Some(changed), Some(generated)) => changed >= generated || generated > now,
        (changed, None) => changed.is_some(),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn units_are_stale_after_a_change_and_after_the_clock_was_set_back() {
        let at = |hour: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(hour * 3600);
        let is_stale = |changed: Option<u64>, generated: Option<u64>| {
            is_stale(changed.map(at), generated.map(at), at(10))
        };
        assert!(!is_stale(Some(1), Some(2)));
        assert!(!is_stale(None, Some(2)));
        assert!(!is_stale(None, None));
        assert!(is_stale(Some(2), Some(2)));
        assert!(is_stale(Some(3), Some(2)));
        assert!(is_stale(Some(1), None));
        assert!(is_stale(Some(9), Some(11)), "the clock was fast");
    }
}
