//! What to write and what to say, as a pure function of images, fstab and the administrator's units.
//!
//! The entries are those that stand on images, by themselves or through one another (`plan::closure`): an overlay or a bind
//! on a mount of ours that were left ordered as local would close a circle with the network, and systemd would delete a
//! job of it. Owns what becomes of entries that are not served: they are not touched at all, nor are their devices, and a
//! message says why (`complaints`). What is written is `instance`'s, `device`'s, `service`'s, `mount`'s and `swap`'s.

mod image;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::admin_units::AdministratorUnits;
use super::device_units::Devices;
use super::fstab_policy::{MountPolicy, SystemdUnit};
use super::instance_unit::Instances;
use super::mount_files::is_device;
use super::mount_unit::MountUnit;
use super::service_units::Service;
use super::swap_units;
use super::unit_file::GeneratedFile;
use super::warnings::Warnings;
use crate::config::fstab::Images;
use crate::config::table::Entry;
use crate::model::fstab_entry::{FstabEntry, FstabSource};
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::plan::fstab_graph;
use crate::runtime::root::Root;
use crate::sys::kmsg_writer::Message;
use image::ServedImage;

/// All that is known.
pub struct UnitSetInputs<'a> {
    /// The images, of the table and of the settings.
    pub entries: &'a [Entry],
    /// Other images that are in fstab. Nobody is told to map them; their mounts are ordered as the others'.
    pub unlisted: &'a [ImageSpec],
    /// The entries of fstab and of the settings, their mount points resolved.
    pub lines: &'a [FstabEntry],
    /// Images that have a hook.
    pub hooked: &'a HashSet<ImageSpec>,
    /// What must not be overridden.
    pub administrator: &'a AdministratorUnits,
    /// For the names of files.
    pub root: &'a Root,
}

/// All that is to be done.
#[derive(Debug)]
pub struct Decision<'a> {
    /// What to write, each path once.
    pub parts: Vec<Part<'a>>,
    /// What to say.
    pub messages: Vec<Message>,
}

/// Something to write.
#[derive(Debug)]
pub enum Part<'a> {
    /// The units of an entry. Their text is most of the work, so it is made by whoever writes them.
    MountUnit(MountUnit<'a>),
    /// A file of another kind.
    File(GeneratedFile),
}

impl Part<'_> {
    /// The files.
    pub fn files(self) -> Vec<GeneratedFile> {
        match self {
            Part::MountUnit(line) => line.files(),
            Part::File(file) => vec![file],
        }
    }
}

/// Decides.
pub fn decide<'a>(inputs: &UnitSetInputs<'a>) -> Decision<'a> {
    let mut work = UnitSetBuilder {
        inputs,
        lines: Vec::new(),
        files: Vec::new(),
        complaints: Warnings::new(inputs.root),
        service: Service::default(),
        devices: Devices::default(),
        instances: Instances::default(),
    };
    let entries = work.images();
    let listed = entries.iter().map(|entry| &entry.spec);
    let specs: Vec<&ImageSpec> = listed.chain(inputs.unlisted).collect();
    let mounts = work.mounts(&specs);
    work.swaps(&specs, &mounts);
    let mut on_it: HashMap<&ImageSpec, Vec<&ServedMount>> = HashMap::new();
    for mount in &mounts {
        mount
            .images
            .iter()
            .for_each(|spec| on_it.entry(spec).or_default().push(mount));
    }
    let mut aside = HashSet::new();
    for entry in entries {
        let mounts = on_it.get(&entry.spec).map_or(&[][..], Vec::as_slice);
        let image = ServedImage::of(entry, mounts, inputs.administrator);
        aside.extend(image.is_aside().then_some(&entry.spec));
        work.image(image, mounts);
    }
    for mount in &mounts {
        work.mount(mount, &aside);
    }
    let UnitSetBuilder {
        lines,
        mut files,
        complaints,
        service,
        devices,
        instances,
        ..
    } = work;
    files.extend(
        devices
            .drop_ins()
            .chain(service.drop_ins())
            .chain(instances.drop_ins()),
    );
    files.sort_by(|a, b| (a.folder, &a.path).cmp(&(b.folder, &b.path)));
    files.dedup_by(|a, b| (a.folder, &a.path) == (b.folder, &b.path));
    let lines = lines.into_iter().map(Part::MountUnit);
    Decision {
        parts: lines.chain(files.into_iter().map(Part::File)).collect(),
        messages: complaints.messages(),
    }
}

/// An entry that stands on images.
struct ServedMount<'a> {
    entry: &'a FstabEntry,
    /// The image that is its source, if one is.
    own: Option<&'a ImageSpec>,
    /// Every image that it needs.
    images: Vec<&'a ImageSpec>,
    /// How it is served; nothing where it is left alone.
    row: Option<MountPolicy>,
}

impl ServedMount<'_> {
    fn start_unit(&self) -> Option<String> {
        Some(self.row?.start_unit(&self.entry.target))
    }
}

struct UnitSetBuilder<'a, 'i> {
    inputs: &'i UnitSetInputs<'a>,
    lines: Vec<MountUnit<'a>>,
    files: Vec<GeneratedFile>,
    complaints: Warnings<'a>,
    service: Service,
    devices: Devices,
    instances: Instances<'a>,
}

impl<'a> UnitSetBuilder<'a, '_> {
    /// The images to serve, each once. One whose unit is masked is not to be mapped, so it is none of ours.
    fn images(&mut self) -> Vec<&'a Entry> {
        let mut first: HashMap<&ImageSpec, usize> = HashMap::new();
        let mut images = Vec::new();
        for entry in self.inputs.entries {
            if let Some(first) = first.get(&entry.spec) {
                self.complaints.second(entry, *first);
                continue;
            }
            first.insert(&entry.spec, entry.line());
            if !self
                .inputs
                .administrator
                .masks(&unit_name::instance(&entry.spec))
            {
                images.push(entry);
            }
        }
        images
    }

    /// The entries on the images, with what is written and said of each.
    fn mounts(&mut self, specs: &[&'a ImageSpec]) -> Vec<ServedMount<'a>> {
        let closure = fstab_graph::FstabGraph::new(self.inputs.lines, specs);
        let mut mounts = Vec::new();
        for step in closure.steps {
            let declared = step.entry.declared_in == FstabSource::Settings;
            let row = MountPolicy::of(step.entry, declared);
            if let Err(reason) = &row {
                self.complaints.left(step.entry, step.images[0], reason);
            }
            mounts.push(ServedMount {
                entry: step.entry,
                own: step.source_image,
                images: step.images,
                row: row.ok(),
            });
        }
        for line in closure.refused {
            // Of two lines for one mount point the second may be on no image.
            let Some(own) = line.source_image else {
                continue;
            };
            self.complaints.left(line.entry, own, &line.why);
            mounts.push(ServedMount {
                entry: line.entry,
                own: Some(own),
                images: vec![own],
                row: None,
            });
        }
        mounts
    }

    fn is_listed(&self, image: &ImageSpec) -> bool {
        !self.inputs.unlisted.contains(image)
    }

    /// What is written for a mount, which a boot begins with unless an image that it needs is beside the boot. It would have that
    /// started too; that one has it started instead (`instance`). An automount needs none until somebody looks into it.
    fn mount(&mut self, mount: &ServedMount<'a>, aside: &HashSet<&ImageSpec>) {
        let (Some(row), entry) = (mount.row, mount.entry) else {
            return;
        };
        if self
            .inputs
            .administrator
            .has(&unit_name::mount(&entry.target))
        {
            return;
        }
        let instance = mount
            .own
            .filter(|own| self.is_listed(own))
            .map(unit_name::instance);
        let path = self.inputs.root.path_inside(&entry.path);
        let is_ours = mount.images.iter().any(|image| self.is_listed(image));
        let line = MountUnit {
            entry,
            path,
            row,
            instance,
            is_ours,
        };
        if let Some(folder) = line.folder().filter(|_| is_device(entry)) {
            self.devices.need_network(&entry.device_node(), folder);
        }
        self.lines.push(line);
        if is_ours && (row.automount || !mount.images.iter().any(|image| aside.contains(image))) {
            self.service.wants(row.start_unit(&entry.target));
        }
        if row.made == SystemdUnit::Local {
            self.complaints
                .lacks_netdev(entry, row, (mount.images[0], mount.own.is_some()));
        }
    }

    /// Swap on the images, and in files on their mounts.
    fn swaps(&mut self, specs: &[&'a ImageSpec], mounts: &[ServedMount<'a>]) {
        let mut swaps = self
            .inputs
            .lines
            .iter()
            .filter(|entry| entry.fstype == "swap")
            .peekable();
        if swaps.peek().is_none() {
            return;
        }
        let images = Images::new(specs);
        let targets: Vec<&Path> = mounts
            .iter()
            .map(|mount| mount.entry.target.as_path())
            .collect();
        for entry in swaps {
            let own = images.below(entry);
            let unit = format!("{}.swap", unit_name::escape_path(&entry.device_node()));
            if own.is_none() && !swap_units::lies_on(entry, &targets)
                || self.inputs.administrator.has(&unit)
            {
                continue;
            }
            match MountPolicy::of(entry, false) {
                Ok(row) => {
                    let instance = own
                        .filter(|own| self.is_listed(own))
                        .map(unit_name::instance);
                    self.files
                        .extend(swap_units::files(entry, row, instance.as_deref()));
                    if row.auto {
                        self.service.wants(unit);
                    }
                    self.files.extend(
                        instance
                            .map(|instance| self.devices.require(&entry.device_node(), &instance)),
                    );
                }
                Err(reason) => self
                    .complaints
                    .left(entry, own.unwrap_or(specs[0]), &reason),
            }
        }
    }
}
