//! Collects the files and warnings of one run. `images`, `mounts` and `swaps` add to it.

use std::collections::HashSet;

use crate::config::table::Entry;
use crate::generator::admin_units::AdministratorUnits;
use crate::generator::device_units::DeviceUnits;
use crate::generator::instance_unit::InstanceUnits;
use crate::generator::service_units::ServiceUnits;
use crate::generator::unit_file::GeneratedFile;
use crate::generator::warnings::Warnings;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::runtime::root::Root;
use crate::sys::kmsg_writer::KernelMessage;

/// What the decisions depend on.
pub struct UnitSetInputs<'a> {
    /// The images of the table and of the settings.
    pub entries: &'a [Entry],
    /// Other images that fstab names. No unit maps them, but their mounts are ordered like those of the others.
    pub unlisted: &'a [ImageSpec],
    /// The entries of fstab and of the settings, with resolved mount points.
    pub lines: &'a [FstabEntry],
    /// Images that have a hook.
    pub hooked: &'a HashSet<ImageSpec>,
    /// The units that must not be overridden.
    pub administrator: &'a AdministratorUnits,
    /// Prefix of the paths of files, which units and messages do not show.
    pub root: &'a Root,
}

/// The result of one run.
#[derive(Debug)]
pub struct UnitSet {
    /// The files to write, each path once.
    pub files: Vec<GeneratedFile>,
    /// What to write to the kernel log.
    pub messages: Vec<KernelMessage>,
}

pub(super) struct UnitSetBuilder<'a, 'i> {
    pub(super) inputs: &'i UnitSetInputs<'a>,
    pub(super) mount_files: Vec<GeneratedFile>,
    pub(super) files: Vec<GeneratedFile>,
    pub(super) warnings: Warnings<'a>,
    pub(super) service: ServiceUnits,
    pub(super) devices: DeviceUnits,
    pub(super) instances: InstanceUnits<'a>,
}

impl<'a, 'i> UnitSetBuilder<'a, 'i> {
    pub(super) fn new(inputs: &'i UnitSetInputs<'a>) -> Self {
        Self {
            inputs,
            mount_files: Vec::new(),
            files: Vec::new(),
            warnings: Warnings::new(inputs.root),
            service: ServiceUnits::default(),
            devices: DeviceUnits::default(),
            instances: InstanceUnits::default(),
        }
    }

    /// The unit that maps an image, unless no table lists it.
    pub(super) fn instance_of(&self, image: Option<&ImageSpec>) -> Option<String> {
        let image = image.filter(|image| self.is_listed(image))?;
        Some(unit_name::instance(image))
    }

    pub(super) fn is_listed(&self, image: &ImageSpec) -> bool {
        !self.inputs.unlisted.contains(image)
    }

    pub(super) fn finish(self) -> UnitSet {
        let mut files = self.files;
        files.extend(self.devices.drop_ins());
        files.extend(self.service.drop_ins());
        files.extend(self.instances.drop_ins());
        // Files of one directory follow each other, so that the writer creates it once. An image and the swap on it request the
        // same link.
        files.sort_by(|a, b| (a.directory, &a.path).cmp(&(b.directory, &b.path)));
        files.dedup_by(|a, b| (a.directory, &a.path) == (b.directory, &b.path));
        // The files of mounts are not sorted: they have different names, and of a thousand images they are the most.
        let mut all_files = self.mount_files;
        all_files.extend(files);
        UnitSet {
            files: all_files,
            messages: self.warnings.into_messages(),
        }
    }
}
