//! `rbdmap summary`: how much of the table is mapped and mounted, as the status text of rbdmap.service. It acts on
//! nothing and never fails: the instances carry their own failures.

use crate::config::load::Configuration;
use crate::model::fstab_entry::FstabEntry;
use crate::plan;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;
use crate::sys::{mounts, notify};

/// Tells systemd and the journal.
pub fn run(root: &Root, inputs: &Configuration) {
    let mapped: Vec<_> = bus::list(root)
        .unwrap_or_default()
        .into_iter()
        .map(|mapping| mapping.spec)
        .collect();
    let targets: Vec<_> = mounts::list(root)
        .unwrap_or_default()
        .into_iter()
        .map(|mount| mount.target)
        .collect();
    let plan = plan::map(&inputs.entries, &inputs.lines, &[]);
    let images: Vec<(String, bool)> = plan
        .images
        .iter()
        .map(|entry| (entry.spec.to_string(), mapped.contains(&entry.spec)))
        .collect();
    let wanted: Vec<&FstabEntry> = plan.mounts.iter().map(|step| step.entry).collect();
    let places: Vec<(String, bool)> = wanted
        .iter()
        .map(|line| {
            (
                line.target.display().to_string(),
                targets.contains(&line.target),
            )
        })
        .collect();
    let text = sentence(&images, &places);
    notify::status(&text);
    tracing::info!("{text}");
}

/// `2 of 3 images mapped, 1 of 1 mounted; missing: rbd/nope`.
fn sentence(images: &[(String, bool)], places: &[(String, bool)]) -> String {
    let count = |list: &[(String, bool)]| list.iter().filter(|(_, there)| *there).count();
    let missing: Vec<&str> = images
        .iter()
        .chain(places)
        .filter(|(_, there)| !there)
        .map(|(name, _)| name.as_str())
        .collect();
    let text = format!(
        "{} of {} images mapped, {} of {} file systems mounted",
        count(images),
        images.len(),
        count(places),
        places.len()
    );
    if missing.is_empty() {
        text
    } else {
        format!("{text}; missing: {}", missing.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let images = [("rbd/a".to_owned(), true), ("rbd/nope".to_owned(), false)];
        let places = [("/mnt/a".to_owned(), true)];
        assert_eq!(
            sentence(&images, &places),
            "1 of 2 images mapped, 1 of 1 file systems mounted; missing: rbd/nope"
        );
        assert_eq!(
            sentence(&images[..1], &[]),
            "1 of 1 images mapped, 0 of 0 file systems mounted"
        );
    }
}
