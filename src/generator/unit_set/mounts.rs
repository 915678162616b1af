//! The entries of fstab and of the settings that stand on images, and their files.

use std::collections::HashSet;

use super::builder::UnitSetBuilder;
use crate::generator::fstab_policy::{MountPolicy, SystemdUnit};
use crate::generator::mount_files::{self, directory_of_replacement};
use crate::generator::mount_unit::MountUnit;
use crate::generator::netdev_units::is_device;
use crate::generator::warnings::EntryOnImage;
use crate::model::fstab_entry::{FstabEntry, FstabSource};
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::plan::fstab_graph::FstabGraph;

/// An entry that stands on images.
pub(super) struct ServedMount<'a> {
    pub(super) entry: &'a FstabEntry,
    /// The image that is its source, if one is.
    pub(super) source_image: Option<&'a ImageSpec>,
    /// Every image that it needs.
    pub(super) images: Vec<&'a ImageSpec>,
    /// How it is served; `None` if it is not.
    pub(super) policy: Option<MountPolicy>,
}

impl ServedMount<'_> {
    pub(super) fn start_unit(&self) -> Option<String> {
        Some(self.policy?.start_unit(&self.entry.target))
    }
}

impl<'a> UnitSetBuilder<'a, '_> {
    /// The entries on the images. Warns about those that are not served.
    pub(super) fn mounts(&mut self, specs: &[&'a ImageSpec]) -> Vec<ServedMount<'a>> {
        let graph = FstabGraph::new(self.inputs.lines, specs);
        let mut mounts = Vec::new();
        for step in graph.steps {
            mounts.push(ServedMount {
                entry: step.entry,
                source_image: step.source_image,
                policy: self.policy(step.entry, step.images[0]),
                images: step.images,
            });
        }
        for line in graph.refused {
            // The second of two lines for one mount point may stand on no image.
            let Some(image) = line.source_image else {
                continue;
            };
            let subject = EntryOnImage {
                entry: line.entry,
                image,
            };
            self.warnings.not_served(subject, &line.why);
            mounts.push(ServedMount {
                entry: line.entry,
                source_image: Some(image),
                images: vec![image],
                policy: None,
            });
        }
        mounts
    }

    fn policy(&mut self, entry: &'a FstabEntry, image: &'a ImageSpec) -> Option<MountPolicy> {
        let policy = match entry.declared_in {
            FstabSource::Fstab => MountPolicy::new(entry),
            FstabSource::Settings => MountPolicy::for_declared(entry),
        };
        policy
            .inspect_err(|reason| {
                let subject = EntryOnImage { entry, image };
                self.warnings.not_served(subject, &format!("{reason:#}"));
            })
            .ok()
    }

    /// Adds the files of a mount. rbdmap.service wants its unit, except where `nofail_images` has an image that it needs.
    pub(super) fn add_mount(
        &mut self,
        mount: &ServedMount<'a>,
        nofail_images: &HashSet<&ImageSpec>,
    ) {
        let (Some(policy), entry) = (mount.policy, mount.entry) else {
            return;
        };
        let administrator = self.inputs.administrator;
        // The administrator's unit has its own dependencies.
        if administrator.has(&unit_name::mount(&entry.target)) {
            return;
        }
        let unit = MountUnit {
            entry,
            path: self.inputs.root.path_inside(&entry.path),
            policy,
            instance: self.instance_of(mount.source_image),
            is_ours: mount.images.iter().any(|image| self.is_listed(image)),
        };
        if let Some(directory) = directory_of_replacement(&unit)
            && is_device(entry)
        {
            self.devices.need_network(&entry.device_node(), directory);
        }
        // The mount requires its image, so boot would start a nofail image with it; that image's instance starts the mount
        // instead. An automount requires the image only at the first access.
        let needs_nofail_image = mount
            .images
            .iter()
            .any(|image| nofail_images.contains(image));
        if unit.is_ours && (policy.automount || !needs_nofail_image) {
            self.service.want(policy.start_unit(&entry.target));
        }
        self.mount_files.extend(mount_files::files(&unit));
        if policy.systemd_unit == SystemdUnit::Local {
            let image = mount.images[0];
            let subject = EntryOnImage { entry, image };
            self.warnings
                .served_as_netdev(subject, policy, mount.source_image.is_some());
        }
    }
}
