//! Swap on the images, and in files on their mounts.

use std::path::Path;

use super::builder::UnitSetBuilder;
use super::mounts::ServedMount;
use crate::config::fstab::Images;
use crate::generator::fstab_policy::MountPolicy;
use crate::generator::swap_units;
use crate::generator::warnings::EntryOnImage;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;

impl<'a> UnitSetBuilder<'a, '_> {
    /// Adds the files of swap on the images, and in files on the mounts.
    pub(super) fn add_swaps(&mut self, specs: &[&'a ImageSpec], mounts: &[ServedMount<'a>]) {
        let mut swaps: Vec<&FstabEntry> = self.inputs.lines.iter().collect();
        swaps.retain(|entry| entry.fstype == "swap");
        if swaps.is_empty() {
            return; // Few machines have any: do not index a thousand images.
        }
        let administrator = self.inputs.administrator;
        let images = Images::new(specs);
        let targets: Vec<&Path> = mounts
            .iter()
            .map(|mount| mount.entry.target.as_path())
            .collect();
        for entry in swaps {
            let image = images.below(entry);
            let is_on_image = image.is_some() || swap_units::is_file_below(entry, &targets);
            if !is_on_image || administrator.has(&swap_units::unit_for(entry)) {
                continue;
            }
            match MountPolicy::new(entry) {
                Ok(policy) => self.add_swap(entry, policy, self.instance_of(image)),
                Err(reason) => {
                    let image = image.unwrap_or(specs[0]);
                    let subject = EntryOnImage { entry, image };
                    self.warnings.not_served(subject, &format!("{reason:#}"));
                }
            }
        }
    }

    fn add_swap(&mut self, entry: &FstabEntry, policy: MountPolicy, instance: Option<String>) {
        let unit = swap_units::unit_for(entry);
        let files = swap_units::files(entry, policy, instance.as_deref());
        self.files.extend(files);
        if policy.auto {
            self.service.want(unit);
        }
        if let Some(instance) = instance {
            let link = self.devices.require(&entry.device_node(), &instance);
            self.files.push(link);
        }
    }
}
