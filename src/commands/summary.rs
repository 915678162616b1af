//! `rbdmap summary`: reports how many images are mapped and file systems mounted, as the status text of rbdmap.service. It
//! changes nothing and never fails: the units of the images have their own failures.

use crate::config::load::Configuration;
use crate::plan;
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;
use crate::sys::{mounts, notify};

/// Reads the configuration and reports to systemd and the log.
pub fn run(root: &Root) -> Report {
    report(root, &Configuration::read(root));
    Report::default()
}

/// Reports to systemd and the log.
pub fn report(root: &Root, config: &Configuration) {
    let plan = plan::map(&config.entries, &config.lines, &[]);
    let mappings = bus::list(root).unwrap_or_default();
    let images = plan.images.iter().map(|entry| SummaryItem {
        name: entry.spec.to_string(),
        is_present: mappings.iter().any(|mapping| mapping.spec == entry.spec),
    });
    let mounted = mounts::list(root).unwrap_or_default();
    let file_systems = plan.mounts.iter().map(|step| SummaryItem {
        name: step.entry.target.display().to_string(),
        is_present: mounted
            .iter()
            .any(|mount| mount.target == step.entry.target),
    });
    let text = sentence(&Vec::from_iter(images), &Vec::from_iter(file_systems));
    notify::status(&text);
    tracing::info!("{text}");
}

/// An image or a mount point that the configuration lists.
struct SummaryItem {
    name: String,
    is_present: bool,
}

/// `2 of 3 images mapped, 1 of 1 file systems mounted; missing: rbd/nope`.
fn sentence(images: &[SummaryItem], file_systems: &[SummaryItem]) -> String {
    let text = format!(
        "{} of {} images mapped, {} of {} file systems mounted",
        count_present(images),
        images.len(),
        count_present(file_systems),
        file_systems.len()
    );
    let missing: Vec<&str> = images
        .iter()
        .chain(file_systems)
        .filter(|item| !item.is_present)
        .map(|item| item.name.as_str())
        .collect();
    if missing.is_empty() {
        text
    } else {
        format!("{text}; missing: {}", missing.join(", "))
    }
}

fn count_present(items: &[SummaryItem]) -> usize {
    items.iter().filter(|item| item.is_present).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, is_present: bool) -> SummaryItem {
        let name = name.to_owned();
        SummaryItem { name, is_present }
    }

    #[test]
    fn the_sentence_counts_and_names_what_is_missing() {
        let images = [item("rbd/a", true), item("rbd/nope", false)];
        assert_eq!(
            sentence(&images, &[item("/mnt/a", true)]),
            "1 of 2 images mapped, 1 of 1 file systems mounted; missing: rbd/nope"
        );
        assert_eq!(
            sentence(&images[..1], &[]),
            "1 of 1 images mapped, 0 of 0 file systems mounted"
        );
    }
}
