//! The files of an image: its instance and hook, the links of its devices, and its place in rbdmap.service.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::builder::UnitSetBuilder;
use super::mounts::ServedMount;
use crate::config::table::Entry;
use crate::generator::admin_units::AdministratorUnits;
use crate::generator::instance_unit::{self, InstanceConfig, needed_files};
use crate::generator::unit_file::GeneratedFile;
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;

/// An image to serve.
pub(super) struct ServedImage<'a> {
    entry: &'a Entry,
    /// Its instance of rbdmap@.service.
    unit: String,
    /// Boot does not wait for it.
    nofail: bool,
    /// The administrator has written the unit.
    is_admin_unit: bool,
}

impl<'a> ServedImage<'a> {
    pub(super) fn new(
        entry: &'a Entry,
        mounts: &[&ServedMount],
        administrator: &AdministratorUnits,
    ) -> Self {
        let served = mounts
            .iter()
            .filter(|mount| mount.source_image == Some(&entry.spec) && mount.policy.is_some());
        let unit = unit_name::instance(&entry.spec);
        Self {
            entry,
            nofail: entry.is_nofail(served.map(|mount| mount.entry)),
            is_admin_unit: administrator.has(&unit),
            unit,
        }
    }

    /// Whether rbdmap-nofail.service starts it, and the instance then starts what stands on it. An administrator's unit does
    /// not start that.
    pub(super) fn starts_without_boot(&self) -> bool {
        self.nofail && !self.is_admin_unit
    }
}

impl<'a> UnitSetBuilder<'a, '_> {
    /// The images to serve, each once.
    pub(super) fn images(&mut self) -> Vec<&'a Entry> {
        let administrator = self.inputs.administrator;
        let mut first_lines: HashMap<&ImageSpec, usize> = HashMap::new();
        let mut images = Vec::new();
        for entry in self.inputs.entries {
            if let Some(first_line) = first_lines.get(&entry.spec) {
                self.warnings.duplicate_image(entry, *first_line);
                continue;
            }
            first_lines.insert(&entry.spec, entry.line());
            // Who masks the unit does not want the image mapped.
            if !administrator.masks(&unit_name::instance(&entry.spec)) {
                images.push(entry);
            }
        }
        images
    }

    /// Adds the files of an image. `mounts` are those that stand on it.
    pub(super) fn add_image(&mut self, image: ServedImage<'a>, mounts: &[&ServedMount<'a>]) {
        let spec = &image.entry.spec;
        let mut source_mounts = mounts.to_vec();
        source_mounts.retain(|mount| mount.source_image == Some(spec));
        for device in devices(spec, &source_mounts) {
            let link = self.devices.require(&device, &image.unit);
            self.files.push(link);
        }
        let unit = image.unit.clone();
        if image.starts_without_boot() {
            self.service.start_without_boot(unit);
        } else if image.nofail {
            self.service.want(unit);
        } else {
            self.service.want_and_wait_for(unit);
        }
        let is_hooked = self.inputs.hooked.contains(spec);
        let mut dependents: Vec<String> = Vec::new();
        // A nofail image starts its mounts itself, and a hook is ordered after them.
        if image.nofail || is_hooked {
            dependents.extend(mounts.iter().filter_map(|mount| mount.start_unit()));
        }
        if is_hooked {
            self.add_hook(&image, &dependents);
            dependents.push(unit_name::hook(spec));
        }
        let targets: Vec<&Path> = source_mounts
            .iter()
            .map(|mount| mount.entry.target.as_path())
            .collect();
        let config = (!image.is_admin_unit).then(|| InstanceConfig {
            source_path: self.inputs.root.path_inside(image.entry.path()),
            needed_files: needed_files(image.entry, &targets),
            nofail_dependents: image.nofail.then_some(dependents),
        });
        self.instances.add(image.unit, config);
    }

    fn add_hook(&mut self, image: &ServedImage<'a>, mount_units: &[String]) {
        let hook = unit_name::hook(&image.entry.spec);
        let text = hook_text(mount_units, image.nofail);
        self.files.push(GeneratedFile::drop_in(&hook, &text));
        // The hook's unit requires the image. Wanted by rbdmap.service, it would make boot start the image.
        if !image.starts_without_boot() {
            self.service.want(hook);
        }
    }
}

/// The device nodes of an image and of its partitions in fstab, except those of entries that are not served.
fn devices(image: &ImageSpec, source_mounts: &[&ServedMount]) -> BTreeSet<PathBuf> {
    let mut devices = BTreeSet::from([instance_unit::device(image)]);
    for mount in source_mounts {
        devices.insert(mount.entry.device_node());
    }
    for mount in source_mounts.iter().filter(|mount| mount.policy.is_none()) {
        devices.remove(&mount.entry.device_node());
    }
    devices
}

fn hook_text(mount_units: &[String], nofail: bool) -> String {
    let boot = if nofail {
        ""
    } else {
        "Before=rbdmap.service\n"
    };
    // Ordered after the mounts without requiring them, so that the hook runs although one of them has failed.
    format!("[Unit]\n{boot}After={}\n", mount_units.join(" "))
}
